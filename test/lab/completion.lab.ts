// lab-needs: netns
// What a person gets whose keys are typed into real shells in a terminal (tmux): completion with a daemon that knows the names, and
// the screen of `status --watch`; and the manual pages, judged by mandoc and groff.
import assert from "node:assert/strict";
import { chmodSync, mkdirSync, mkdtempSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { run, tryRun } from "./support/commands.ts";
import { isRunning, placeIn, startDaemon } from "./support/daemon.ts";
import { type Director, PROGRAM, ROOT } from "./support/director.ts";
import { Topology } from "./support/topology.ts";
import { waitFor } from "./support/wait.ts";

const YAML = `node: lb1
vrrp:
  instances:
    web4: { interface: eth0, vrid: 51, addresses: [192.0.2.100/32] }
    web6: { interface: eth0, vrid: 52, addresses: [192.0.2.101/32] }
`;

const SHELLS: Readonly<Record<string, { readonly argv: readonly string[]; readonly load: string }>> = {
  bash: {
    argv: ["bash", "--norc", "-i"],
    load: "source <(holdfast completion bash); bind 'set show-all-if-ambiguous on'",
  },
  zsh: {
    argv: ["zsh", "-f", "-i"],
    // As a package installs it: a file in a folder where zsh looks.
    load: 'holdfast completion zsh > "$BIN/_holdfast"; fpath=("$BIN" $fpath); autoload -U compinit; compinit -u -D',
  },
  fish: { argv: ["fish", "--no-config", "-i"], load: "holdfast completion fish | source" },
};

describe("completion in real shells", () => {
  let topology: Topology;
  let director: Director;
  let bin = "";
  let runDir = "";
  let tmux: readonly string[] = [];

  before(async () => {
    topology = new Topology({ directors: 1 });
    bin = join(topology.dir, "bin");
    mkdirSync(join(bin, "home"), { recursive: true });
    mkdirSync(join(bin, "configs"));
    writeFileSync(join(bin, "configs/new one.yaml"), YAML);
    const home = join(topology.dir, "home");
    runDir = placeIn(home).runDir;
    director = startDaemon(topology.lb(1), home, { yaml: YAML });
    await isRunning(director);
    // What `holdfast` on the PATH is; the daemon of this scenario is behind its run directory.
    const wrapper = join(bin, "holdfast");
    writeFileSync(wrapper, `#!/bin/sh\nexec ${process.execPath} ${PROGRAM} "$@"\n`);
    chmodSync(wrapper, 0o755);
    const other = join(bin, "other/holdfast");
    mkdirSync(join(bin, "other"));
    writeFileSync(other, "#!/bin/sh\nprintf 'none\\n10.0.0.11:80\\n'\n");
    chmodSync(other, 0o755);
    tmux = ["tmux", "-S", join(topology.dir, "tmux"), "-f", "/dev/null"];
  });
  after(async () => {
    if (tmux.length > 0) tryRun([...tmux, "kill-server"]);
    await director?.stop();
    topology?.close();
  });

  for (const [name, { argv, load }] of Object.entries(SHELLS)) {
    describe(name, () => {
      const screen = (): string => run([...tmux, "capture-pane", "-p", "-t", name]);
      const type = (...keys: readonly string[]): string => run([...tmux, "send-keys", "-t", name, ...keys]);
      const shows = (what: RegExp) =>
        waitFor(`${name} shows ${what}`, screen, (seen) => what.test(seen), { withinMs: 20_000, show: (seen) => seen });
      /** Types a line up to where Tab is pressed, on a fresh screen. */
      async function completes(typed: string, ...shown: readonly RegExp[]): Promise<void> {
        // Not C-c: the terminal would throw away what is typed behind it.
        type("C-u", "C-l");
        await waitFor("a fresh line", screen, (seen) => seen.trim() === "READY>", {
          withinMs: 10_000,
          show: (seen) => seen,
        });
        type("-l", typed);
        type("Tab");
        for (const each of shown) await shows(each);
      }

      before(async () => {
        const environment = Object.entries({
          PATH: `${bin}:${process.env.PATH}`,
          HOME: join(bin, "home"),
          BIN: bin,
          PS1: "READY> ",
          TERM: "screen",
        }).map(([key, value]) => `${key}=${value}`);
        const session = ["new-session", "-d", "-s", name, "-x", "120", "-y", "40", "-c", join(bin, "configs")];
        run([...tmux, ...session, "env", "-u", "ZDOTDIR", ...environment, ...argv]);
        if (name === "fish") type("function fish_prompt; echo -n 'READY> '; end", "Enter");
        await shows(/^READY>/m);
        type(load, "Enter");
        type("echo loa''ded", "Enter");
        await shows(/^loaded$/m);
      });
      after(() => run([...tmux, "kill-session", "-t", name]));

      it("completes a command", () => completes("holdfast hand", /holdfast handover$/m));
      it("lists commands", () => completes("holdfast ", /\bcheck\b/, /\bhandover\b/));
      it("completes an option", () => completes("holdfast check --expl", /holdfast check --explain$/m));
      it("lists the names of a running daemon", async () =>
        completes(`holdfast --run-dir ${runDir} handover web`, /\bweb4\b/, /\bweb6\b/));
      it("completes a file, with its space quoted", () =>
        completes("holdfast check ne", /holdfast check (new\\ one\.yaml|'new one\.yaml')/));
      it("has its terminal back while `status --watch` is stopped by Ctrl-Z, and loses it again with fg", async () => {
        const modes = ["display-message", "-p", "-t", name, "#{alternate_on} #{cursor_flag} #{wrap_flag}"];
        /** Another screen or not, the cursor, and whether long lines are broken, as the terminal has it. */
        const comesTo = (wanted: string) =>
          waitFor(
            `modes ${wanted}`,
            () => run([...tmux, ...modes]).trim(),
            (seen) => seen === wanted,
            { withinMs: 20_000, show: (seen) => `${seen}\n${screen()}` },
          );
        type("C-u", `holdfast --run-dir ${runDir} status --watch 200ms`, "Enter");
        for (const again of [true, false]) {
          await comesTo("1 0 0");
          await shows(/Ctrl-C ends\nlb1 /);
          type(again ? "C-z" : "C-c");
          await comesTo("0 1 1");
          await shows(/READY>\s*$/);
          if (!again) return;
          type("fg", "Enter");
        }
      });
      it("completes an address with its port, from before the colon and from behind it", async () => {
        // Another program by this name, which knows one server: this kernel need not have IPVS.
        const other = name === "fish" ? "set PATH $BIN/other $PATH" : 'PATH="$BIN/other:$PATH"; hash -r';
        // The test before leaves its line unfinished.
        type("C-u", other, "Enter");
        await completes("holdfast drain web 10.0.0.1", /drain web 10\.0\.0\.11:80$/m);
        await completes("holdfast drain web 10.0.0.11:8", /drain web 10\.0\.0\.11:80$/m);
      });
    });
  }
});

describe("manual pages", () => {
  const folder = mkdtempSync(join(tmpdir(), "holdfast-manual-"));
  before(() => void run([process.execPath, join(ROOT, "scripts/docs.mjs"), folder]));
  after(() => rmSync(folder, { recursive: true }));

  for (const page of ["holdfast.1", "holdfast.yaml.5"]) {
    const path = join(folder, "man", page);

    it(`${page} is well-formed to mandoc`, () => {
      const { status, stdout, stderr } = tryRun(["mandoc", "-T", "lint", path]);
      assert.equal(`${stdout}${stderr}`, "");
      assert.equal(status, 0);
    });

    it(`${page} reads as text`, () => {
      const text = run(["mandoc", "-T", "utf8", path]).replace(/.\u0008/g, "");
      assert.match(text, /holdfast/);
      assert.doesNotMatch(text, /\\[f(e[]/);
    });
  }
});

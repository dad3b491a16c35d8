import assert from "node:assert/strict";
import { existsSync, readFileSync } from "node:fs";
import { dirname, join } from "node:path";
import type { Command } from "commander";
import { describeProgram, type Handlers, runProgram } from "../src/cli/program.ts";
import { load } from "./config/support.ts";
import {
  commandsOfPart,
  ELSEWHERE,
  inPassing,
  isShown,
  leftOut,
  NOT_RUN,
  namedCommands,
  PARTS,
  partOf,
  reasonNotToRun,
  SHOWN,
} from "./support/document-parts.ts";
import { blocksOf, commandsOf, firstMissing, linksOf, pages, ROOT, textOf, wholeConfig } from "./support/documents.ts";

const scripts = Object.keys(
  (JSON.parse(readFileSync(join(ROOT, "package.json"), "utf8")) as { scripts: object }).scripts,
);

const LAB = join(ROOT, "test/lab");

/** What an instance and a service cannot do without, by key. */
const INSTANCE = {
  interface: "eth0",
  vrid: "51",
  transport: "unicast",
  peers: "[192.0.2.3]",
  addresses: "[192.0.2.10/24]",
};
const WEB = { listen: "192.0.2.10:80", servers: "[10.0.0.11:80]" };

/** A map in braces of these keys, with a line of the page in the place of its own. */
function withLine(keys: Readonly<Record<string, string>>, line: string): string {
  const others = Object.entries(keys).filter(([key]) => !line.startsWith(`${key}:`));
  return `{ ${[line, ...others.map((pair) => pair.join(": "))].filter(Boolean).join(", ")} }`;
}

/** Languages of blocks that are no commands and no configuration of ours; without one, it is a drawing. */
const OTHER_LANGUAGES = ["", "sh", "json", "text"];

describe("documents", () => {
  for (const page of pages()) {
    const text = textOf(page);
    const blocks = blocksOf(text);

    it(`${page}: every link leads somewhere`, () => {
      for (const { target, anchor } of linksOf(text)) {
        const path = target === "" ? page : join(dirname(page), target);
        assert.ok(existsSync(join(ROOT, path)), `${page} links to ${target}`);
        if (anchor !== "") assert.ok(anchorsOf(textOf(path)).includes(anchor), `${page} links to ${target}#${anchor}`);
      }
    });

    it(`${page}: every block says what it is`, () => {
      for (const { language } of blocks)
        assert.ok([...OTHER_LANGUAGES, "yaml", "console"].includes(language), `a block of ${language}`);
    });

    it(`${page}: commands named in passing are taken as they stand`, async () => {
      for (const [, command = ""] of text.replace(/^```.*?^```/gms, "").matchAll(/`(holdfast [a-z][^`]*)`/g)) {
        const [words = []] = ownCommands(command);
        if (!isName(words)) assert.deepEqual(await accepted(words), { exitCode: 0, said: "" }, `${page}: ${command}`);
      }
      for (const [, name = ""] of text.matchAll(/`[^`]*npm run ([\w:]+)[^`]*`/g))
        assert.ok(scripts.includes(name), `${page} names npm run ${name}`);
    });

    blocks
      .filter(({ language }) => language === "yaml")
      .forEach((block, index) => {
        it(`${page}: configuration ${index + 1} is valid`, () => {
          const loaded = load(wholeConfig(block.text));
          assert.ok(loaded.ok, loaded.ok ? "" : `${loaded.error[0]?.message}\n${wholeConfig(block.text)}`);
        });
      });

    const commands = blocks.filter(({ language }) => language === "console").flatMap(({ text }) => commandsOf(text));
    if (commands.length === 0) continue;

    it(`${page}: every command exists`, async () => {
      for (const { command } of commands) {
        const npm = /^(?:[A-Z_]+=\S+ )?npm run (\S+)/.exec(command);
        if (npm !== null) assert.ok(scripts.includes(npm[1] ?? ""), `${page} names npm run ${npm[1]}`);
        for (const own of ownCommands(command))
          assert.deepEqual(await accepted(own), { exitCode: 0, said: "" }, `${page}: ${command}`);
      }
    });
  }

  it("README.md measures nothing that docs/benchmarks.md has not", () => {
    const [, section = ""] = /^## Measured\n(.*?)^## /ms.exec(textOf("README.md")) ?? [];
    const figures = [...section.matchAll(/^\|.*?\| (.*) \|$/gm)].flatMap(
      ([, cells = ""]) => cells.match(/\d[\d,.]*/g) ?? [],
    );
    assert.ok(figures.length > 6);
    const recorded = new Set(textOf("docs/benchmarks.md").match(/\d[\d,.]*\d|\d/g));
    for (const figure of figures) assert.ok(recorded.has(figure), `${figure} is not in docs/benchmarks.md`);
  });

  it("docs/architecture.md names what is not in this version as `check` refuses it", () => {
    const [, section = ""] = /^## Not in this version\n(.*)/ms.exec(textOf("docs/architecture.md")) ?? [];
    const rows = [...section.matchAll(/^\| `(.+?)`[^|]* \| (.+?) \| .+ \|$/gm)];
    assert.ok(rows.length > 6);
    for (const [, line = "", says = ""] of rows) {
      const isOfInstance = (line.split(":")[0] ?? "") in INSTANCE;
      const instance = withLine(INSTANCE, isOfInstance ? line : "");
      const service = withLine(WEB, isOfInstance ? "" : line);
      const loaded = load(`vrrp: { instances: { web4: ${instance} } }\nservices: { web: ${service} }\n`);
      assert.ok(!loaded.ok, `${line} is accepted`);
      const errors = loaded.error.filter(({ severity }) => severity === "error");
      assert.deepEqual(
        errors.map(({ message }) => message),
        [says],
        line,
      );
    }
  });

  it("every command is typed by a scenario, or there is a reason why not", () => {
    const parts = PARTS.map((part) => ({ ...part, commands: commandsOfPart(part) }));
    for (const page of pages()) {
      const typed = parts.filter((part) => part.page === page).flatMap(({ commands }) => commands);
      const blocks = blocksOf(textOf(page)).filter(({ language }) => language === "console");
      for (const { heading, text } of blocks)
        for (const { command } of commandsOf(text))
          assert.ok(
            typed.includes(command) || reasonNotToRun(command) !== undefined,
            `${page}, ${heading}: nobody types ${command}; test/support/document-parts.ts says who does`,
          );
    }
  });

  it("every scenario takes from a page what is said to be its part", () => {
    for (const part of PARTS) {
      assert.ok(commandsOfPart(part).length > 0, `${part.page} has nothing for ${part.scenario}`);
      const headings = blocksOf(textOf(part.page)).map(({ heading }) => heading);
      for (const heading of part.headings ?? [])
        assert.ok(headings.includes(heading), `${part.page} has no commands under ${heading}`);
      const scenario = readFileSync(join(LAB, `${part.scenario}.lab.ts`), "utf8");
      assert.ok(scenario.includes(`"${part.page}"`), `${part.scenario}.lab.ts does not carry out ${part.page}`);
    }
  });

  it("everything that a page shows is compared by a test", () => {
    for (const page of pages())
      for (const { heading } of blocksOf(textOf(page)).filter(isShown)) {
        const shown = SHOWN.filter((each) => each.page === page && each.heading.test(heading));
        assert.equal(shown.length, 1, `${page}, ${heading}: who compares it? test/support/document-parts.ts says so`);
      }
    for (const { page, heading, test } of SHOWN) {
      const text = readFileSync(join(ROOT, test), "utf8");
      assert.ok(text.includes(page.replace(/^.*\//, "")), `${test} does not read ${page}`);
      assert.ok(blocksOf(textOf(page)).some((block) => isShown(block) && heading.test(block.heading)));
    }
  });

  it("every command that a page names in a sentence is run somewhere", () => {
    const named = namedCommands();
    assert.ok(named.length > 40);
    for (const { pattern, test, words } of ELSEWHERE) {
      assert.ok(
        named.some((command) => pattern.test(command)),
        `no page names a command like ${pattern}: take it off the list`,
      );
      assert.ok(readFileSync(join(ROOT, test), "utf8").includes(words), `${test} does not say ${words}`);
    }
    assert.ok(inPassing().includes("holdfast events --since 1h"));
    assert.match(readFileSync(join(LAB, "documents.lab.ts"), "utf8"), /inPassing\(\)/);
  });

  it("what a scenario left out is known by page and heading", () => {
    const carried = PARTS.filter(({ scenario }) => scenario === "documents").flatMap(({ page, scenario }) =>
      partOf(page, scenario).map(({ text }) => text),
    );
    assert.deepEqual(leftOut("documents", carried), []);
    const handover = "# holdfast handover web4\nweb4:";
    const others = carried.filter((text) => !text.startsWith(handover));
    assert.deepEqual(leftOut("documents", others), ["docs/vrrp.md, Handover"]);
  });

  it("what is not run is in the documents, and has a reason", () => {
    const all = pages().flatMap((page) =>
      blocksOf(textOf(page))
        .filter(({ language }) => language === "console")
        .flatMap(({ text }) => commandsOf(text).map(({ command }) => command)),
    );
    for (const { pattern, reason } of NOT_RUN) {
      assert.ok(reason !== "");
      assert.ok(
        all.some((command) => pattern.test(command)),
        `no command is like ${pattern}: take it off the list`,
      );
    }
    assert.equal(reasonNotToRun("holdfast status"), undefined);
  });
});

describe("reading documents", () => {
  it("finds prompts, continued lines, comments and what is shown", () => {
    const block = "lb1,lb2# holdfast check   # both\nall well\nclient$ curl \\\n    -s x\n# ls\n";
    assert.deepEqual(commandsOf(block), [
      { hosts: ["lb1", "lb2"], isRoot: true, command: "holdfast check", output: ["all well"] },
      { hosts: ["client"], isRoot: false, command: "curl -s x", output: [] },
      { hosts: [], isRoot: true, command: "ls", output: [] },
    ]);
  });

  it("compares what is shown with what is printed", () => {
    const printed = "web4  master for 3s\n  a  b\nlast\n";
    assert.equal(firstMissing(["web4  master for 12m", "  a  b"], printed), null);
    assert.equal(firstMissing(["…", "last"], printed), null);
    assert.equal(firstMissing(["web4  …"], printed), null);
    assert.equal(firstMissing(["web4  master for 3s", "last"], printed), "last");
    assert.equal(firstMissing(["out at 14:40"], "out at 09:15\n"), null);
    assert.equal(firstMissing(["10.0.0.21:80 up"], "10.0.0.11:80 up\n"), "10.0.0.21:80 up");
    assert.equal(firstMissing(["web4  backup for 3s"], printed), "web4  backup for 3s");
  });
});

/** As code hosts make them of headings. */
function anchorsOf(markdown: string): readonly string[] {
  return [...markdown.matchAll(/^#+ (.*)$/gm)].map(([, heading = ""]) =>
    heading
      .toLowerCase()
      .replace(/[^\p{L}\p{N}\s_-]/gu, "")
      .replace(/\s/g, "-"),
  );
}

/** The command lines of ours inside a shell's: `holdfast a && holdfast b | less`, without quotes around words. */
function ownCommands(command: string): readonly (readonly string[])[] {
  const words = command.match(/"[^"]*"|'[^']*'|&&|\|\||[|;<>()]+|[^\s|;<>()]+/g) ?? [];
  const found: string[][] = [];
  let current: string[] | null = null;
  let isFirst = true;
  for (const word of words) {
    const isBetween = /^(&&|\|\||[|;<>()]+)$/.test(word);
    if (isBetween) current = null;
    else if (current !== null) current.push(word.replace(/^(["'])(.*)\1$/, "$2"));
    else if (isFirst && word === "holdfast") {
      current = [];
      found.push(current);
    }
    isFirst = isBetween;
  }
  return found;
}

/** Whether it is the bare name of a command: `holdfast weight`, `holdfast drill run`. What it takes stands elsewhere. */
function isName(words: readonly string[]): boolean {
  let command: Command | undefined = describeProgram("");
  for (const word of words) command = command?.commands.find((each) => each.name() === word);
  return command !== undefined;
}

/** Whether the command line is taken as it stands, without doing anything. */
async function accepted(argv: readonly string[]) {
  const said: string[] = [];
  // `--version` prints its answer; a complaint goes to stderr.
  const out = { write: () => {}, isTerminal: false };
  const err = { write: (text: string) => void said.push(text), isTerminal: false };
  // Whatever the command is called, it is fine: the program's own parser has the say.
  const handlers = new Proxy({} as Handlers, { get: () => async () => 0 });
  const exitCode = await runProgram(argv, "0", handlers, { out, err, env: {} });
  return { exitCode, said: said.join("") };
}

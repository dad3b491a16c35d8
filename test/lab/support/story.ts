import assert from "node:assert/strict";
import { chmodSync, existsSync, mkdirSync, rmdirSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { setTimeout as sleep } from "node:timers/promises";
import {
  type Block,
  blocksOf,
  commandsOf,
  firstMissing,
  reasonNotToRun,
  type ShownCommand,
} from "../../support/documents.ts";
import type { Outcome, Running } from "./commands.ts";
import { PROGRAM } from "./director.ts";
import type { Host } from "./hosts.ts";
import type { Topology } from "./topology.ts";
import { waitFor } from "./wait.ts";

/** Where each machine has files of its own; everything else is shared between the hosts of a topology. */
const OWN_FOLDERS = ["/etc/holdfast", "/run/holdfast", "/var/lib/holdfast"];
const FILE = "/etc/holdfast/holdfast.yaml";

/** Commands that only look: asked again until they show what the page shows, because what they show takes its time. */
const LOOKING = /^(holdfast (status|plan|events|doctor)|ipvsadm|ip |curl|sleep)/;
const LOOK_MS = 120_000;

/** Ends that are answers: `plan` found changes, `status` something degraded, `doctor` something to say. */
const ANSWERS: readonly { readonly pattern: RegExp; readonly codes: readonly number[] }[] = [
  { pattern: /^holdfast plan/, codes: [0, 2] },
  { pattern: /^holdfast status/, codes: [0, 3] },
  { pattern: /^holdfast (import|doctor)/, codes: [0, 1] },
];

/**
 * Machines on which a page of the documents is carried out: what it says to type is typed, files are where it says, and what it shows
 * must be printed. `systemctl` and `journalctl` are played, since network namespaces have no service manager; the rest is real.
 */
export class Story {
  readonly #topology: Topology;
  readonly #bin: string;
  /** Folders that were made for mounting upon. */
  readonly #made: string[] = [];
  readonly #daemons = new Map<string, Running>();
  /** Every command with what it printed, for the message of a failure. Bounded by the page. */
  readonly #told: string[] = [];

  constructor(topology: Topology) {
    this.#topology = topology;
    this.#bin = join(topology.dir, "bin");
    mkdirSync(this.#bin);
    const wrapper = join(this.#bin, "holdfast");
    writeFileSync(wrapper, `#!/bin/sh\nexec '${process.execPath}' '${PROGRAM}' "$@"\n`);
    chmodSync(wrapper, 0o755);
    for (const folder of OWN_FOLDERS) {
      if (existsSync(folder)) continue;
      mkdirSync(folder, { recursive: true });
      this.#made.push(folder);
    }
  }

  /**
   * Carries out a page from top to bottom.
   * @param takes which blocks; all unless said
   * @param host where a command is typed whose prompt names no host
   */
  async carryOut(
    markdown: string,
    { takes = () => true, host = "lb1" }: { takes?: (heading: string, text: string) => boolean; host?: string } = {},
  ): Promise<void> {
    for (const block of blocksOf(markdown)) if (takes(block.heading, block.text)) await this.carryOutBlock(block, host);
  }

  async carryOutBlock({ language, words, text }: Block, host = "lb1"): Promise<void> {
    if (language === "yaml") for (const name of words) this.writeConfig(name, text);
    if (language !== "console") return;
    for (const command of commandsOf(text))
      await this.type(command.hosts.length > 0 ? command : { ...command, hosts: [host] });
  }

  writeConfig(host: string, yaml: string): void {
    writeFileSync(join(this.#home(host), "etc/holdfast", "holdfast.yaml"), yaml);
  }

  /** Types a command on each of its hosts at the same time, and compares what is printed. */
  async type({ hosts, command, output }: Pick<ShownCommand, "hosts" | "command" | "output">): Promise<void> {
    if (reasonNotToRun(command) !== undefined) return;
    await Promise.all(hosts.map((name) => this.#typeOn(name, command, output)));
  }

  async #typeOn(name: string, command: string, output: readonly string[]): Promise<void> {
    const started = performance.now();
    for (;;) {
      const outcome = await this.#do(name, command);
      const complaint = complaintAbout(command, output, outcome);
      if (complaint === null) return;
      const isLate = performance.now() - started > LOOK_MS;
      assert.ok(
        LOOKING.test(command) && !isLate,
        `${name}: ${command}\n${complaint}\nIt printed:\n${outcome.stdout}${outcome.stderr}\n${this.#lastWords(name)}`,
      );
      await sleep(500);
    }
  }

  /** Sees to it that a director is master: the other one hands over where it is not. */
  async lead(name: string, instance: string): Promise<void> {
    for (const other of this.#topology.directors.filter((host) => host.name !== name)) {
      if (other.holds(this.#topology.plan.vip))
        await this.type({ hosts: [other.name], command: `holdfast handover ${instance}`, output: [] });
    }
  }

  async close(): Promise<void> {
    for (const daemon of this.#daemons.values()) if (!daemon.hasEnded) await daemon.stop("SIGTERM", 30_000);
    for (const folder of this.#made.reverse()) rmdirSync(folder);
  }

  #lastWords(name: string): string {
    const lines = this.#daemons.get(name)?.lines.slice(-15) ?? [];
    return [...this.#told.slice(-6), `-- the daemon on ${name} said last:`, ...lines].join("\n");
  }

  async #do(name: string, command: string): Promise<Outcome> {
    const played = await this.#play(name, command);
    const outcome = played ?? (await this.#host(name).execAsync(this.#argv(name, command)));
    this.#told.push(`-- ${name}: ${command} (${outcome.status})`);
    return outcome;
  }

  /** What the service manager would do. */
  async #play(name: string, command: string): Promise<Outcome | null> {
    const verb =
      /^systemctl (?:enable --now|start|stop|restart|reload) holdfast$/.exec(command) === null ? null : command;
    if (command.startsWith("journalctl ")) return done(`${this.#daemons.get(name)?.lines.join("\n")}\n`);
    if (verb === null) return null;
    if (verb.includes("reload")) return this.#host(name).execAsync(this.#argv(name, "holdfast reload"));
    if (/ (stop|restart) /.test(verb)) await this.#daemons.get(name)?.stop("SIGTERM", 30_000);
    const isRunning = this.#daemons.get(name)?.hasEnded === false;
    if (!/ stop /.test(verb) && !isRunning) await this.#startDaemon(name);
    return done("");
  }

  async #startDaemon(name: string): Promise<void> {
    const daemon = this.#host(name).start(this.#argv(name, `exec holdfast run ${FILE}`), {
      name: `holdfast on ${name}`,
    });
    this.#daemons.set(name, daemon);
    const socket = join(this.#home(name), "run/holdfast/control.sock");
    await waitFor(
      `holdfast on ${name} answers`,
      () => existsSync(socket) || daemon.hasEnded,
      (isThere) => isThere,
      { withinMs: 60_000, show: () => daemon.lines.slice(-20).join("\n") },
    );
    assert.ok(!daemon.hasEnded, `holdfast on ${name} ended:\n${daemon.lines.slice(-20).join("\n")}`);
  }

  /** A shell of the machine: with its own name and files, and with holdfast on the PATH. */
  #argv(name: string, command: string): string[] {
    const mounts = OWN_FOLDERS.map((folder) => `mount --bind '${join(this.#home(name), folder)}' ${folder}`);
    const enter = `${mounts.join(" && ")} && hostname ${name} && export PATH='${this.#bin}':"$PATH" && cd /root && exec bash -c "$1"`;
    return ["unshare", "--mount", "--uts", "sh", "-c", enter, "sh", command];
  }

  #home(name: string): string {
    const home = join(this.#topology.dir, name, "own");
    for (const folder of OWN_FOLDERS) mkdirSync(join(home, folder), { recursive: true });
    return home;
  }

  #host(name: string): Host {
    const { client, directors, servers } = this.#topology;
    const host = [client, ...directors, ...servers.map((server) => server.host)].find((one) => one.name === name);
    assert.ok(host !== undefined, `the page names a host ${name}, which the topology does not have`);
    return host;
  }
}

function complaintAbout(command: string, shown: readonly string[], outcome: Outcome): string | null {
  const codes = ANSWERS.find(({ pattern }) => pattern.test(command))?.codes ?? [0];
  if (!codes.includes(outcome.status)) return `ended with ${outcome.status}`;
  const missing = firstMissing(shown, outcome.stdout + outcome.stderr);
  return missing === null ? null : `did not print: ${missing}`;
}

function done(stdout: string): Outcome {
  return { status: 0, stdout, stderr: "" };
}

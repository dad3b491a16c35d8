import assert from "node:assert/strict";
import { chmodSync, existsSync, mkdirSync, readFileSync, writeFileSync } from "node:fs";
import { dirname, join } from "node:path";
import { setTimeout as sleep } from "node:timers/promises";
import { reasonNotToRun } from "../../support/document-parts.ts";
import { type Block, commandsOf, type ShownCommand } from "../../support/documents.ts";
import type { Outcome, Running } from "./commands.ts";
import { PROGRAM } from "./director.ts";
import type { Host } from "./hosts.ts";
import { OwnFolders } from "./own-folders.ts";
import type { Topology } from "./topology.ts";
import { complaintAbout, describeTyped, LOOKING, type Typed, typedFrom } from "./typing.ts";
import { waitFor } from "./wait.ts";

const FILE = "/etc/holdfast/holdfast.yaml";

const LOOK_MS = 120_000;

export interface StoryOptions {
  /** Names by which pages call a host of the topology. */
  readonly aliases?: Readonly<Record<string, string>>;
  /** Folders whose programs everybody finds first. */
  readonly path?: readonly string[];
  /** Commands that are not this story's to type. */
  readonly leaves?: RegExp;
}

/**
 * Machines on which a page of the documents is carried out: what it says to type is typed, files are where it says, and what it shows
 * must be printed. `systemctl` and `journalctl` are played, since network namespaces have no service manager; the rest is real.
 */
export class Story {
  readonly #topology: Topology;
  readonly #aliases: Readonly<Record<string, string>>;
  /** Folders in front of everybody's PATH. */
  readonly #path: readonly string[];
  readonly #leaves: RegExp | undefined;
  readonly #folders = new OwnFolders();
  readonly #daemons = new Map<string, Running>();
  /** Beside those of the topology. Bounded by what a scenario adds. */
  readonly #joined: Host[] = [];
  /** Every command that did what its page says, in order. Bounded by the pages. */
  readonly typed: Typed[] = [];
  /** The texts of the blocks that were carried out. */
  readonly carried: string[] = [];

  constructor(topology: Topology, { aliases = {}, path = [], leaves }: StoryOptions = {}) {
    this.#topology = topology;
    this.#aliases = aliases;
    this.#leaves = leaves;
    const bin = join(topology.dir, "bin");
    this.#path = [...path, bin];
    mkdirSync(bin);
    const wrapper = join(bin, "holdfast");
    writeFileSync(wrapper, `#!/bin/sh\nexec '${process.execPath}' '${PROGRAM}' "$@"\n`);
    chmodSync(wrapper, 0o755);
  }

  /**
   * Carries out blocks of a page, from top to bottom.
   * @param host where a command is typed whose prompt names no host
   */
  async carryOut(blocks: readonly Block[], host = "lb1"): Promise<void> {
    for (const { language, words, text } of blocks) {
      if (language === "yaml") for (const name of words) this.writeConfig(name, text);
      if (language !== "console") continue;
      for (const command of commandsOf(text))
        await this.type(command.hosts.length > 0 ? command : { ...command, hosts: [host] });
      this.carried.push(text);
    }
  }

  /** A host that is not of the topology, and that a page names. */
  join(host: Host): void {
    this.#joined.push(host);
  }

  /** @param path below one of the folders that each host has for itself */
  write(host: string, path: string, text: string, mode = 0o644): void {
    const file = join(this.#home(host), path);
    mkdirSync(dirname(file), { recursive: true });
    writeFileSync(file, text, { mode });
  }

  writeConfig(host: string, yaml: string): void {
    this.write(host, FILE, yaml);
  }

  readConfig(host: string): string {
    return readFileSync(join(this.#home(host), FILE), "utf8");
  }

  /** Types a command on each of its hosts at the same time, and compares what is printed. */
  async type({ hosts, command, output }: Pick<ShownCommand, "hosts" | "command" | "output">): Promise<void> {
    if (reasonNotToRun(command) !== undefined || this.#leaves?.test(command) === true) return;
    await Promise.all(hosts.map((name) => this.#typeOn(name, command, output)));
  }

  async #typeOn(name: string, command: string, output: readonly string[]): Promise<void> {
    const started = performance.now();
    for (;;) {
      const outcome = await this.#do(name, command);
      const complaint = complaintAbout(command, output, outcome);
      if (complaint === null) {
        this.typed.push(typedFrom(name, command, outcome, started));
        return;
      }
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
    this.#folders.remove();
  }

  #lastWords(name: string): string {
    const lines = this.#daemons.get(name)?.lines.slice(-15) ?? [];
    const before = this.typed.slice(-6).map((each) => `-- ${describeTyped(each)}`);
    return [...before, `-- the daemon on ${name} said last:`, ...lines].join("\n");
  }

  async #do(name: string, command: string): Promise<Outcome> {
    const played = await this.#play(name, command);
    return played ?? this.#host(name).execAsync(this.#argv(name, command));
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
    const enter = `${this.#folders.mounts(this.#home(name))} && hostname ${name} && export PATH='${this.#path.join(":")}':"$PATH" && cd /root && exec bash -c "$1"`;
    return ["unshare", "--mount", "--uts", "sh", "-c", enter, "sh", command];
  }

  #home(name: string): string {
    const home = join(this.#topology.dir, name, "own");
    this.#folders.makeIn(home);
    return home;
  }

  #host(name: string): Host {
    const { client, directors, servers } = this.#topology;
    const wanted = this.#aliases[name] ?? name;
    const all = [client, ...directors, ...servers.map((server) => server.host), ...this.#joined];
    const host = all.find((one) => one.name === wanted);
    assert.ok(host !== undefined, `the page names a host ${name}, which is not there`);
    return host;
  }
}

function done(stdout: string): Outcome {
  return { status: 0, stdout, stderr: "" };
}

import assert from "node:assert/strict";
import { join } from "node:path";
import { setTimeout as sleep } from "node:timers/promises";
import { reasonNotToRun } from "../../support/document-parts.ts";
import { type Block, commandsOf, type ShownCommand } from "../../support/documents.ts";
import type { Outcome } from "./commands.ts";
import { DebianRoot } from "./debian-root.ts";
import type { Machine } from "./machine.ts";
import { FILE, type MachinePair } from "./machine-pair.ts";
import { complaintAbout, describeTyped, LOOKING, type Typed, typedFrom } from "./typing.ts";

const LOOK_MS = 180_000;

/**
 * A page of the documents carried out as an operator would: every command is typed, nothing is played. The directors are real machines
 * with systemd; the real servers have a network and a Debian of their own, where packages are installed, on the kernel of this machine and without
 * a service manager; the client has this machine's programs.
 */
export class MachineStory {
  readonly #pair: MachinePair;
  /** Of the real servers, by name. */
  readonly #roots = new Map<string, DebianRoot>();
  /** Every command that did what its page says, in order. Bounded by the pages. */
  readonly typed: Typed[] = [];
  /** The texts of the blocks that were carried out. */
  readonly carried: string[] = [];

  constructor(pair: MachinePair) {
    this.#pair = pair;
  }

  /**
   * Carries out blocks of a page, from top to bottom.
   * @param name the machine where a command is typed whose prompt names none
   */
  async carryOut(blocks: readonly Block[], name = "lb1"): Promise<void> {
    for (const { language, words, text } of blocks) {
      if (language === "yaml") for (const word of words) await this.#machine(word)?.write(FILE, text);
      if (language !== "console") continue;
      for (const shown of commandsOf(text))
        await this.type(shown.hosts.length > 0 ? shown : { ...shown, hosts: [name] });
      this.carried.push(text);
    }
  }

  /** Types a command on each of its machines, one after the other, and compares what is printed. */
  async type({ hosts, command, output }: Pick<ShownCommand, "hosts" | "command" | "output">): Promise<void> {
    if (reasonNotToRun(command) !== undefined) return;
    for (const name of hosts) {
      const started = performance.now();
      for (;;) {
        const outcome = await this.#do(name, command);
        const complaint = complaintAbout(command, output, outcome);
        if (complaint === null) {
          this.typed.push(typedFrom(name, command, outcome, started));
          break;
        }
        assert.ok(
          LOOKING.test(command) && performance.now() - started < LOOK_MS,
          `${name}: ${command}\n${complaint}\nIt printed:\n${outcome.stdout}${outcome.stderr}\nbefore:\n${this.typed.map(describeTyped).join("\n")}`,
        );
        await sleep(500);
      }
    }
  }

  /** Puts a version of the package where the operator's shell is, on directors and real servers, as scp would. */
  async bringPackage(version: string): Promise<void> {
    const { path, inMachines } = this.#pair.bringPackage(version);
    await this.#pair.both((machine) => machine.run(`rm -f /root/holdfast_*.deb && cp '${inMachines}' /root/`));
    for (const { host } of this.#pair.topology.servers) this.#root(host.name).bring(path);
  }

  #machine(name: string): Machine | undefined {
    return this.#pair.machines.find((machine) => machine.name === name);
  }

  #do(name: string, command: string): Promise<Outcome> {
    const machine = this.#machine(name);
    if (machine !== undefined) return machine.try(command);
    const { client, servers } = this.#pair.topology;
    const server = servers.find(({ host }) => host.name === name);
    if (server !== undefined) return server.host.execAsync(this.#root(name).argv(command));
    assert.equal(name, client.name, `the page names a host ${name}, which nobody is`);
    return client.execAsync(["bash", "-c", command]);
  }

  /** Unpacked when it is needed first: not every page has something to type on a real server. */
  #root(name: string): DebianRoot {
    const root = this.#roots.get(name) ?? new DebianRoot(join(this.#pair.topology.dir, name, "root"));
    this.#roots.set(name, root);
    return root;
  }
}

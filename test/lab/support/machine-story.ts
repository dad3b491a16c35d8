import assert from "node:assert/strict";
import { mkdirSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { setTimeout as sleep } from "node:timers/promises";
import { reasonNotToRun } from "../../support/document-parts.ts";
import { type Block, commandsOf, type ShownCommand } from "../../support/documents.ts";
import type { Outcome } from "./commands.ts";
import { PROGRAM } from "./director.ts";
import type { Machine } from "./machine.ts";
import { FILE, type MachinePair } from "./machine-pair.ts";
import { OwnFolders } from "./own-folders.ts";
import { complaintAbout, describeTyped, LOOKING, type Typed, typedFrom } from "./typing.ts";

const LOOK_MS = 180_000;

/** A page of the documents carried out as an operator would: every command is typed on real machines with systemd, nothing is played. */
export class MachineStory {
  readonly #pair: MachinePair;
  readonly #folders = new OwnFolders();
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

  close(): void {
    this.#folders.remove();
  }

  #machine(name: string): Machine | undefined {
    return this.#pair.machines.find((machine) => machine.name === name);
  }

  #do(name: string, command: string): Promise<Outcome> {
    const machine = this.#machine(name);
    if (machine !== undefined) return machine.try(command);
    const { client, servers } = this.#pair.topology;
    const host = [client, ...servers.map((server) => server.host)].find((one) => one.name === name);
    assert.ok(host !== undefined, `the page names a host ${name}, which nobody is`);
    return host.execAsync(this.#shellOf(name, command));
  }

  /** Client and real servers are namespaces of this machine: each gets folders of its own, and this checkout's program. */
  #shellOf(name: string, command: string): string[] {
    const home = join(this.#pair.topology.dir, name, "own");
    const bin = join(home, "bin");
    mkdirSync(bin, { recursive: true });
    writeFileSync(join(bin, "holdfast"), `#!/bin/sh\nexec '${process.execPath}' '${PROGRAM}' "$@"\n`, { mode: 0o755 });
    const enter = `${this.#folders.mounts(home)} && export PATH='${bin}':"$PATH" && cd / && exec bash -c "$1"`;
    return ["unshare", "--mount", "sh", "-c", enter, "sh", command];
  }
}

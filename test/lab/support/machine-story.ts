import assert from "node:assert/strict";
import { mkdirSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { setTimeout as sleep } from "node:timers/promises";
import { blocksOf, commandsOf, firstMissing, type ShownCommand } from "../../support/documents.ts";
import type { Outcome } from "./commands.ts";
import { PROGRAM } from "./director.ts";
import type { Machine } from "./machine.ts";
import { FILE, type MachinePair } from "./machine-pair.ts";

/** Where a host has files of its own. */
const OWN_FOLDERS = ["/etc/holdfast", "/run/holdfast", "/var/lib/holdfast"];

/** Commands that only look: asked again until they show what the page shows, because what they show takes its time. */
const LOOKING = /^(holdfast (status|plan|events|doctor)|systemctl (status|is-active)|ipvsadm|ip |curl|sleep)/;
const LOOK_MS = 180_000;

/** Ends that are answers: `plan` found changes, `status` something degraded, `doctor` something to say. */
const ANSWERS: readonly { readonly pattern: RegExp; readonly codes: readonly number[] }[] = [
  { pattern: /^holdfast plan/, codes: [0, 2] },
  { pattern: /^holdfast status/, codes: [0, 3] },
  { pattern: /^systemctl status/, codes: [0, 3] },
];

/** A page of the documents carried out as an operator would: every command is typed on real machines with systemd, nothing is played. */
export class MachineStory {
  readonly #pair: MachinePair;
  /** Every command that was typed on a machine or host, with its exit status. Bounded by the page. */
  readonly typed: string[] = [];

  constructor(pair: MachinePair) {
    this.#pair = pair;
  }

  /**
   * Carries out a page from top to bottom.
   * @param skips commands that belong to the reader's own desk, such as making the package
   */
  async carryOut(markdown: string, skips: RegExp): Promise<void> {
    for (const { language, words, text } of blocksOf(markdown)) {
      if (language === "yaml") {
        for (const name of words) await this.#machine(name)?.write(FILE, text);
      }
      if (language !== "console") continue;
      for (const shown of commandsOf(text)) if (!skips.test(shown.command)) await this.type(shown);
    }
  }

  /** Types a command on each of its machines, lb1 where it names none, and compares what is printed. */
  async type({ hosts, command, output }: ShownCommand): Promise<void> {
    for (const name of hosts.length === 0 ? ["lb1"] : hosts) {
      const started = performance.now();
      for (;;) {
        const outcome = await this.#do(name, command);
        const complaint = complaintAbout(command, output, outcome);
        if (complaint === null) {
          this.typed.push(`${name}: ${command} (${outcome.status}, ${Math.round(performance.now() - started)} ms)`);
          break;
        }
        assert.ok(
          LOOKING.test(command) && performance.now() - started < LOOK_MS,
          `${name}: ${command}\n${complaint}\nIt printed:\n${outcome.stdout}${outcome.stderr}\nbefore:\n${this.typed.join("\n")}`,
        );
        await sleep(500);
      }
    }
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
    const mounts = OWN_FOLDERS.map((folder) => {
      mkdirSync(join(home, folder), { recursive: true });
      return `mkdir -p ${folder} && mount --bind '${join(home, folder)}' ${folder}`;
    });
    const enter = `${mounts.join(" && ")} && export PATH='${bin}':"$PATH" && cd / && exec bash -c "$1"`;
    return ["unshare", "--mount", "sh", "-c", enter, "sh", command];
  }
}

function complaintAbout(command: string, shown: readonly string[], outcome: Outcome): string | null {
  const codes = ANSWERS.find(({ pattern }) => pattern.test(command))?.codes ?? [0];
  if (!codes.includes(outcome.status)) return `ended with ${outcome.status}`;
  const missing = firstMissing(shown, outcome.stdout + outcome.stderr);
  return missing === null ? null : `did not print: ${missing}`;
}

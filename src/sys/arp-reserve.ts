import { appendFileSync, readFileSync, rmSync } from "node:fs";
import { join } from "node:path";
import { readSysctl, writeSysctl } from "./sysctl.ts";

/** In the run directory: the interfaces that are quiet because of a handover under way, one a line. */
const MEMORY = "arp-quiet";
/** A longer list is not ours. */
const MAX_REMEMBERED = 4_096;

function sysctlOf(interfaceName: string): readonly string[] {
  return ["net", "ipv4", "conf", interfaceName, "arp_ignore"];
}

function arpIgnoreOf(name: string): number {
  const value = readSysctl(sysctlOf(name));
  return value.ok ? Number(value.value) : 0;
}

/**
 * Makes interfaces answer ARP for the addresses that are on themselves only, and undoes it. What was set is remembered in the run
 * directory: a process that is killed in the middle of a handover leaves it to the next one, or to the sweep after a stop.
 */
export class ArpReserve {
  readonly #memory: string;
  /** How many users each interface has that was made quiet here; bounded by the instances. */
  readonly #users = new Map<string, number>();

  constructor(runDir: string) {
    this.#memory = join(runDir, MEMORY);
  }

  /**
   * Sets arp_ignore=1 on an interface unless it, or `all`, has it: it answers for the addresses that are on itself and no
   * longer for those on the loopback interface. The highest of both values counts (ip-sysctl, kernel documentation).
   * @returns how to undo it; null = it could not be set
   */
  keepQuiet(interfaceName: string): (() => void) | null {
    const isOurs = this.#users.has(interfaceName);
    if (!isOurs && Math.max(arpIgnoreOf("all"), arpIgnoreOf(interfaceName)) > 0) return () => undefined;
    if (!isOurs) {
      this.#remember(interfaceName);
      if (!writeSysctl(sysctlOf(interfaceName), "1").ok) return null;
    }
    this.#users.set(interfaceName, (this.#users.get(interfaceName) ?? 0) + 1);
    return () => this.#leave(interfaceName);
  }

  /** Undoes what an earlier run left. @returns the interfaces that answer as before */
  restore(): readonly string[] {
    let text: string;
    try {
      text = readFileSync(this.#memory, "utf8");
    } catch {
      return [];
    }
    const names = new Set(text.split("\n").slice(0, MAX_REMEMBERED));
    // Set to something else since: that is somebody's will.
    const restored = [...names].filter(
      (name) => name !== "" && arpIgnoreOf(name) === 1 && writeSysctl(sysctlOf(name), "0").ok,
    );
    this.#forget();
    return restored;
  }

  #leave(interfaceName: string): void {
    const left = (this.#users.get(interfaceName) ?? 1) - 1;
    if (left > 0) {
      this.#users.set(interfaceName, left);
      return;
    }
    this.#users.delete(interfaceName);
    // The interface may be gone by now; then there is nothing to restore.
    writeSysctl(sysctlOf(interfaceName), "0");
    if (this.#users.size === 0) this.#forget();
  }

  #remember(interfaceName: string): void {
    try {
      appendFileSync(this.#memory, `${interfaceName}\n`);
    } catch {
      // A handover is worth more than its memory.
    }
  }

  #forget(): void {
    try {
      rmSync(this.#memory, { force: true });
    } catch {
      // Restored again by the next run, if it is still 1 then.
    }
  }
}

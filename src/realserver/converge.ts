import type { DirectorError } from "../base/director-error.ts";
import { err, ok, type Result } from "../base/result.ts";
import type { RealServerHost } from "./host.ts";
import { isMet, type Need, needKey, needSubject, needsOf } from "./needs.ts";
import type { Undo } from "./record.ts";
import type { Wanted } from "./wanted.ts";

/** One thing that became different, or would. */
export interface HostChange {
  readonly subject: string;
  /** null = absent. */
  readonly from: string | null;
  readonly to: string | null;
}

/** A need that is not met now. */
export interface Unmet {
  readonly need: Need;
  readonly current: string | null;
}

/** Makes the machine what is wanted of it, and nothing else of what was ever wanted. */
export class Converger {
  readonly #host: RealServerHost;
  readonly #isDryRun: boolean;
  readonly #changes: HostChange[] = [];
  #wanted: readonly Wanted[];
  #undo: Undo[];

  private constructor(host: RealServerHost, isDryRun: boolean, wanted: readonly Wanted[], undo: readonly Undo[]) {
    this.#host = host;
    this.#isDryRun = isDryRun;
    this.#wanted = wanted;
    this.#undo = [...undo];
  }

  /**
   * What was there is remembered before it is changed, so that a run that was killed half-way can be finished by the next one,
   * in either direction. Nothing that is right already is touched or remembered.
   * @returns what was changed, in order; the first failure ends it
   */
  static run(
    host: RealServerHost,
    options: { readonly wanted: readonly Wanted[]; readonly isDryRun: boolean },
  ): Result<readonly HostChange[], DirectorError> {
    const record = host.load();
    if (!record.ok) return record;
    const converger = new Converger(host, options.isDryRun, options.wanted, record.value.undo);
    const done = converger.#converge();
    return done.ok ? ok(converger.#changes) : done;
  }

  #converge(): Result<void, DirectorError> {
    const interfaces = this.#host.interfaces();
    if (!interfaces.ok) return interfaces;
    const needs = needsOf(this.#wanted, interfaces.value);
    const keys = new Set(needs.map(needKey));
    const leaving = ({ need }: Undo) => !keys.has(needKey(need));
    const saved = this.#save();
    if (!saved.ok) return saved;
    // An address that leaves does so before what kept this machine quiet about it.
    const gone = this.#restoreAll((undo) => undo.need.type === "address" && leaving(undo));
    if (!gone.ok) return gone;
    for (const need of needs) {
      const made = this.#make(need);
      if (!made.ok) return made;
    }
    return this.#restoreAll(leaving);
  }

  #make(need: Need): Result<void, DirectorError> {
    const unmet = look(this.#host, need);
    if (!unmet.ok) return unmet;
    if (unmet.value === null) return ok(undefined);
    const { current: was } = unmet.value;
    this.#changes.push({ subject: needSubject(need), from: was, to: stateWanted(need) });
    if (this.#isDryRun) return ok(undefined);
    if (isUndone(need) && !this.#undo.some((undo) => needKey(undo.need) === needKey(need))) {
      this.#undo.push({ need, was });
      const saved = this.#save();
      if (!saved.ok) return saved;
    }
    return this.#host.make(need);
  }

  /** Last made, first undone. */
  #restoreAll(isChosen: (undo: Undo) => boolean): Result<void, DirectorError> {
    for (const undo of this.#undo.filter(isChosen).reverse()) {
      const restored = this.#restore(undo);
      if (!restored.ok) return restored;
      this.#undo = this.#undo.filter((each) => each !== undo);
      const saved = this.#save();
      if (!saved.ok) return saved;
    }
    return ok(undefined);
  }

  #restore({ need, was }: Undo): Result<void, DirectorError> {
    const now = this.#host.read(need);
    // A device that has gone took its settings along.
    if (!now.ok || now.value === was || now.value === null) return now.ok ? ok(undefined) : now;
    // Somebody else has set it since; it is theirs.
    if (need.type === "sysctl" && now.value !== need.wanted) return ok(undefined);
    if (need.type === "address" && now.value !== need.device) return ok(undefined);
    this.#changes.push({ subject: needSubject(need), from: stateShown(need, now.value), to: was });
    return this.#isDryRun ? ok(undefined) : this.#host.restore(need, was);
  }

  #save(): Result<void, DirectorError> {
    return this.#isDryRun ? ok(undefined) : this.#host.save({ wanted: this.#wanted, undo: this.#undo });
  }
}

/** Which needs are not met now, in their order. */
export function unmetNeeds(host: RealServerHost, wanted: readonly Wanted[]): Result<readonly Unmet[], DirectorError> {
  const interfaces = host.interfaces();
  if (!interfaces.ok) return interfaces;
  const unmet: Unmet[] = [];
  for (const need of needsOf(wanted, interfaces.value)) {
    const looked = look(host, need);
    if (!looked.ok) return looked;
    if (looked.value !== null) unmet.push(looked.value);
  }
  return ok(unmet);
}

function look(host: RealServerHost, need: Need): Result<Unmet | null, DirectorError> {
  const current = host.read(need);
  if (!current.ok) return current;
  let over: string | null = null;
  if (need.type === "sysctl" && need.over !== null) {
    const read = host.read({ ...need, name: need.over, over: null });
    if (!read.ok) return err(read.error);
    over = read.value;
  }
  return ok(isMet(need, current.value, over) ? null : { need, current: current.value });
}

/** Modules stay: others may use them by now, and a device of theirs that is down does nothing. */
function isUndone(need: Need): boolean {
  return need.type !== "module" && need.type !== "device";
}

function stateWanted(need: Need): string {
  switch (need.type) {
    case "sysctl":
      return need.wanted;
    case "up":
      return "up";
    case "fou":
      return "gue";
    case "address":
      return need.device;
    case "nft":
      return "present";
    case "device":
    case "module":
      return "loaded";
  }
}

/** A table is long: it is there, or it is not. */
function stateShown(need: Need, state: string): string {
  return need.type === "nft" ? "present" : state;
}

import type { Need } from "./needs.ts";
import type { Wanted } from "./wanted.ts";

/** How something was before this program changed it. */
export interface Undo {
  readonly need: Need;
  /** null = absent. */
  readonly was: string | null;
}

/** What this program was asked for and has changed, kept across its runs and forgotten when the machine starts anew. */
export interface RealServerRecord {
  readonly wanted: readonly Wanted[];
  /** In the order in which things were changed. */
  readonly undo: readonly Undo[];
}

export const EMPTY_RECORD: RealServerRecord = { wanted: [], undo: [] };

export const RECORD_VERSION = 1;

/** What is wrong with the content of a record's file; undefined = this program wrote it. */
export function recordProblem(value: unknown): string | undefined {
  if (!isMap(value) || value.version !== RECORD_VERSION) return `not version ${RECORD_VERSION} of this file`;
  if (typeof value.bootId !== "string") return "no bootId";
  const { wanted, undo } = value;
  if (
    !Array.isArray(wanted) ||
    !wanted.every((each) => isMap(each) && typeof each.address === "string" && Array.isArray(each.interfaces))
  )
    return "`wanted` is not a list of addresses";
  const isUndo = (each: unknown) =>
    isMap(each) &&
    isMap(each.need) &&
    typeof each.need.type === "string" &&
    (each.was === null || typeof each.was === "string");
  return Array.isArray(undo) && undo.every(isUndo) ? undefined : "`undo` is not a list of what was changed";
}

function isMap(value: unknown): value is Readonly<Record<string, unknown>> {
  return typeof value === "object" && value !== null;
}

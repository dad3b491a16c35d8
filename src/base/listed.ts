/** Names that a sentence has in full; of more it says how many. */
const MAX_NAMES = 5;

/** `server a`, `servers a, b`, `servers a, b, c, d, e and 15 more`. */
export function listed(what: string, names: readonly string[]): string {
  if (names.length === 1) return `${what} ${names[0]}`;
  const shown = names.length > MAX_NAMES + 1 ? names.slice(0, MAX_NAMES) : names;
  const rest = names.length - shown.length;
  const whats = what.endsWith("s") ? `${what}es` : `${what}s`;
  return `${whats} ${shown.join(", ")}${rest === 0 ? "" : ` and ${rest} more`}`;
}

/** So many lines that say the same of several are still read; of more, one says it of all. */
export const MANY_ALIKE = 10;

/** Puts together what has the same key, in the order of the first of each. */
export function groupedBy<Item>(items: readonly Item[], keyOf: (item: Item) => string): readonly (readonly Item[])[] {
  const groups = new Map<string, Item[]>();
  for (const item of items) {
    const key = keyOf(item);
    const group = groups.get(key);
    if (group === undefined) groups.set(key, [item]);
    else group.push(item);
  }
  return [...groups.values()];
}

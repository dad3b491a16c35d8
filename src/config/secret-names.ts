/** Parts of names whose values nobody may see: header fields, and keys of maps. */
const VALUES = [
  "authori[sz]ation",
  "cookie",
  "pass(?:word|phrase|wd)?(?![A-Za-z])",
  "secret",
  "token",
  "credential",
  "bearer",
  "api[-_]?key",
  "private[-_]?key",
  "(?<![A-Za-z])key(?![A-Za-z])",
].join("|");

/** Maps in which everything is secret. A service may be called so as well, which `hideSecrets` knows. */
const MAPS = "(?<![A-Za-z])auth(?:entication)?(?![A-Za-z])";

const NAME = new RegExp(`${VALUES}|${MAPS}`, "i");

/** A name, the rest of its word, a colon or an equals sign, and a value on the same line. */
const NAMED_VALUE = new RegExp(`((?:${VALUES}|${MAPS})[\\w-]*["']?\\s*[:=]\\s*)\\S`, "i");

/** A line that ends after the name: the value is on the deeper lines below. */
const NAMED_BLOCK = new RegExp(`(?:${VALUES})[\\w-]*["']?\\s*:\\s*[|>&\\[{]?\\S*\\s*$`, "i");

/** Whether the value of a key is a secret. */
export function isSecretName(name: string): boolean {
  return NAME.test(name);
}

/** The column from which a line may hold a secret; Infinity where it does not look so. For text that did not parse. */
export function secretColumn(line: string): number {
  const match = NAMED_VALUE.exec(line);
  return match === null ? Number.POSITIVE_INFINITY : match.index + (match[1] ?? "").length;
}

/** Whether a line announces a secret on the lines below it. */
export function announcesSecret(line: string): boolean {
  return NAMED_BLOCK.test(line);
}

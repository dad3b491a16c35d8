import type { FileAccess } from "./file-access.ts";

/** Files that all include patterns together may match, and names that one folder may be searched for. */
export const MAX_INCLUDED_FILES = 1000;

/** Most wildcards in a pattern: each multiplies the folders that are looked into. */
const MAX_WILD_PARTS = 4;

export type GlobOutcome =
  | { readonly type: "files"; readonly paths: readonly string[] }
  /** A name without wildcards, or a folder before the first wildcard, that is not there. */
  | { readonly type: "missing"; readonly path: string }
  | { readonly type: "too-many" };

/**
 * Expands `*` and `?` in the parts of a path. They match within one part, never a leading dot.
 * @param pattern absolute, or relative to `folder`
 * @param folder absolute path that relative patterns start from
 * @returns absolute paths, sorted by code units; no match in a folder that exists is an empty list
 */
export function expandGlob(pattern: string, folder: string, files: FileAccess): GlobOutcome {
  const absolute = pattern.startsWith("/") ? pattern : `${folder}/${pattern}`;
  const parts = absolute.split("/").filter((part) => part !== "" && part !== ".");
  const firstWild = parts.findIndex(isWild);
  if (firstWild < 0) {
    return files.stat(absolute) === null
      ? { type: "missing", path: absolute }
      : { type: "files", paths: [`/${parts.join("/")}`] };
  }
  const fixed = `/${parts.slice(0, firstWild).join("/")}`;
  if (files.stat(fixed)?.kind !== "folder") return { type: "missing", path: fixed };
  if (parts.filter(isWild).length > MAX_WILD_PARTS) return { type: "too-many" };
  let found: readonly string[] = [fixed === "/" ? "" : fixed];
  for (const [index, part] of parts.slice(firstWild).entries()) {
    const isLast = firstWild + index === parts.length - 1;
    found = found.flatMap((base) => matches(base, part, isLast, files));
    if (found.length > MAX_INCLUDED_FILES) return { type: "too-many" };
  }
  return { type: "files", paths: [...found].sort() };
}

function isWild(part: string): boolean {
  return /[*?]/.test(part);
}

function matches(base: string, part: string, isLast: boolean, files: FileAccess): string[] {
  const wanted = isLast ? "file" : "folder";
  const names = isWild(part)
    ? listed(base === "" ? "/" : base, files).filter((name) => matchesPart(name, part))
    : [part];
  return names.map((name) => `${base}/${name}`).filter((path) => files.stat(path)?.kind === wanted);
}

function listed(folder: string, files: FileAccess): readonly string[] {
  const names = files.list(folder);
  return names.ok ? names.value : [];
}

/** Whether a name matches one part of a pattern. Linear in both: no regular expression, so no backtracking. */
export function matchesPart(name: string, pattern: string): boolean {
  if (name.startsWith(".") && !pattern.startsWith(".")) return false;
  let at = 0;
  let inPattern = 0;
  let star = -1;
  let retry = 0;
  while (at < name.length) {
    if (pattern[inPattern] === "*") {
      star = inPattern;
      inPattern += 1;
      retry = at;
    } else if (inPattern < pattern.length && (pattern[inPattern] === "?" || pattern[inPattern] === name[at])) {
      at += 1;
      inPattern += 1;
    } else if (star >= 0) {
      retry += 1;
      at = retry;
      inPattern = star + 1;
    } else return false;
  }
  while (pattern[inPattern] === "*") inPattern += 1;
  return inPattern === pattern.length;
}

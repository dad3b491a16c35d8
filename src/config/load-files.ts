import { err, ok, type Result } from "../base/result.ts";
import { decodeSource } from "./decode.ts";
import type { FileAccess } from "./file-access.ts";
import { fileProblems } from "./file-problems.ts";
import { expandGlob, MAX_INCLUDED_FILES } from "./glob.ts";
import { type HeaderSecrets, readHeaderSecrets } from "./header-secrets.ts";
import { type InstanceKeys, readKeys } from "./keys.ts";
import { loadParsed, patternsOf, tidy } from "./load.ts";
import type { DirectorConfig } from "./model.ts";
import { ParsedFile } from "./parsed-file.ts";
import type { ConfigProblem, Finding, SourceFile } from "./problem.ts";
import type { SecretOptions } from "./secret-files.ts";
import { MAX_FILE_BYTES, tooLarge } from "./yaml/read.ts";

export interface LoadedFiles {
  readonly config: DirectorConfig;
  /** Read apart, so that whatever shows the configuration cannot show them. */
  readonly keys: InstanceKeys;
  /** The same for header fields of checks. */
  readonly headerSecrets: HeaderSecrets;
  /** Warnings about the text, in the order of the files. */
  readonly warnings: readonly ConfigProblem[];
  /**
   * Errors and warnings about the scripts, certificates and secrets of checks, warnings about key files. `check` and a reload refuse
   * errors; a daemon that starts had better report them and serve: the checks concerned fail, and say so.
   */
  readonly fileProblems: readonly ConfigProblem[];
  /** Every file that was read, absolute, the main file first. */
  readonly files: readonly string[];
}

/**
 * Reads the main file and what it includes, reads keys and secrets, and looks at the files that checks name.
 * @param path the main file, absolute or relative to the working directory; messages call it so
 * @returns the model, or every problem found
 */
export function loadConfigFiles(
  path: string,
  options: { readonly nodeName: string } & SecretOptions,
  files: FileAccess,
): Result<LoadedFiles, readonly ConfigProblem[]> {
  const absolute = files.absolute(path);
  const folder = parentOf(absolute);
  const main = readSource({ path, folder }, absolute, files);
  if (!main.ok) return err([main.error]);
  const parsed = new ParsedFile(main.value);
  const { sources, problems } = readIncluded(parsed, absolute, files);
  const loaded = loadParsed({ main: parsed, included: sources, nodeName: options.nodeName });
  const order = [path, ...sources.map((source) => source.path)];
  if (!loaded.ok) return err(tidy([...loaded.error, ...problems], order));
  const { keys, problems: keyProblems } = readKeys(loaded.value.instances, options, files);
  // Without its key a director would be alone among its peers, or unprotected.
  const isRefused = [...problems, ...keyProblems].some(({ severity }) => severity === "error");
  if (isRefused) return err(tidy([...problems, ...keyProblems, ...loaded.value.warnings], order));
  const { secrets, problems: secretProblems } = readHeaderSecrets(loaded.value.services, options, files);
  return ok({
    config: loaded.value.config,
    keys,
    headerSecrets: secrets,
    warnings: loaded.value.warnings,
    fileProblems: tidy(
      [...keyProblems, ...secretProblems, ...fileProblems(loaded.value.services, options, files)],
      order,
    ),
    files: [absolute, ...sources.map((source) => source.path)],
  });
}

function parentOf(path: string): string {
  return path.slice(0, path.lastIndexOf("/")) || "/";
}

function readSource(
  file: Omit<SourceFile, "text">,
  absolute: string,
  files: FileAccess,
): Result<SourceFile, ConfigProblem> {
  const bytes = files.read(absolute, MAX_FILE_BYTES);
  if (bytes.ok && bytes.value.length <= MAX_FILE_BYTES) return decodeSource(file, bytes.value);
  const finding: Finding = bytes.ok
    ? tooLarge()
    : {
        code: "unreadable-file",
        message: `the file cannot be read: ${bytes.error}`,
        hint: "name another file, or correct its owner and mode",
      };
  return err(new ParsedFile({ ...file, text: "" }).problem([], finding));
}

function readIncluded(
  parsed: ParsedFile,
  mainPath: string,
  files: FileAccess,
): { sources: SourceFile[]; problems: ConfigProblem[] } {
  const sources: SourceFile[] = [];
  const problems: ConfigProblem[] = [];
  const seen = new Set([mainPath]);
  for (const { pattern, index } of patternsOf(parsed)) {
    const say = (finding: Omit<Finding, "code">) =>
      problems.push(parsed.problem(["include", index], { code: "bad-include", ...finding }));
    const outcome = expandGlob(pattern, parsed.source.file.folder ?? "/", files);
    if (outcome.type === "missing") {
      say({
        message: `there is no ${outcome.path}`,
        hint: "create it, or correct the name; a pattern that matches nothing is fine",
      });
      continue;
    }
    if (outcome.type === "too-many" || sources.length + outcome.paths.length > MAX_INCLUDED_FILES) {
      say({
        message: `more than ${MAX_INCLUDED_FILES} files, or more than four wildcards`,
        hint: "write a narrower pattern",
      });
      continue;
    }
    for (const path of outcome.paths) {
      // Two patterns may match one file; it counts once. The main file does not include itself.
      if (seen.has(path)) continue;
      seen.add(path);
      const source = readSource({ path, folder: parentOf(path) }, path, files);
      if (source.ok) sources.push(source.value);
      else problems.push(source.error);
    }
  }
  return { sources, problems };
}

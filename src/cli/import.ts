import { EXIT, type ExitCode } from "../base/exit-codes.ts";
import type { FileAccess } from "../config/file-access.ts";
import { IMPORT_FORMATS, type ImportFormat } from "../config/import/formats.ts";
import { importConfig, recognise } from "../config/import/import.ts";
import { loadConfig } from "../config/load.ts";
import type { ConfigProblem } from "../config/problem.ts";
import type { Terminal } from "./terminal.ts";

export interface ImportOptions {
  readonly file: string;
  /** null = by what stands in the file. */
  readonly format: ImportFormat | null;
  readonly nodeName: string;
}

/** As much as a configuration of ours may have. */
const MAX_BYTES = 4 << 20;

/**
 * `holdfast import`: another program's configuration as ours, on stdout; what it says that ours does not, on stderr.
 * @returns 0 where all of it is carried over and passes `check`, 1 otherwise
 */
export function importFile(options: ImportOptions, terminal: Terminal, files: FileAccess): ExitCode {
  const complain = (sentence: string): ExitCode => {
    terminal.err.write(`holdfast: ${sentence}\n`);
    return EXIT.FAILED;
  };
  const { file, nodeName } = options;
  const bytes = files.read(file, MAX_BYTES);
  if (!bytes.ok) return complain(`${file} cannot be read: ${bytes.error}. Check its name and its rights.`);
  if (bytes.value.length > MAX_BYTES) return complain(`${file} is larger than 4 MiB. Import it in parts.`);
  const text = new TextDecoder().decode(bytes.value);
  const format = options.format ?? recognise(text);
  if (format === null)
    return complain(`${file} looks like none of ${IMPORT_FORMATS.join(", ")}. Say which it is by --format.`);
  const { yaml, notes, isEmpty } = importConfig(text, format);
  for (const { line, text: words, message } of notes) terminal.err.write(`${file}:${line}: \`${words}\` ${message}\n`);
  if (isEmpty) return complain(`${file} has nothing that could be carried over.`);
  terminal.out.write(`# From ${file} (${format}). \`holdfast check\` says what is missing.\n${yaml}`);
  const problems = problemsOf(yaml, nodeName);
  // The comment above is a line, too.
  for (const { location, message, keyPath } of problems)
    terminal.err.write(`line ${location.line + 1} of the result: ${keyPath}: ${message}\n`);
  return notes.length > 0 || problems.length > 0 ? EXIT.FAILED : EXIT.OK;
}

function problemsOf(yaml: string, nodeName: string): readonly ConfigProblem[] {
  const loaded = loadConfig({ main: { path: "imported", text: yaml, folder: null }, included: [], nodeName });
  return loaded.ok ? loaded.value.warnings : loaded.error;
}

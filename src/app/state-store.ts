import type { DirectorError } from "../base/director-error.ts";
import type { Result } from "../base/result.ts";
import { type JsonFile, readJsonFile, writeFileAtomically } from "../sys/atomic-file.ts";

/** Where text is kept that survives a restart. Saving is atomic: the old text or the new one, nothing between. */
export interface StateStore {
  /** What cannot be used is set aside. @param problemOf says what is wrong with a value, undefined if nothing is */
  load(problemOf: (value: unknown) => string | undefined): Result<JsonFile, DirectorError>;
  save(text: string): Result<void, DirectorError>;
}

export function fileStore(path: string): StateStore {
  return {
    load: (problemOf) => readJsonFile(path, problemOf),
    save: (text) => writeFileAtomically(path, text),
  };
}

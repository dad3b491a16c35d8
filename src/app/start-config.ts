import { err, ok, type Result } from "../base/result.ts";
import type { ConfigTexts } from "../config/config-texts.ts";
import type { LoadedConfig } from "./reloader.ts";
import type { TrialBook } from "./trial-book.ts";

export interface StartConfigCollaborators {
  readonly book: TrialBook;
  /** The files as they are. */
  load(): Result<LoadedConfig, string>;
  /** A configuration as it was kept. */
  loadKept(texts: ConfigTexts): Result<LoadedConfig, string>;
  /** Whether the files still have this text. */
  isOnDisk(texts: ConfigTexts): boolean;
  wallMs(): number;
}

export interface StartConfig {
  readonly loaded: LoadedConfig;
  /** Why it is not what the files say; null = it is. */
  readonly wentBack: string | null;
}

/**
 * Which configuration a start takes: that of the files, unless they hold one that was on trial and that nobody confirmed in time.
 * @returns the problems as text where neither can be taken
 */
export function chooseAtStart(collaborators: StartConfigCollaborators): Result<StartConfig, string> {
  const { book, load, loadKept, isOnDisk, wallMs } = collaborators;
  const { trial } = book;
  const fromFiles = (): Result<StartConfig, string> => {
    const loaded = load();
    return loaded.ok ? ok({ loaded: loaded.value, wentBack: null }) : loaded;
  };
  if (trial === null) return fromFiles();
  if (trial.state === "reverted" && !isOnDisk(trial.tried)) {
    // Somebody wrote another one since.
    const chosen = fromFiles();
    if (chosen.ok) book.set(null);
    return chosen;
  }
  const isOver = trial.state === "reverted" || wallMs() >= trial.untilMs;
  const tried = isOver ? err("") : fromFiles();
  if (tried.ok) {
    book.set({ ...trial, tried: tried.value.loaded.texts });
    return tried;
  }
  const kept = loadKept(trial.before);
  // Better what was tried than nothing.
  if (!kept.ok) return isOver ? fromFiles() : tried;
  book.set({ ...trial, state: "reverted" });
  const why = isOver ? "nobody confirmed what was tried" : "the files hold mistakes, and nobody had confirmed them";
  return ok({ loaded: kept.value, wentBack: why });
}

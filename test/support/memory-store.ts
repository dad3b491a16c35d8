import type { StateStore } from "../../src/app/state-store.ts";
import { DirectorError, messageOf } from "../../src/base/director-error.ts";
import { err, ok, type Result } from "../../src/base/result.ts";
import type { LogEntry, Logger } from "../../src/ports/logger.ts";
import type { JsonFile } from "../../src/sys/atomic-file.ts";

/** A state file, in memory. */
export class MemoryStore implements StateStore {
  text: string | null;
  saves = 0;
  isBroken = false;
  /** Runs after every save. */
  onSave: () => void = () => {};

  constructor(text: string | null = null) {
    this.text = text;
  }

  load(problemOf: (value: unknown) => string | undefined): Result<JsonFile, DirectorError> {
    if (this.isBroken) return err(new DirectorError("FILE_UNREADABLE", "owned.json: EACCES"));
    if (this.text === null) return ok({ type: "missing" });
    let value: unknown;
    let reason: string | undefined;
    try {
      value = JSON.parse(this.text);
      reason = problemOf(value);
    } catch (thrown) {
      reason = messageOf(thrown);
    }
    if (reason === undefined) return ok({ type: "read", value });
    this.text = null;
    return ok({ type: "damaged", movedTo: "owned.json.damaged-1", reason });
  }

  save(text: string): Result<void, DirectorError> {
    if (this.isBroken) return err(new DirectorError("FILE_UNWRITABLE", "owned.json: ENOSPC"));
    this.text = text;
    this.saves++;
    this.onSave();
    return ok(undefined);
  }

  get services(): unknown {
    return this.text === null ? null : (JSON.parse(this.text) as { services: unknown }).services;
  }
}

export class MemoryLogger implements Logger {
  readonly entries: LogEntry[] = [];
  log(entry: LogEntry): void {
    this.entries.push(entry);
  }
}

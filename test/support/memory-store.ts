import type { OwnershipStore } from "../../src/app/ipvs-ownership.ts";
import { DirectorError } from "../../src/base/director-error.ts";
import { err, ok, type Result } from "../../src/base/result.ts";
import type { LogEntry, Logger } from "../../src/ports/logger.ts";

/** The file of owned services, in memory. */
export class MemoryStore implements OwnershipStore {
  text: string | null;
  saves = 0;
  isBroken = false;
  /** Runs after every save. */
  onSave: () => void = () => {};

  constructor(text: string | null = null) {
    this.text = text;
  }

  load(): Result<string | null, DirectorError> {
    return this.isBroken ? err(new DirectorError("FILE_UNREADABLE", "owned.json: EACCES")) : ok(this.text);
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

import { closeSync, existsSync, mkdirSync, openSync, readFileSync, rmSync, writeSync } from "node:fs";
import { dirname } from "node:path";
import { DirectorError, errnoNameOf, messageOf } from "../base/director-error.ts";
import { err, type Result } from "../base/result.ts";

const LOCK_WAIT_MS = 20_000;
const LOCK_LOOK_MS = 50;

/**
 * Runs something while no other process does under the same lock; a lock whose process has ended counts for nothing. Blocks
 * this process while it waits.
 * @param path the lock's file; its folder is made
 */
export function withLockFile<T>(path: string, use: () => Result<T, DirectorError>): Result<T, DirectorError> {
  const deadline = Date.now() + LOCK_WAIT_MS;
  for (;;) {
    try {
      mkdirSync(dirname(path), { recursive: true, mode: 0o750 });
      const fd = openSync(path, "wx", 0o600);
      writeSync(fd, String(process.pid));
      closeSync(fd);
      break;
    } catch (thrown) {
      if (errnoNameOf(thrown) !== "EEXIST" || Date.now() > deadline) {
        const what = `locking ${path} failed: ${messageOf(thrown)}`;
        return err(new DirectorError("FILE_UNWRITABLE", what, { path, errno: errnoNameOf(thrown) }, thrown));
      }
    }
    if (!isHeld(path)) rmSync(path, { force: true });
    else Atomics.wait(new Int32Array(new SharedArrayBuffer(4)), 0, 0, LOCK_LOOK_MS);
  }
  try {
    return use();
  } finally {
    rmSync(path, { force: true });
  }
}

function isHeld(path: string): boolean {
  try {
    const pid = readFileSync(path, "utf8");
    // Empty for the moment between making and writing it.
    return pid === "" || existsSync(`/proc/${pid}`);
  } catch {
    return false;
  }
}

// Passes a growing file on as it grows. A file, not a pipe: what the guest has written is there even if it dies at once.
import { closeSync, openSync, readSync } from "node:fs";

const PERIOD_MS = 40;
const CHUNK_BYTES = 64 * 1024;

/**
 * @param {string} path    need not exist yet
 * @param {import("node:stream").Writable} target
 * @returns `finish` passes on the rest and waits until it is written, `stop` ends it at once
 */
export function follow(path, target) {
  let fd;
  let position = 0;
  let stopped = false;
  const chunk = Buffer.alloc(CHUNK_BYTES);
  const pass = () => {
    if (stopped) return true;
    try {
      fd ??= openSync(path, "r");
    } catch {
      return true;
    }
    const length = readSync(fd, chunk, 0, CHUNK_BYTES, position);
    if (length === 0) return true;
    position += length;
    target.write(Buffer.from(chunk.subarray(0, length)));
    return false;
  };
  const timer = setInterval(() => pass(), PERIOD_MS);
  const stop = () => {
    clearInterval(timer);
    stopped = true;
    if (fd !== undefined) closeSync(fd);
    fd = undefined;
  };
  const finish = async () => {
    while (!pass());
    stop();
    await new Promise((resolve) => target.write("", resolve));
  };
  return { finish, stop };
}

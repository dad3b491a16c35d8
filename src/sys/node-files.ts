import { accessSync, closeSync, constants, openSync, readdirSync, readSync, statSync } from "node:fs";
import { resolve } from "node:path";
import { messageOf } from "../base/director-error.ts";
import { err, ok, type Result } from "../base/result.ts";
import type { FileAccess, FileFacts } from "../config/file-access.ts";

/** The real file system, as the configuration loader sees it. */
export const nodeFiles: FileAccess = {
  read: (path, maxBytes) => attempt(() => readAtMost(path, maxBytes + 1)),
  list: (folder) => attempt(() => readdirSync(folder)),
  stat: (path): FileFacts | null => {
    try {
      const stats = statSync(path);
      return { kind: stats.isFile() ? "file" : stats.isDirectory() ? "folder" : "other", mode: stats.mode & 0o7777 };
    } catch {
      return null;
    }
  },
  isReadable: (path) => attempt(() => accessSync(path, constants.R_OK)).ok,
  absolute: (path) => resolve(path),
};

/** Reads no more than it was asked for, also from a device or a file that grows. */
function readAtMost(path: string, maxBytes: number): Uint8Array {
  // Without O_NONBLOCK, opening a named pipe would wait for a writer.
  const descriptor = openSync(path, constants.O_RDONLY | constants.O_NONBLOCK);
  try {
    const chunks: Buffer[] = [];
    for (let total = 0; total < maxBytes; ) {
      const chunk = Buffer.alloc(Math.min(65536, maxBytes - total));
      const length = readSync(descriptor, chunk);
      if (length === 0) break;
      chunks.push(chunk.subarray(0, length));
      total += length;
    }
    return Buffer.concat(chunks);
  } finally {
    closeSync(descriptor);
  }
}

const REASONS: Readonly<Record<string, string>> = {
  ENOENT: "there is no such file",
  EACCES: "permission denied",
  EISDIR: "it is a folder",
  ENOTDIR: "a part of the path is not a folder",
  ELOOP: "its symbolic links form a loop",
  EAGAIN: "it is a pipe without a writer",
};

function attempt<T>(action: () => T): Result<T, string> {
  try {
    return ok(action());
  } catch (thrown) {
    const code = thrown instanceof Error && "code" in thrown ? String(thrown.code) : "";
    return err(REASONS[code] ?? messageOf(thrown));
  }
}

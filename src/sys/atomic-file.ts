import { Buffer } from "node:buffer";
import {
  closeSync,
  existsSync,
  fsyncSync,
  openSync,
  readFileSync,
  renameSync,
  rmSync,
  statSync,
  writeSync,
} from "node:fs";
import { dirname } from "node:path";
import { DirectorError, messageOf } from "../base/director-error.ts";
import { err, ok, type Result } from "../base/result.ts";

/** State files are small; one that is larger is not ours. */
const MAX_FILE_BYTES = 64 * 1024 * 1024;
/** Damaged files kept for people to look at; beyond it the last one is overwritten. */
const MAX_SET_ASIDE = 100;

/** What reading a state file gave. */
export type JsonFile =
  | { readonly type: "missing" }
  | { readonly type: "read"; readonly value: unknown }
  /** The file was no JSON, or not what was expected; it is now `movedTo`. */
  | { readonly type: "damaged"; readonly movedTo: string; readonly reason: string };

/**
 * Replaces a file's content so that a crash or a power cut leaves the old or the new one, never a part: temporary file
 * beside it, fsync, rename, fsync of the folder.
 * @param mode permissions of the new file
 */
export function writeFileAtomically(
  path: string,
  content: string | Uint8Array,
  mode = 0o600,
): Result<void, DirectorError> {
  const temporary = `${path}.${process.pid}.tmp`;
  try {
    withDescriptor(temporary, "w", mode, (fd) => {
      const bytes = Buffer.from(content);
      for (let at = 0; at < bytes.length; ) at += writeSync(fd, bytes, at);
      fsyncSync(fd);
    });
    renameSync(temporary, path);
    withDescriptor(dirname(path), "r", undefined, fsyncSync);
    return ok(undefined);
  } catch (thrown) {
    rmSync(temporary, { force: true });
    return err(new DirectorError("FILE_UNWRITABLE", `writing ${path} failed: ${messageOf(thrown)}`, { path }, thrown));
  }
}

/**
 * Reads JSON that this program wrote. What cannot be used is set aside as `PATH.damaged-N`, so that the next write does not
 * destroy the evidence, and reported: state is a convenience, never a reason not to start.
 * @param problemOf says what is wrong with a value, or undefined if it is what the caller wrote
 */
export function readJsonFile(
  path: string,
  problemOf: (value: unknown) => string | undefined,
): Result<JsonFile, DirectorError> {
  try {
    if (!existsSync(path)) return ok({ type: "missing" });
    const problem = statSync(path).size > MAX_FILE_BYTES ? `larger than ${MAX_FILE_BYTES} bytes` : undefined;
    if (problem !== undefined) return ok(setAside(path, problem));
    const text = readFileSync(path, "utf8");
    let value: unknown;
    try {
      value = JSON.parse(text);
    } catch (thrown) {
      return ok(setAside(path, messageOf(thrown)));
    }
    const reason = problemOf(value);
    return ok(reason === undefined ? { type: "read", value } : setAside(path, reason));
  } catch (thrown) {
    return err(new DirectorError("FILE_UNREADABLE", `reading ${path} failed: ${messageOf(thrown)}`, { path }, thrown));
  }
}

function setAside(path: string, reason: string): JsonFile {
  let number = 1;
  while (number < MAX_SET_ASIDE && existsSync(`${path}.damaged-${number}`)) number += 1;
  const movedTo = `${path}.damaged-${number}`;
  renameSync(path, movedTo);
  return { type: "damaged", movedTo, reason };
}

function withDescriptor(path: string, flags: string, mode: number | undefined, use: (fd: number) => void): void {
  const fd = openSync(path, flags, mode);
  try {
    use(fd);
  } finally {
    closeSync(fd);
  }
}

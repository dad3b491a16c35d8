import { Buffer } from "node:buffer";
import { closeSync, ftruncateSync, openSync, readdirSync, readFileSync } from "node:fs";
import { type FileHandle, mkdir, open, readdir, rm, stat } from "node:fs/promises";
import { join } from "node:path";
import { DirectorError, errnoNameOf, messageOf } from "../base/director-error.ts";

export interface LineLogOptions {
  /** Made when the first line is written. */
  readonly dir: string;
  /** A segment is closed when the next line would make it larger. */
  readonly maxSegmentBytes: number;
  /** The oldest go beyond so many. */
  readonly maxSegments: number;
}

/** What reading found. */
export interface LinesRead {
  /** Oldest first, each without its line break. */
  readonly lines: readonly string[];
  /** One sentence for each thing that was not as it was written. */
  readonly problems: readonly string[];
}

const SEGMENT = /^(\d{8})\.jsonl$/;
/** The folder is for its owner and group, as the state that it stands in. */
const FOLDER_MODE = 0o750;
const FILE_MODE = 0o640;

/**
 * Lines on disk, the newest within a bound: segments that are only appended to, the oldest of them removed. Reading is
 * synchronous and for the start; writing is not, so that a slow disk delays nobody.
 */
export class LineLog {
  readonly #options: LineLogOptions;
  #file: { readonly handle: FileHandle; bytes: number } | null = null;

  constructor(options: LineLogOptions) {
    this.#options = options;
  }

  /**
   * Reads the newest lines and cuts off the last one where a crash left a part of it, so that the next line stands alone.
   * @param isGood whether a line is one that was written here; others are left out and counted
   */
  recover(maxLines: number, isGood: (line: string) => boolean): LinesRead {
    const { dir } = this.#options;
    const problems: string[] = []; // bounded by the segments
    const newest = segmentsIn(dir).at(-1);
    if (newest !== undefined) {
      const problem = cutTail(join(dir, newest), isGood);
      if (problem !== null) problems.push(problem);
    }
    const read = readLines(dir, maxLines, isGood);
    return { lines: read.lines, problems: [...problems, ...read.problems] };
  }

  /**
   * Writes lines and has them on the disk when it is done. One call at a time; what fails leaves nothing behind of its segment's part.
   * @param lines without line breaks
   * @returns how many of them were written before it failed, and why it did
   */
  async append(lines: readonly string[]): Promise<{ readonly written: number; readonly error: DirectorError | null }> {
    let written = 0;
    try {
      while (written < lines.length) {
        const file = await this.#fileFor(Buffer.byteLength(lines[written] ?? "") + 1);
        const part = this.#fitting(lines, written, file.bytes);
        const bytes = Buffer.from(part.map((line) => `${line}\n`).join(""));
        try {
          await file.handle.appendFile(bytes);
          await file.handle.datasync();
        } catch (thrown) {
          // A full disk takes a part: the next line must not continue it.
          await file.handle.truncate(file.bytes).catch(() => undefined);
          throw thrown;
        }
        file.bytes += bytes.length;
        written += part.length;
      }
      return { written, error: null };
    } catch (thrown) {
      await this.close();
      const { dir } = this.#options;
      const facts = { dir, errno: errnoNameOf(thrown) };
      const message = `writing to ${dir} failed: ${messageOf(thrown)}`;
      return { written, error: new DirectorError("FILE_UNWRITABLE", message, facts, thrown) };
    }
  }

  async close(): Promise<void> {
    const file = this.#file;
    this.#file = null;
    await file?.handle.close().catch(() => undefined);
  }

  /** The lines from `from` on that the segment takes; at least one. */
  #fitting(lines: readonly string[], from: number, segmentBytes: number): readonly string[] {
    let bytes = segmentBytes;
    let end = from;
    do {
      bytes += Buffer.byteLength(lines[end] ?? "") + 1;
      end += 1;
    } while (end < lines.length && bytes + Buffer.byteLength(lines[end] ?? "") + 1 <= this.#options.maxSegmentBytes);
    return lines.slice(from, end);
  }

  async #fileFor(bytes: number) {
    const { dir, maxSegmentBytes, maxSegments } = this.#options;
    if (this.#file !== null && this.#file.bytes + bytes <= maxSegmentBytes) return this.#file;
    await this.close();
    await mkdir(dir, { recursive: true, mode: FOLDER_MODE });
    const present = segmentsOf(await readdir(dir));
    const newest = present.at(-1);
    const size = newest === undefined ? 0 : (await stat(join(dir, newest))).size;
    const isNew = newest === undefined || (size > 0 && size + bytes > maxSegmentBytes);
    const surplus = present.length + (isNew ? 1 : 0) - maxSegments;
    for (const old of present.slice(0, Math.max(0, surplus))) await rm(join(dir, old), { force: true });
    const handle = await open(join(dir, isNew ? nameAfter(newest) : newest), "a", FILE_MODE);
    this.#file = { handle, bytes: (await handle.stat()).size };
    return this.#file;
  }
}

/**
 * Reads the newest lines and changes nothing, also while somebody writes.
 * @param isGood whether a line is one that was written there; others are left out and counted
 * @throws what reading the folder throws; that there is none is no lines
 */
export function readLines(dir: string, maxLines: number, isGood: (line: string) => boolean): LinesRead {
  const problems: string[] = []; // bounded by the segments
  let lines: string[] = [];
  for (const name of segmentsIn(dir).reverse()) {
    if (lines.length >= maxLines) break;
    const path = join(dir, name);
    try {
      const all = readFileSync(path, "utf8").split("\n");
      // After the last line break stands nothing, or the part of a line that is being written.
      all.pop();
      const good = all.filter(isGood);
      if (good.length < all.length) problems.push(`${path}: ${all.length - good.length} damaged lines are left out`);
      lines = [...good, ...lines];
    } catch (thrown) {
      // The oldest may go while we read.
      if (errnoNameOf(thrown) !== "ENOENT") problems.push(`${path} could not be read: ${messageOf(thrown)}`);
    }
  }
  return { lines: lines.slice(Math.max(0, lines.length - maxLines)), problems };
}

/** The segments' names, oldest first. */
function segmentsIn(dir: string): string[] {
  try {
    return segmentsOf(readdirSync(dir));
  } catch (thrown) {
    if (errnoNameOf(thrown) === "ENOENT") return [];
    throw thrown;
  }
}

function segmentsOf(names: readonly string[]): string[] {
  return names.filter((name) => SEGMENT.test(name)).sort();
}

function nameAfter(newest: string | undefined): string {
  const number = Number(SEGMENT.exec(newest ?? "")?.[1] ?? 0) + 1;
  return `${String(number).padStart(8, "0")}.jsonl`;
}

/** Cuts off what stands behind the last good line. @returns a sentence about it; null = nothing did */
function cutTail(path: string, isGood: (line: string) => boolean): string | null {
  const content = readFileSync(path);
  let end = content.length;
  while (end > 0) {
    const start = content.lastIndexOf(0x0a, end - 2) + 1;
    const isWhole = content[end - 1] === 0x0a;
    if (isWhole && isGood(content.toString("utf8", start, end - 1))) break;
    end = start;
  }
  if (end === content.length) return null;
  const descriptor = openSync(path, "r+");
  try {
    ftruncateSync(descriptor, end);
  } finally {
    closeSync(descriptor);
  }
  return `${path}: the last ${content.length - end} bytes were written in part and are cut off`;
}

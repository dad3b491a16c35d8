import { ok, type Result } from "../base/result.ts";
import type { FileAccess, FileFacts } from "./file-access.ts";

/** One file of a configuration as it was read. */
export interface ConfigText {
  /** Absolute. */
  readonly path: string;
  readonly text: string;
}

/** A whole configuration: the main file, then what it includes. Scripts, keys and certificates that it names are not part of it. */
export type ConfigTexts = readonly ConfigText[];

/** Remembers what is read through it. */
export class RecordingFiles implements FileAccess {
  readonly #files: FileAccess;
  /** By path; bounded by the files that a configuration may have. */
  readonly #read = new Map<string, string>();

  constructor(files: FileAccess) {
    this.#files = files;
  }

  /** The text of files that were read, which is valid UTF-8 where the configuration is. */
  textsOf(paths: readonly string[]): ConfigTexts {
    return paths.map((path) => ({ path, text: this.#read.get(path) ?? "" }));
  }

  read(path: string, maxBytes: number): Result<Uint8Array, string> {
    const bytes = this.#files.read(path, maxBytes);
    if (bytes.ok) this.#read.set(path, Buffer.from(bytes.value).toString("utf8"));
    return bytes;
  }

  list(folder: string): Result<readonly string[], string> {
    return this.#files.list(folder);
  }

  stat(path: string): FileFacts | null {
    return this.#files.stat(path);
  }

  isReadable(path: string): boolean {
    return this.#files.isReadable(path);
  }

  absolute(path: string): string {
    return this.#files.absolute(path);
  }
}

/**
 * A file system in which a configuration is as it was kept: its files have the text that they had, and beside them is nothing that
 * a pattern could match. Everything else is as it is now.
 */
export class KeptFiles implements FileAccess {
  readonly #texts: ReadonlyMap<string, string>;
  readonly #files: FileAccess;

  constructor(texts: ConfigTexts, files: FileAccess) {
    this.#texts = new Map(texts.map(({ path, text }) => [path, text]));
    this.#files = files;
  }

  read(path: string, maxBytes: number): Result<Uint8Array, string> {
    const text = this.#texts.get(path);
    return text === undefined ? this.#files.read(path, maxBytes) : ok(Buffer.from(text, "utf8"));
  }

  list(folder: string): Result<readonly string[], string> {
    const names = this.#namesIn(folder);
    if (names.size > 0) return ok([...names]);
    // A pattern may match nothing in a folder that is there.
    const present = this.#files.list(folder);
    return present.ok ? ok([]) : present;
  }

  stat(path: string): FileFacts | null {
    if (this.#texts.has(path)) return { kind: "file", mode: 0o600 };
    if (this.#namesIn(path).size > 0) return { kind: "folder", mode: 0o755 };
    return this.#files.stat(path);
  }

  isReadable(path: string): boolean {
    return this.#texts.has(path) || this.#files.isReadable(path);
  }

  absolute(path: string): string {
    return this.#files.absolute(path);
  }

  #namesIn(folder: string): ReadonlySet<string> {
    const prefix = folder.endsWith("/") ? folder : `${folder}/`;
    const inside = [...this.#texts.keys()].filter((path) => path.startsWith(prefix));
    return new Set(inside.map((path) => path.slice(prefix.length).split("/", 1)[0] ?? ""));
  }
}

/** Whether the files have this text now. Files that came into being beside them do not count. */
export function isOnDisk(texts: ConfigTexts, files: FileAccess): boolean {
  return texts.every(({ path, text }) => {
    const wanted = Buffer.from(text, "utf8");
    const bytes = files.read(path, wanted.length);
    return bytes.ok && wanted.equals(bytes.value);
  });
}

export function isSameTexts(a: ConfigTexts, b: ConfigTexts): boolean {
  return a.length === b.length && a.every(({ path, text }, at) => b[at]?.path === path && b[at]?.text === text);
}

/** Whether something is what `textsOf` returned, after it was kept as JSON. */
export function isConfigTexts(value: unknown): value is ConfigTexts {
  return (
    Array.isArray(value) &&
    value.length > 0 &&
    value.every((one: unknown) => {
      if (typeof one !== "object" || one === null) return false;
      const { path, text } = one as Readonly<Record<string, unknown>>;
      return typeof path === "string" && path.startsWith("/") && typeof text === "string";
    })
  );
}

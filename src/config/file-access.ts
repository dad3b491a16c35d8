import type { Result } from "../base/result.ts";

/** What loading a configuration needs from a file system. Synchronous: nothing else happens meanwhile. */
export interface FileAccess {
  /** The bytes of a file, at most `maxBytes` + 1 of them, or a clause that says why not: "no such file". */
  read(path: string, maxBytes: number): Result<Uint8Array, string>;
  /** Names in a folder, or why not. */
  list(folder: string): Result<readonly string[], string>;
  /** What is at a path, following symbolic links; null = nothing, or nothing that may be seen. */
  stat(path: string): FileFacts | null;
  /** Whether this process may read the file. */
  isReadable(path: string): boolean;
  /** The path from the root, for a path relative to the working directory. */
  absolute(path: string): string;
}

export interface FileFacts {
  readonly kind: "file" | "folder" | "other";
  /** Permission bits, 0o7777. */
  readonly mode: number;
}

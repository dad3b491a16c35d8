import { err, ok, type Result } from "../../src/base/result.ts";
import type { FileAccess, FileFacts } from "../../src/config/file-access.ts";
import { type LoadedConfig, loadConfig } from "../../src/config/load.ts";
import type { ConfigProblem, SourceFile } from "../../src/config/problem.ts";

export function source(text: string, path = "holdfast.yaml"): SourceFile {
  return { path, text, folder: "/etc/holdfast" };
}

/** Loads one text, with further texts as included files. */
export function load(text: string, ...included: readonly string[]): Result<LoadedConfig, readonly ConfigProblem[]> {
  const files = included.map((each, index) => source(each, `conf.d/${index}.yaml`));
  return loadConfig({ main: source(text), included: files, nodeName: "this-host" });
}

/** Every problem of a text, warnings too. */
export function problemsOf(text: string, ...included: readonly string[]): readonly ConfigProblem[] {
  const result = load(text, ...included);
  return result.ok ? result.value.warnings : result.error;
}

export interface FakeFile {
  readonly content?: string | Uint8Array;
  readonly mode?: number;
  readonly isReadable?: boolean;
}

/** A file system of files that are named with their whole paths; folders exist as far as files need them. */
export function fakeFiles(
  files: Readonly<Record<string, FakeFile>>,
  folders: Readonly<Record<string, number>> = {},
): FileAccess {
  const names = Object.keys(files);
  const isFolder = (path: string): boolean =>
    path === "/" || path in folders || names.some((name) => name.startsWith(`${path}/`));
  return {
    read: (path) => {
      const file = files[path];
      if (file === undefined) return err("there is no such file");
      const { content = "" } = file;
      return ok(typeof content === "string" ? new TextEncoder().encode(content) : content);
    },
    list: (folder) => {
      const prefix = folder === "/" ? "/" : `${folder}/`;
      const inside = names.filter((name) => name.startsWith(prefix)).map((name) => name.slice(prefix.length));
      return isFolder(folder) ? ok([...new Set(inside.map((name) => name.split("/")[0] ?? ""))]) : err("no folder");
    },
    stat: (path): FileFacts | null => {
      const file = files[path];
      if (file !== undefined) return { kind: "file", mode: file.mode ?? 0o644 };
      return isFolder(path) ? { kind: "folder", mode: folders[path] ?? 0o755 } : null;
    },
    isReadable: (path) => files[path]?.isReadable ?? path in files,
    absolute: (path) => (path.startsWith("/") ? path : `/etc/holdfast/${path}`),
  };
}

import type { FileAccess } from "./file-access.ts";
import type { SecretSource } from "./model.ts";
import type { Finding } from "./problem.ts";

/** Readable by the group or by everybody. */
const OTHERS_READ = 0o044;

const LINE_FEED = 0x0a;
const CARRIAGE_RETURN = 0x0d;

export interface SecretOptions {
  /** $CREDENTIALS_DIRECTORY; null = there is none; undefined = credentials are not looked at (outside the service). */
  readonly credentialsDir?: string | null;
}

export interface SecretKind {
  /** How messages call it: `key`, `secret`. */
  readonly noun: string;
  /** How a file is named where it is used, for a hint. */
  readonly asFile: string;
  readonly maxBytes: number;
}

/**
 * Reads what the file or credential of a secret holds.
 * @param say told why it cannot be read, and what is wrong with the file beside that; never a part of the content
 * @returns the bytes, one more than `maxBytes` where there are more, and how messages call their place; null = there are none
 */
export function readSecretFile(
  source: SecretSource,
  { noun, asFile, maxBytes }: SecretKind,
  options: SecretOptions,
  files: FileAccess,
  say: (finding: Omit<Finding, "code">) => void,
): { readonly content: Uint8Array; readonly what: string } | null {
  const path = placeOf(source, options);
  if (path === undefined) return null;
  if (path === null) {
    say({
      message: `the ${noun} is a systemd credential, and this process was given none ($CREDENTIALS_DIRECTORY is not set)`,
      hint: `give it to the unit by LoadCredential=NAME:/PATH, or write ${asFile} here`,
    });
    return null;
  }
  const what = source.type === "file" ? `the ${noun} file ${path}` : `the credential ${source.name}`;
  const content = files.read(path, maxBytes);
  if (!content.ok) {
    say({ message: `${what} cannot be read: ${content.error}`, hint: "correct the name, or its owner and mode" });
    return null;
  }
  if (source.type === "file" && ((files.stat(path)?.mode ?? 0) & OTHERS_READ) !== 0) {
    say({ severity: "warning", message: `${what} may be read by others than its owner`, hint: `chmod 600 ${path}` });
  }
  return { content: content.value, what };
}

/** @returns a path; undefined = it is not to be looked at; null = it is nowhere */
export function placeOf(source: SecretSource, { credentialsDir }: SecretOptions): string | null | undefined {
  if (source.type === "file") return source.path;
  return credentialsDir === undefined || credentialsDir === null ? credentialsDir : `${credentialsDir}/${source.name}`;
}

/** Editors end a file with a line ending, which is no part of a secret. */
export function withoutLineEnd(content: Uint8Array): Uint8Array {
  let end = content.length;
  while (end > 0 && (content[end - 1] === LINE_FEED || content[end - 1] === CARRIAGE_RETURN)) end -= 1;
  return content.subarray(0, end);
}

/** Whether it is printable ASCII throughout. */
export function isPrintable(bytes: Uint8Array): boolean {
  return bytes.every((byte) => byte >= 0x20 && byte <= 0x7e);
}

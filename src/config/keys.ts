import { err, ok, type Result } from "../base/result.ts";
import type { FileAccess } from "./file-access.ts";
import type { HmacKeyConfig } from "./model.ts";
import type { ConfigProblem, Finding } from "./problem.ts";
import { isPrintable, readSecretFile, type SecretKind, type SecretOptions, withoutLineEnd } from "./secret-files.ts";
import type { PlacedInstance } from "./semantics/instances.ts";

/** What a key may have after decoding: fewer bytes could be guessed, more would only be hashed. */
export const MIN_KEY_BYTES = 32;
export const MAX_KEY_BYTES = 64;
/** `hex:`, twice the longest key, and a line ending or two. */
const MAX_FILE_BYTES = 256;
const KEY: SecretKind = { noun: "key", asFile: "file:/PATH", maxBytes: MAX_FILE_BYTES };
const MAKE_ONE = "make one: (printf hex: && openssl rand -hex 32) > FILE";

/** The bytes of a key as they travel to the process that needs them. */
export interface KeyBytes {
  /** 1–255. */
  readonly id: number;
  readonly hex: string;
}

/** The keys of each instance that has some, by its name. Never part of the configuration, which people may see. */
export type InstanceKeys = Readonly<Record<string, readonly KeyBytes[]>>;

/**
 * Decodes what a key file holds: `hex:` and digits, or text as it is; line endings at the end do not count.
 * @returns 32 to 64 bytes, or what is wrong; never a part of the content
 */
export function decodeKey(content: Uint8Array): Result<Uint8Array, Omit<Finding, "code">> {
  const text = Buffer.from(withoutLineEnd(content));
  // Text of other encodings would be other bytes on the next director.
  if (!isPrintable(text)) {
    return err({ message: "the key holds bytes that are not printable ASCII", hint: `write them as hex; ${MAKE_ONE}` });
  }
  const digits = /^hex:(.*)$/s.exec(text.toString("latin1"))?.[1];
  if (digits !== undefined && !/^(?:[0-9A-Fa-f]{2})*$/.test(digits)) {
    return err({ message: "after `hex:` the key is not pairs of hexadecimal digits", hint: MAKE_ONE });
  }
  const bytes = digits === undefined ? text : Buffer.from(digits, "hex");
  if (bytes.length < MIN_KEY_BYTES || bytes.length > MAX_KEY_BYTES) {
    const expected = `${MIN_KEY_BYTES} to ${MAX_KEY_BYTES} bytes`;
    return err({ message: `the key is ${sizeOf(bytes.length, content.length)} long`, expected, hint: MAKE_ONE });
  }
  return ok(bytes);
}

function sizeOf(bytes: number, contentBytes: number): string {
  if (contentBytes > MAX_FILE_BYTES) return `more than ${MAX_FILE_BYTES} bytes`;
  return `${bytes} byte${bytes === 1 ? "" : "s"}`;
}

/**
 * Reads the keys of all instances.
 * @returns those that could be read, and what is wrong with the others or with their files
 */
export function readKeys(
  instances: readonly PlacedInstance[],
  options: SecretOptions,
  files: FileAccess,
): { readonly keys: InstanceKeys; readonly problems: readonly ConfigProblem[] } {
  const problems: ConfigProblem[] = [];
  const keys: Record<string, readonly KeyBytes[]> = {};
  for (const instance of instances) {
    const { name, hmac } = instance.value;
    if (hmac === null) continue;
    keys[name] = hmac.keys.flatMap((key) => {
      const say = (finding: Omit<Finding, "code">) =>
        problems.push(instance.problem(["auth", "hmac", "keys", String(key.id)], { code: "bad-file", ...finding }));
      return readKey(key, options, files, say);
    });
  }
  return { keys, problems };
}

function readKey(
  { id, source }: HmacKeyConfig,
  options: SecretOptions,
  files: FileAccess,
  say: (finding: Omit<Finding, "code">) => void,
): readonly KeyBytes[] {
  const read = readSecretFile(source, KEY, options, files, say);
  if (read === null) return [];
  const bytes = decodeKey(read.content);
  if (bytes.ok) return [{ id, hex: Buffer.from(bytes.value).toString("hex") }];
  say({ ...bytes.error, message: `${read.what}: ${bytes.error.message}` });
  return [];
}

/** The instances whose keys have other bytes, or other ids, than before; by name. */
export function changedKeys(before: InstanceKeys, after: InstanceKeys): readonly string[] {
  return Object.keys(after).filter(
    (name) => name in before && JSON.stringify(before[name]) !== JSON.stringify(after[name]),
  );
}

import { err, ok, type Result } from "../base/result.ts";
import type { FileAccess } from "./file-access.ts";
import type { HttpCheckConfig, SecretSource, ServiceConfig } from "./model.ts";
import type { ConfigProblem, Finding } from "./problem.ts";
import { MAX_HEADER_VALUE } from "./schema/http.ts";
import { isPrintable, readSecretFile, type SecretKind, type SecretOptions, withoutLineEnd } from "./secret-files.ts";
import { checkLists, kindOf } from "./semantics/checks.ts";
import type { PlacedService } from "./semantics/services.ts";

const HEADER: SecretKind = {
  noun: "secret",
  asFile: "{ file: /PATH }",
  // And a line ending.
  maxBytes: MAX_HEADER_VALUE + 2,
};

/**
 * Values of header fields that stand in files and credentials, by their place (`placeNameOf`); null = there is none that could be
 * sent. Never part of the configuration, which people may see.
 */
export type HeaderSecrets = Readonly<Record<string, string | null>>;

/** How a place is called in messages and in HeaderSecrets: `file /etc/holdfast/check.token`, `credential check-token`. */
export function placeNameOf(source: SecretSource): string {
  return source.type === "file" ? `file ${source.path}` : `credential ${source.name}`;
}

/**
 * Reads the values of header fields that stand in files and credentials.
 * @returns them, and what is wrong with those that could not be read, or with their files
 */
export function readHeaderSecrets(
  services: readonly PlacedService[],
  options: SecretOptions,
  files: FileAccess,
): { readonly secrets: HeaderSecrets; readonly problems: readonly ConfigProblem[] } {
  /** By place, so that each is read once; bounded by the places that the configuration names. */
  const read = new Map<string, Reading>();
  const readingOf = (source: SecretSource): Reading => {
    const place = placeNameOf(source);
    const reading = read.get(place) ?? readValue(source, options, files);
    read.set(place, reading);
    return reading;
  };
  const problems = secretHeaders(services).flatMap(({ service, at, source }) =>
    readingOf(source).findings.map((finding) => service.problem(at, { code: "bad-file", ...finding })),
  );
  return { secrets: Object.fromEntries([...read].map(([place, { value }]) => [place, value])), problems };
}

function secretHeaders(services: readonly PlacedService[]) {
  return services.flatMap((service) =>
    checkLists(service).flatMap(({ path, checks }) =>
      checks.flatMap((check, index) => {
        if (check.type !== "http") return [];
        return Object.entries(check.headers).flatMap(([name, source]) =>
          typeof source === "string" ? [] : [{ service, at: [...path, index, kindOf(check), "headers", name], source }],
        );
      }),
    ),
  );
}

/** What is in one place; null = nothing that can be sent. */
interface Reading {
  readonly value: string | null;
  readonly findings: readonly Omit<Finding, "code">[];
}

function readValue(source: SecretSource, options: SecretOptions, files: FileAccess): Reading {
  const findings: Omit<Finding, "code">[] = [];
  const read = readSecretFile(source, HEADER, options, files, (finding) => findings.push(finding));
  if (read === null) return { value: null, findings };
  const value = decodeValue(read.content);
  if (value.ok) return { value: value.value, findings };
  return { value: null, findings: [...findings, { ...value.error, message: `${read.what} ${value.error.message}` }] };
}

/**
 * The value of a header field, as a file holds it: one line, whose end does not count.
 * @returns it, or what is wrong; never a part of the content
 */
export function decodeValue(content: Uint8Array): Result<string, Omit<Finding, "code">> {
  const bytes = withoutLineEnd(content);
  const expected = `one line of 1 to ${MAX_HEADER_VALUE} printable ASCII characters, such as Bearer and a token`;
  if (bytes.length === 0) return err({ message: "is empty", expected });
  if (bytes.length > MAX_HEADER_VALUE) return err({ message: `holds more than ${MAX_HEADER_VALUE} bytes`, expected });
  if (!isPrintable(bytes))
    return err({ message: "holds more than one line, or bytes that are not printable ASCII", expected });
  return ok(Buffer.from(bytes).toString("latin1"));
}

/** Services with the values of their header fields, for the process that sends them. A value that could not be read stays as its place. */
export function withHeaderSecrets(
  services: readonly ServiceConfig[],
  secrets: HeaderSecrets,
): readonly ServiceConfig[] {
  if (Object.keys(secrets).length === 0) return services;
  const filledIn = (value: string | SecretSource) =>
    typeof value === "string" ? value : (secrets[placeNameOf(value)] ?? value);
  const filled = ({ headers, ...check }: HttpCheckConfig): HttpCheckConfig => ({
    ...check,
    headers: Object.fromEntries(Object.entries(headers).map(([name, value]) => [name, filledIn(value)])),
  });
  return services.map((service) => ({
    ...service,
    servers: service.servers.map((server) => ({
      ...server,
      checks: server.checks.map((check) => (check.type === "http" ? filled(check) : check)),
    })),
  }));
}

/** The places whose content is another than before, or can be used now and could not before. */
export function changedHeaderSecrets(before: HeaderSecrets, after: HeaderSecrets): readonly string[] {
  return Object.keys(after).filter((place) => place in before && before[place] !== after[place]);
}

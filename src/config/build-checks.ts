import { assert } from "../base/assert.ts";
import { DEFAULTS } from "./defaults.ts";
import type { CheckConfig, HttpCheckConfig, SecretSource, TlsConfig } from "./model.ts";
import type { RawCheck, RawCheckDefaults, RawHttp, RawScript, RawTcp } from "./schema/checks.ts";

/** What checks inherit: defaults.check, and the folder that relative names of files start from. */
export interface CheckContext {
  readonly defaults: RawCheckDefaults | undefined;
  readonly folder: string | null;
}

interface RawTiming {
  readonly interval?: number | undefined;
  readonly timeout?: number | undefined;
  readonly rise?: number | undefined;
  readonly fall?: number | undefined;
}

/** Fills the defaults into a list of checks that the schema accepted. */
export function buildChecks(raw: readonly RawCheck[], context: CheckContext): readonly CheckConfig[] {
  const seen = new Map<string, number>();
  return raw.map((entry) => {
    const check = buildCheck(entry, context);
    const count = (seen.get(check.name) ?? 0) + 1;
    seen.set(check.name, count);
    return count === 1 ? check : { ...check, name: `${check.name}-${count}` };
  });
}

function buildCheck(raw: RawCheck, context: CheckContext): CheckConfig {
  const entry: Exclude<RawCheck, string> = typeof raw === "string" ? { [raw]: {} } : raw;
  const { tcp, http, https, script } = entry;
  if (tcp !== undefined) return buildTcp(tcp, context);
  if (http !== undefined) return buildHttp("http", http, context);
  if (https !== undefined) return buildHttp("https", https, context);
  assert(script !== undefined, "the schema accepts checks of exactly one kind");
  return buildScript(script, context);
}

function timing(raw: RawTiming, { defaults }: CheckContext) {
  const intervalUs = raw.interval ?? defaults?.interval ?? DEFAULTS.checkIntervalUs;
  return {
    intervalUs,
    timeoutUs: raw.timeout ?? defaults?.timeout ?? Math.min(DEFAULTS.checkTimeoutUs, intervalUs),
    rise: raw.rise ?? defaults?.rise ?? DEFAULTS.rise,
    fall: raw.fall ?? defaults?.fall ?? DEFAULTS.fall,
  };
}

function buildTcp(raw: RawTcp, context: CheckContext): CheckConfig {
  return { type: "tcp", name: "tcp", ...timing(raw, context), port: raw.port ?? null };
}

function buildHttp(kind: "http" | "https", raw: RawHttp, context: CheckContext): HttpCheckConfig {
  const { status, body } = raw.expect ?? {};
  return {
    type: "http",
    name: kind,
    ...timing(raw, context),
    port: raw.port ?? null,
    method: raw.method ?? DEFAULTS.method,
    path: raw.path ?? DEFAULTS.path,
    host: raw.host ?? null,
    headers: buildHeaders(raw.headers ?? {}, context.folder),
    expectStatus: status === undefined ? [DEFAULTS.expectStatus] : Array.isArray(status) ? status : [status],
    expectBody:
      body?.contains !== undefined
        ? { type: "contains", text: body.contains }
        : body?.matches !== undefined
          ? { type: "matches", pattern: body.matches }
          : null,
    maxBodyBytes: raw.maxBody ?? DEFAULTS.maxBodyBytes,
    tls: kind === "https" ? buildTls(raw.tls, context.folder) : null,
  };
}

function buildHeaders(raw: NonNullable<RawHttp["headers"]>, folder: string | null): HttpCheckConfig["headers"] {
  const built = Object.entries(raw).map(([name, value]) => {
    if (typeof value === "string") return [name, value] as const;
    const source: SecretSource =
      value.file === undefined
        ? { type: "credential", name: value.credential ?? "" }
        : { type: "file", path: absoluteIn(folder, value.file) };
    return [name, source] as const;
  });
  return Object.fromEntries(built);
}

type RawPem = NonNullable<RawHttp["tls"]>["cert"];

function absoluteIn(folder: string | null, path: string): string {
  return path.startsWith("/") || folder === null ? path : `${folder.replace(/\/$/, "")}/${path}`;
}

function buildTls(raw: RawHttp["tls"], folder: string | null): TlsConfig {
  const absolute = (path: string | undefined): string | null => (path === undefined ? null : absoluteIn(folder, path));
  const source = (given: RawPem) =>
    typeof given === "object" ? ({ type: "credential", name: given.credential } as const) : absolute(given);
  return {
    verify: raw?.verify ?? true,
    serverName: raw?.serverName ?? null,
    caFile: absolute(raw?.ca),
    certFile: source(raw?.cert),
    keyFile: source(raw?.key),
  };
}

function buildScript(raw: RawScript, context: CheckContext): CheckConfig {
  const [program, ...rest] = raw.run;
  assert(program !== undefined, "the schema accepts commands with at least one word");
  return {
    type: "script",
    name: "script",
    ...timing(raw, context),
    command: [program, ...rest],
    setsWeight: raw.weight ?? false,
  };
}

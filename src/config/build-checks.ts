import { assert } from "../base/assert.ts";
import { DEFAULTS } from "./defaults.ts";
import type { CheckConfig, HttpCheckConfig, TlsConfig } from "./model.ts";
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
    headers: raw.headers ?? {},
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

function buildTls(raw: RawHttp["tls"], folder: string | null): TlsConfig {
  const absolute = (path: string | undefined): string | null => {
    if (path === undefined) return null;
    return path.startsWith("/") || folder === null ? path : `${folder.replace(/\/$/, "")}/${path}`;
  };
  return {
    verify: raw?.verify ?? true,
    serverName: raw?.serverName ?? null,
    caFile: absolute(raw?.ca),
    certFile: absolute(raw?.cert),
    keyFile: absolute(raw?.key),
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

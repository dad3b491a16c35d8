import type { Protocol } from "../../base/endpoint.ts";
import { SCHEDULERS } from "../model.ts";
import {
  addressOf,
  Draft,
  type Imported,
  listenOf,
  nameOfListen,
  numberOf,
  type PlainMap,
  portOf,
  prefixOfMask,
  secondsOf,
} from "./draft.ts";

const FORWARDS: Readonly<Record<string, string>> = { gate: "dr", masq: "nat", ipip: "tun" };

/** Servers that one line may name by a range. */
const MAX_RANGE = 256;

/** A directive and where it stands. */
interface Directive {
  readonly key: string;
  readonly value: string;
  readonly line: number;
  readonly text: string;
}

/** Directives that say nothing about a director of ours. */
const NEEDLESS: ReadonlySet<string> = new Set(["autoreload", "logfile", "supervised", "fork", "cleanstop"]);

const EXPLANATIONS: Readonly<Record<string, string>> = {
  fallback: "there are no fallback servers",
  fallbackcommand: "no programs are run when a service is without servers: use the alert rules of docs/alerts.md",
  emailalert: "no mail is sent: use the alert rules of docs/alerts.md",
  execute: "import that file by itself",
  monitorfile: "follow `holdfast events -f`",
};

/**
 * ldirectord.cf: virtual services, real servers and their checks; it knows no virtual addresses.
 * @see ldirectord(8)
 */
export function importLdirectord(text: string): Imported {
  const draft = new Draft();
  const globals: Directive[] = [];
  const blocks: { readonly head: Directive; readonly body: Directive[] }[] = [];
  for (const [index, raw] of text.split("\n").entries()) {
    const line = raw.replace(/^\s*#.*|\s+#.*$/, "");
    if (line.trim() === "") continue;
    const [, key = "", value = ""] = /^\s*([A-Za-z0-9]+)\s*=\s*(.*?)\s*$/.exec(line) ?? [];
    const directive = { key: key.toLowerCase(), value, line: index + 1, text: line.trim() };
    if (key === "") draft.note(directive.line, directive.text, "is no directive of ldirectord.cf");
    else if (directive.key === "virtual" || directive.key === "virtual6") blocks.push({ head: directive, body: [] });
    // What is indented belongs to the virtual service above.
    else if (/^\s/.test(line) && blocks.length > 0) blocks.at(-1)?.body.push(directive);
    else globals.push(directive);
  }
  const USED = new Set(["checktimeout", "negotiatetimeout", "checkinterval", "failurecount", "quiescent"]);
  for (const one of globals) if (!USED.has(one.key)) leaveOut(one, draft);
  for (const { head, body } of blocks) importVirtual(head, body, globals, draft);
  return draft.result();
}

function leaveOut({ key, line, text }: Directive, draft: Draft): void {
  if (NEEDLESS.has(key)) return;
  const why = EXPLANATIONS[key];
  draft.note(line, text, why === undefined ? "is not carried over" : `is not carried over: ${why}`);
}

function importVirtual(head: Directive, body: readonly Directive[], globals: readonly Directive[], draft: Draft): void {
  const find = (key: string): Directive | undefined =>
    body.find((one) => one.key === key) ?? globals.find((one) => one.key === key);
  const [, host = "", port = ""] = /^(.*):(\d+)$/.exec(head.value) ?? [];
  const said = unquoted(find("protocol")?.value ?? "tcp");
  const protocol: Protocol | null = said === "tcp" || said === "udp" ? said : null;
  const listen = protocol === null ? null : listenOf(protocol, host, port);
  if (protocol === null || listen === null) {
    draft.note(
      head.line,
      head.text,
      "is not carried over: holdfast knows tcp and udp services with an address and a port",
    );
    return;
  }
  const service: PlainMap = { listen };
  const persistence: PlainMap = {};
  const servers: PlainMap[] = [];
  for (const one of body) {
    const value = unquoted(one.value);
    if (one.key === "real" || one.key === "real6") servers.push(...serversOf(one, service, draft));
    else if (one.key === "scheduler" && SCHEDULERS.some((name) => name === value)) service.scheduler = value;
    else if (one.key === "persistent" && numberOf(value, 1, 86_400) !== null) persistence.timeout = `${value}s`;
    else if (one.key === "netmask" && prefixOfMask(value) !== null) persistence.prefix = prefixOfMask(value) ?? 32;
    else if (!CHECK_KEYS.has(one.key)) leaveOut(one, draft);
  }
  if (unquoted(find("quiescent")?.value ?? "") === "yes") service.onDown = "quiesce";
  if (persistence.timeout !== undefined) service.persistence = persistence;
  service.servers = servers;
  service.checks = checksOf(head, Number(port), find, draft);
  draft.addService(nameOfListen(protocol, host, Number(port)), service);
}

/** `192.0.2.21:80 gate 5`, `192.0.2.21->192.0.2.29:80 masq`. */
function serversOf(directive: Directive, service: PlainMap, draft: Draft): readonly PlainMap[] {
  const { value, line, text } = directive;
  const [where = "", method = "gate", weight] = value.split(/\s+/);
  const [, first = "", last, digits = ""] = /^([^>]*?)(?:->(.*))?:(\d+)$/.exec(where) ?? [];
  const port = portOf(digits);
  const addresses = port === null ? [] : rangeOf(first, last ?? first);
  if (port === null || addresses.length === 0) {
    draft.note(line, text, "is not carried over: a server has an address and a port");
    return [];
  }
  const forward = FORWARDS[method];
  if (forward === undefined) draft.note(line, text, `${method} is no way of forwarding`);
  else if (service.forward !== undefined && service.forward !== forward)
    draft.note(
      line,
      text,
      `forwards by ${forward}, the servers before it by ${service.forward}: a service has one method`,
    );
  else service.forward = forward;
  if (value.includes('"'))
    draft.note(line, text, "its own request and answer are not carried over: give this server its own `checks`");
  const share = numberOf(weight, 0, 65_535);
  return addresses.map((address) => ({
    address: address.includes(":") ? `[${address}]:${port}` : `${address}:${port}`,
    ...(share === null ? {} : { weight: share }),
  }));
}

function rangeOf(first: string, last: string): readonly string[] {
  const [from, to] = [addressOf(first), addressOf(last)];
  if (from === null || to === null) return [];
  if (from === to) return [from];
  const [prefix, start] = splitLast(from);
  const [same, end] = splitLast(to);
  if (prefix !== same || end < start || end - start >= MAX_RANGE) return [];
  return Array.from({ length: end - start + 1 }, (_, index) => `${prefix}${start + index}`);
}

function splitLast(address: string): readonly [string, number] {
  const at = address.lastIndexOf(".") + 1;
  return at === 0 ? [address, 0] : [address.slice(0, at), Number(address.slice(at))];
}

/** What `checksOf` reads. */
const CHECK_KEYS: ReadonlySet<string> = new Set([
  "checktype",
  "service",
  "request",
  "receive",
  "virtualhost",
  "httpmethod",
  "checkport",
  "checktimeout",
  "negotiatetimeout",
  "checkinterval",
  "failurecount",
  "protocol",
  "quiescent",
]);

function checksOf(
  head: Directive,
  port: number,
  find: (key: string) => Directive | undefined,
  draft: Draft,
): readonly PlainMap[] {
  const text = (key: string): string => unquoted(find(key)?.value ?? "");
  const settings = timingOf(head, text, draft);
  const checkPort = portOf(text("checkport"));
  if (checkPort !== null) settings.port = checkPort;
  const type = text("checktype") || "negotiate";
  const service = text("service") || (port === 443 ? "https" : port === 80 ? "http" : "");
  if (type === "off" || type === "on") return [];
  if (type === "negotiate" && (service === "http" || service === "https"))
    return [webCheck(service, text, settings, find, draft)];
  if (type !== "connect") {
    const about = find("checktype") ?? find("service") ?? head;
    draft.note(
      about.line,
      about.text,
      "became a check that the port accepts connections: holdfast knows tcp, http, https and script checks",
    );
  }
  return [{ tcp: settings }];
}

function timingOf(head: Directive, text: (key: string) => string, draft: Draft): PlainMap {
  const settings: PlainMap = {};
  const interval = secondsOf(text("checkinterval"), 50, 3_600_000);
  const timeout = secondsOf(text("negotiatetimeout") || text("checktimeout"), 10, 3_600_000);
  const fall = numberOf(text("failurecount"), 1, 100);
  if (interval !== null) settings.interval = interval;
  if (timeout !== null) settings.timeout = timeout;
  if (timeout !== null && Number.parseInt(timeout, 10) > Number.parseInt(interval ?? "2s", 10)) {
    settings.timeout = interval ?? "2s";
    draft.note(
      head.line,
      head.text,
      `the timeout of ${timeout} became ${settings.timeout}: it is at most the interval`,
    );
  }
  if (fall !== null) settings.fall = fall;
  return settings;
}

function webCheck(
  service: "http" | "https",
  text: (key: string) => string,
  settings: PlainMap,
  find: (key: string) => Directive | undefined,
  draft: Draft,
): PlainMap {
  const [request, host, method] = [text("request"), text("virtualhost"), text("httpmethod").toUpperCase()];
  const path = request.replace(/^[a-z]+:\/\/[^/]*/, "");
  const web: PlainMap = {
    path: path.startsWith("/") ? path : `/${path}`,
    ...(host === "" ? {} : { host }),
    ...(method === "HEAD" ? { method } : {}),
    ...settings,
  };
  const receive = find("receive");
  if (receive !== undefined && isPattern(unquoted(receive.value)))
    web.expect = { body: { matches: unquoted(receive.value) } };
  else if (receive !== undefined)
    draft.note(receive.line, receive.text, "is not carried over: it is no JavaScript regular expression");
  // ldirectord does not look at certificates.
  return service === "https" ? { https: { ...web, tls: { verify: false } } } : { http: web };
}

function isPattern(text: string): boolean {
  if (text === "" || text.length > 500) return false;
  try {
    new RegExp(text);
    return true;
  } catch {
    return false;
  }
}

function unquoted(text: string): string {
  return /^"(.*)"$/.exec(text)?.[1] ?? text;
}

import type { Protocol } from "../../base/endpoint.ts";
import { SCHEDULERS } from "../model.ts";
import {
  addressOf,
  type Draft,
  listenOf,
  numberOf,
  type Plain,
  type PlainMap,
  portOf,
  prefixOfMask,
  secondsOf,
  tunnelOf,
} from "./draft.ts";
import type { Statement } from "./keepalived-syntax.ts";
import { leaveOut, programOf } from "./keepalived-words.ts";

const FORWARDS: Readonly<Record<string, string>> = { NAT: "nat", DR: "dr", TUN: "tun" };

/** What the checks of a virtual server's real servers share. */
interface Shared {
  readonly interval: string | null;
  readonly timeout: string | null;
  readonly host: string | null;
}

/** `virtual_server 192.0.2.10 80 { … }`, or `virtual_server group NAME { … }`. */
export function importVirtualServer(
  statement: Statement,
  groups: ReadonlyMap<string, readonly Statement[]>,
  draft: Draft,
): void {
  const body = statement.body ?? [];
  const protocol = protocolOf(body);
  const listen = protocol === null ? [] : listensOf(statement, protocol, groups, draft);
  if (protocol === null || listen.length === 0) {
    draft.note(
      statement.line,
      statement.words.join(" "),
      "is not carried over: holdfast knows tcp and udp services with an address and a port",
    );
    return;
  }
  if (!body.some(({ words }) => words[0] === "protocol"))
    draft.note(
      statement.line,
      statement.words.join(" "),
      "says no protocol, and keepalived takes UDP for it: take `udp://` away if TCP is meant",
    );
  const service: PlainMap = { listen: listen.length === 1 ? (listen[0] ?? "") : listen };
  const servers: { readonly server: PlainMap; readonly checks: readonly Plain[] }[] = [];
  const shared = sharedOf(body);
  const persistence: PlainMap = {};
  for (const one of body) {
    const [keyword = "", value = ""] = one.words;
    if ((keyword === "lb_algo" || keyword === "lvs_sched") && SCHEDULERS.some((name) => name === value))
      service.scheduler = value;
    else if ((keyword === "lb_kind" || keyword === "lvs_method") && forwardOf(one) !== null)
      service.forward = forwardOf(one) ?? "nat";
    else if (keyword === "persistence_timeout") persistence.timeout = `${numberOf(value, 1, 86_400) ?? 360}s`;
    else if (keyword === "persistence_granularity" && prefixOfMask(value) !== null)
      persistence.prefix = prefixOfMask(value) ?? 32;
    else if (keyword === "real_server") {
      const server = importRealServer(one, shared, service, draft);
      if (server !== null) servers.push(server);
    } else if (!["protocol", "delay_loop", "connect_timeout", "virtualhost"].includes(keyword)) leaveOut(one, draft);
  }
  if (persistence.timeout !== undefined) service.persistence = persistence;
  const texts = servers.map(({ checks }) => JSON.stringify(checks));
  const areSame = texts.every((text) => text === texts[0]);
  service.servers = servers.map(({ server, checks }) => (areSame ? server : { ...server, checks }));
  service.checks = areSame ? (servers[0]?.checks ?? []) : [];
  draft.addService(
    statement.words[1] === "group" ? (statement.words[2] ?? "") : nameOf(protocol, listen[0] ?? ""),
    service,
  );
}

/** `NAT`, `DR`, `TUN`, `TUN type gue port 6080`. */
function forwardOf({ words }: Statement): Plain | null {
  const [, value = "", ...rest] = words;
  const forward = FORWARDS[value] ?? null;
  const after = (word: string): string | undefined => (rest.includes(word) ? rest[rest.indexOf(word) + 1] : undefined);
  return forward === "tun" ? tunnelOf(after("type"), after("port")) : forward;
}

function nameOf(protocol: Protocol, listen: string): string {
  const bare = listen.replace(/^[a-z]+:\/\//, "").replace(/[[\]]/g, "");
  return `${protocol === "udp" ? "udp-" : ""}${bare.replaceAll(":", "-")}`;
}

/** UDP where none is said, as keepalived 2.2 has it. */
function protocolOf(body: readonly Statement[]): Protocol | null {
  const said = body.find(({ words }) => words[0] === "protocol")?.words[1] ?? "UDP";
  return said === "TCP" ? "tcp" : said === "UDP" ? "udp" : null;
}

function listensOf(
  { words }: Statement,
  protocol: Protocol,
  groups: ReadonlyMap<string, readonly Statement[]>,
  draft: Draft,
): readonly string[] {
  const [, first = "", second = ""] = words;
  if (first !== "group") return [listenOf(protocol, first, second)].filter((one) => one !== null);
  const found: string[] = [];
  for (const { words: member, line } of groups.get(second) ?? []) {
    const listen = listenOf(protocol, member[0] ?? "", member[1] ?? "");
    if (listen === null) draft.note(line, member.join(" "), "is not carried over: list each address and port");
    else found.push(listen);
  }
  return found;
}

function sharedOf(body: readonly Statement[]): Shared {
  const textOf = (keyword: string) => body.find(({ words }) => words[0] === keyword)?.words[1];
  return {
    interval: secondsOf(textOf("delay_loop"), 50, 3_600_000),
    timeout: secondsOf(textOf("connect_timeout"), 10, 3_600_000),
    host: textOf("virtualhost") ?? null,
  };
}

function importRealServer(
  statement: Statement,
  shared: Shared,
  service: PlainMap,
  draft: Draft,
): { readonly server: PlainMap; readonly checks: readonly Plain[] } | null {
  const [, host = "", digits = ""] = statement.words;
  const address = addressOf(host);
  const port = portOf(digits);
  if (address === null || port === null) {
    draft.note(statement.line, statement.words.join(" "), "is not carried over: a server has an address and a port");
    return null;
  }
  const server: PlainMap = { address: address.includes(":") ? `[${address}]:${port}` : `${address}:${port}` };
  const checks: Plain[] = [];
  for (const one of statement.body ?? []) {
    const [keyword = "", value = ""] = one.words;
    if (keyword === "weight" && numberOf(value, 0, 65_535) !== null) server.weight = Number(value);
    else if (keyword === "inhibit_on_failure") service.onDown = "quiesce";
    else if (keyword === "TCP_CHECK") checks.push({ tcp: settingsOf(one, shared, draft, []) });
    else if (keyword === "HTTP_GET" || keyword === "SSL_GET") checks.push(...webChecks(one, shared, draft));
    else if (keyword === "MISC_CHECK") checks.push(...scriptCheck(one, shared, draft));
    else leaveOut(one, draft);
  }
  return { server, checks };
}

/** Timing and port, which checks of every kind have. @param known keywords that the caller reads */
function settingsOf(check: Statement, shared: Shared, draft: Draft, known: readonly string[]): PlainMap {
  const settings: PlainMap = shared.interval === null ? {} : { interval: shared.interval };
  let timeout = shared.timeout;
  for (const one of check.body ?? []) {
    const [keyword = "", value = ""] = one.words;
    const retries = numberOf(value, 0, 99);
    if (keyword === "connect_port" && portOf(value) !== null) settings.port = Number(value);
    else if (keyword === "connect_timeout" && secondsOf(value, 10, 3_600_000) !== null)
      timeout = secondsOf(value, 10, 3_600_000);
    else if ((keyword === "retry" || keyword === "nb_get_retry") && retries !== null) settings.fall = retries + 1;
    else if (!known.includes(keyword)) leaveOut(one, draft);
  }
  return { ...settings, ...timeoutOf(timeout, shared, check, draft) };
}

/** A timeout is at most the interval. */
function timeoutOf(timeout: string | null, shared: Shared, { line, words }: Statement, draft: Draft): PlainMap {
  if (timeout === null) return {};
  const ms = (text: string): number => Number.parseInt(text, 10) * (text.endsWith("ms") ? 1 : 1000);
  const interval = shared.interval ?? "2s";
  if (ms(timeout) <= ms(interval)) return { timeout };
  draft.note(line, words.join(" "), `its timeout of ${timeout} became ${interval}: it is at most the interval`);
  return { timeout: interval };
}

/** One check for each `url`. */
function webChecks(check: Statement, shared: Shared, draft: Draft): readonly Plain[] {
  const isTls = check.words[0] === "SSL_GET";
  const settings = settingsOf(check, shared, draft, ["url", "virtualhost"]);
  const host = (check.body ?? []).find(({ words }) => words[0] === "virtualhost")?.words[1] ?? shared.host;
  const urls = (check.body ?? []).filter(({ words }) => words[0] === "url");
  if (urls.length === 0)
    draft.note(check.line, check.words.join(" "), "has no url, so keepalived does not run it either");
  return urls.map((url) => {
    const web: PlainMap = { ...(host === null ? {} : { host }), ...settings };
    for (const one of url.body ?? []) {
      const [keyword = "", ...values] = one.words;
      if (keyword === "path" && values[0] !== undefined)
        web.path = values[0].startsWith("/") ? values[0] : `/${values[0]}`;
      else if (keyword === "status_code" && values.every((value) => /^[1-5]\d\d(-[1-5]\d\d)?$/.test(value)))
        web.expect = { status: values.map((value) => (value.includes("-") ? value : Number(value))) };
      else if (keyword === "virtualhost" && values[0] !== undefined) web.host = values[0];
      else leaveOut(one, draft);
    }
    // keepalived does not look at certificates.
    return isTls ? { https: { ...web, tls: { verify: false } } } : { http: web };
  });
}

function scriptCheck(check: Statement, shared: Shared, draft: Draft): readonly Plain[] {
  const script: PlainMap = { ...(shared.interval === null ? {} : { interval: shared.interval }) };
  let run: readonly string[] | null = null;
  for (const one of check.body ?? []) {
    const [keyword = "", ...values] = one.words;
    if (keyword === "misc_path") run = programOf(values, one, draft);
    else if (keyword === "misc_timeout" && secondsOf(values[0], 10, 3_600_000) !== null)
      Object.assign(script, timeoutOf(secondsOf(values[0], 10, 3_600_000), shared, one, draft));
    else if (keyword === "misc_dynamic") script.weight = true;
    else leaveOut(one, draft);
  }
  return run === null ? [] : [{ script: { run: [...run], ...script } }];
}

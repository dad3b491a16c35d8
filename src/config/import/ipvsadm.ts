import type { Protocol } from "../../base/endpoint.ts";
import { type FORWARD_METHODS, SCHEDULERS } from "../model.ts";
import {
  addressOf,
  Draft,
  type Imported,
  nameOfListen,
  numberOf,
  type Plain,
  type PlainMap,
  portOf,
  prefixOfMask,
  tunnelOf,
} from "./draft.ts";

type Forward = (typeof FORWARD_METHODS)[number];

const FORWARDS: Readonly<Record<string, Forward>> = { "-m": "nat", "-g": "dr", "-i": "tun" };

/** Options of a server that stand alone; ipvsadm prints one of them for every tunnel with a header of its own. */
const TUNNEL_FLAGS: ReadonlySet<string> = new Set(["--tun-nocsum", "--tun-csum", "--tun-remcsum"]);

interface ServiceLine {
  readonly service: PlainMap;
  readonly servers: Plain[];
  /** Known with the first server. */
  forward: Forward | null;
  /** What tun packets are wrapped in, where it is not IP. */
  tunnel: Plain | null;
}

/**
 * The output of `ipvsadm -S -n` (or `-Sn`): a table as it stands in the kernel. It knows no checks and no virtual addresses.
 * @see ipvsadm(8)
 */
export function importIpvsadm(text: string): Imported {
  const draft = new Draft();
  const services = new Map<string, ServiceLine>();
  text.split("\n").forEach((raw, index) => {
    const line = raw.trim();
    const words = line.split(/\s+/);
    if (line === "" || line.startsWith("#")) return;
    const say = (message: string): void => draft.note(index + 1, line, message);
    if (words[0] === "-A" || words[0] === "--add-service") addService(draft, services, words.slice(1), say);
    else if (words[0] === "-a" || words[0] === "--add-server") addServer(services, words.slice(1), say);
    else say("is no line of `ipvsadm -S`");
  });
  for (const { service, servers, forward, tunnel } of services.values()) {
    service.forward = (forward === "tun" ? tunnel : null) ?? forward ?? "nat";
    service.servers = servers;
    service.checks = [];
  }
  if (services.size > 0)
    draft.note(1, "checks: []", "ipvsadm knows no health checks: write them, or servers that die keep their clients");
  return draft.result();
}

function addService(
  draft: Draft,
  services: Map<string, ServiceLine>,
  words: readonly string[],
  say: (message: string) => void,
): void {
  const [kind = "", where = "", ...options] = words;
  const protocol = protocolOf(kind);
  const listen = protocol === null ? null : endpointOf(where);
  if (protocol === null || listen === null) {
    say(
      kind === "-f"
        ? "firewall marks are not supported: list the addresses and ports under listen"
        : "is not carried over: holdfast knows tcp and udp services with an address and a port",
    );
    return;
  }
  const service: PlainMap = { listen: `${protocol === "udp" ? "udp://" : ""}${listen.text}` };
  const persistence: PlainMap = {};
  for (let i = 0; i < options.length; i += 1) {
    const [option, value = ""] = [options[i], options[i + 1]];
    if (option === "-s" && SCHEDULERS.some((name) => name === value)) service.scheduler = value;
    else if (option === "-p") persistence.timeout = `${numberOf(value, 1, 86_400) ?? 300}s`;
    else if (option === "-M" && prefixOfMask(value) !== null) persistence.prefix = prefixOfMask(value) ?? 32;
    else if (option === "-b") service.hash = hashOf(value);
    else say(`${option} ${value}`.trim().concat(" is not carried over"));
    // `-p` may stand alone: 300 seconds then.
    if (!(option === "-p" && numberOf(value, 1, 86_400) === null)) i += 1;
  }
  if (persistence.timeout !== undefined) service.persistence = persistence;
  draft.addService(nameOfListen(protocol, listen.address, listen.port), service);
  services.set(`${kind} ${where}`, { service, servers: [], forward: null, tunnel: null });
}

function addServer(services: Map<string, ServiceLine>, words: readonly string[], say: (message: string) => void): void {
  const [kind = "", where = ""] = words;
  const service = services.get(`${kind} ${where}`);
  if (service === undefined) {
    say("belongs to no service above that was carried over");
    return;
  }
  let address = "";
  let weight = 1;
  for (let i = 2; i < words.length; i += 1) {
    const word = words[i] ?? "";
    const forward = FORWARDS[word];
    const next = words[i + 1] ?? "";
    if (forward !== undefined) {
      if (service.forward !== null && service.forward !== forward)
        say(`forwards by ${forward}, the servers before it by ${service.forward}: a service has one method`);
      else service.forward = forward;
      continue;
    }
    if (TUNNEL_FLAGS.has(word)) {
      // Ours have no checksums either.
      if (word !== "--tun-nocsum") say(`${word} is not carried over`);
      continue;
    }
    const isDefault = (word === "-x" || word === "-y") && next === "0";
    const tunnel = word === "--tun-type" ? tunnelOf(next, words[words.indexOf("--tun-port") + 1]) : null;
    if (word === "-r") address = endpointOf(next)?.text ?? "";
    else if (word === "-w") weight = numberOf(next, 0, 65_535) ?? 1;
    else if (tunnel !== null) service.tunnel = tunnel === "tun" ? null : tunnel;
    else if (word !== "--tun-port" && !isDefault) say(`${word} ${next}`.trim().concat(" is not carried over"));
    i += 1;
  }
  if (address === "") say("names no server with an address and a port");
  else service.servers.push({ address, weight });
}

function protocolOf(kind: string): Protocol | null {
  return kind === "-t" ? "tcp" : kind === "-u" ? "udp" : null;
}

/** `192.0.2.10:80`, `[2001:db8::10]:80`. */
function endpointOf(text: string): { readonly text: string; readonly address: string; readonly port: number } | null {
  const [, host = "", digits = ""] = /^(.*):(\d+)$/.exec(text) ?? [];
  const address = addressOf(host);
  const port = portOf(digits);
  if (address === null || port === null) return null;
  return { text: address.includes(":") ? `[${address}]:${port}` : `${address}:${port}`, address, port };
}

/** `sh-fallback,sh-port`, `mh-port`. */
function hashOf(flags: string): PlainMap {
  return { fallback: /-fallback/.test(flags), port: /-port/.test(flags) };
}

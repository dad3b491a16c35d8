import { type Endpoint, formatEndpoint, parseEndpoint } from "../base/endpoint.ts";
import { familyOf, type IpText, parseIp } from "../base/ip.ts";
import { err, ok, type Result } from "../base/result.ts";

/** What a probe asks. */
export type Target =
  | { readonly type: "icmp"; readonly address: IpText }
  | { readonly type: "tcp"; readonly endpoint: Endpoint }
  | { readonly type: "http"; readonly endpoint: Endpoint; readonly path: string };

const HTTP_PORT = 80;
const MAX_LENGTH = 500;

export const TARGET_ACCEPTS =
  "icmp://ADDRESS, tcp://ADDRESS:PORT or http://ADDRESS[:PORT]/PATH, for example http://192.0.2.10/healthz";

/** Reads a target. Addresses, not names: a name server is to have no part in what is measured. */
export function parseTarget(text: string): Result<Target, string> {
  const match = /^(icmp|tcp|http):\/\/(.*)$/.exec(text);
  if (match === null || text.length > MAX_LENGTH) return err(`expected ${TARGET_ACCEPTS}`);
  const [, scheme, rest = ""] = match;
  if (scheme === "icmp") {
    const address = parseIp(bare(rest));
    return address.ok ? ok({ type: "icmp", address: address.value }) : address;
  }
  if (scheme === "tcp") {
    const endpoint = parseEndpoint(rest);
    return endpoint.ok ? ok({ type: "tcp", endpoint: endpoint.value }) : endpoint;
  }
  const slash = rest.indexOf("/");
  const [place, path] = slash < 0 ? [rest, "/"] : [rest.slice(0, slash), rest.slice(slash)];
  if (!/^[\x21-\x7e]+$/.test(path)) return err("a path holds neither spaces nor control characters");
  const address = parseIp(bare(place));
  const endpoint = address.ok ? ok({ address: address.value, port: HTTP_PORT }) : parseEndpoint(place);
  return endpoint.ok ? ok({ type: "http", endpoint: endpoint.value, path }) : endpoint;
}

export function formatTarget(target: Target): string {
  if (target.type === "icmp") return `icmp://${bracketed(target.address)}`;
  if (target.type === "tcp") return `tcp://${formatEndpoint(target.endpoint)}`;
  const { address, port } = target.endpoint;
  const place = port === HTTP_PORT ? bracketed(address) : formatEndpoint(target.endpoint);
  return `http://${place}${target.path}`;
}

function bare(text: string): string {
  const match = /^\[(.*)\]$/.exec(text);
  return match !== null && (match[1] ?? "").includes(":") ? (match[1] ?? "") : text;
}

function bracketed(address: IpText): string {
  return familyOf(address) === 6 ? `[${address}]` : address;
}

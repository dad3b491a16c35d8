import { familyOf, type IpText, parseIp } from "./ip.ts";
import { err, ok, type Result } from "./result.ts";

/** Transport protocols that IPVS schedules here, as the configuration spells them. */
export type Protocol = "tcp" | "udp";

/** Where a service listens or a server serves: an address and a port, 1 to 65535. */
export interface Endpoint {
  readonly address: IpText;
  readonly port: number;
}

/** What a service listens on, `udp://192.0.2.10:53`. */
export interface ListenEndpoint extends Endpoint {
  readonly protocol: Protocol;
}

/** Reads `192.0.2.10:80` or `[2001:db8::1]:80`. */
export function parseEndpoint(text: string): Result<Endpoint, string> {
  const bracketed = /^\[([^\]]*)\]:(\d{1,5})$/.exec(text);
  const plain = /^([^:[\]]+):(\d{1,5})$/.exec(text);
  const match = bracketed ?? plain;
  if (match === null) {
    const bare = parseIp(text.replace(/^\[|\]$/g, ""));
    if (bare.ok) {
      const example = familyOf(bare.value) === 6 ? `[${bare.value}]:80` : `${bare.value}:80`;
      return err(`the port is missing, for example ${example}`);
    }
    return err("expected ADDRESS:PORT, for example 192.0.2.10:80 or [2001:db8::10]:80");
  }
  const address = parseIp(match[1] ?? "");
  if (!address.ok) return address;
  if ((bracketed !== null) !== (familyOf(address.value) === 6)) return err("only IPv6 addresses stand in brackets");
  const port = Number(match[2]);
  if (port < 1 || port > 65535) return err("the port must be 1 to 65535");
  return ok({ address: address.value, port });
}

/** Reads a listen endpoint; `tcp://` is the default. */
export function parseListenEndpoint(text: string): Result<ListenEndpoint, string> {
  const match = /^([a-z]+):\/\/(.*)$/.exec(text);
  const protocol = match?.[1] ?? "tcp";
  if (protocol !== "tcp" && protocol !== "udp") return err(`unknown protocol ${protocol}; expected tcp or udp`);
  const endpoint = parseEndpoint(match?.[2] ?? text);
  return endpoint.ok ? ok({ protocol, ...endpoint.value }) : endpoint;
}

export function formatEndpoint(endpoint: Endpoint): string {
  return familyOf(endpoint.address) === 6
    ? `[${endpoint.address}]:${endpoint.port}`
    : `${endpoint.address}:${endpoint.port}`;
}

export function formatListenEndpoint(endpoint: ListenEndpoint): string {
  return `${endpoint.protocol}://${formatEndpoint(endpoint)}`;
}

import { readFileSync } from "node:fs";
import type { Running } from "./commands.ts";
import { runAsync } from "./commands.ts";
import type { Host } from "./hosts.ts";
import type { Method } from "./topology.ts";

/** Who answered how often; failures under curl's words. */
export type Answers = ReadonlyMap<string, number>;

const MARK = "\u0001";

/**
 * Sends requests from a host by curl, each over a connection of its own, and counts who answered.
 * @param url with scheme and path; `{n}` is not needed, requests are told apart by a query
 */
export async function curl(
  host: Host,
  url: string,
  requests: number,
  options: readonly string[] = [],
): Promise<Answers> {
  const counts = new Map<string, number>();
  const command = [
    ...["curl", "--silent", "--globoff", "--max-time", "8", "--noproxy", "*", "--header", "Connection: close"],
    ...["--write-out", `${MARK}%{http_code}${MARK}%{errormsg}${MARK}`, ...options],
    ...Array.from({ length: requests }, (_, index) => `${url}?${index + 1}`),
  ];
  const { stdout, stderr } = await host.execAsync(command);
  const fields = stdout.split(MARK);
  for (let index = 0; index + 2 < fields.length; index += 3) {
    const [body = "", code = "", error = ""] = fields.slice(index, index + 3);
    const who = error !== "" ? `curl: ${error}` : code.startsWith("2") ? body.trim() : `status ${code}`;
    counts.set(who, (counts.get(who) ?? 0) + 1);
  }
  const seen = [...counts.values()].reduce((sum, count) => sum + count, 0);
  if (seen < requests) counts.set(`curl: no answer ${stderr.trim()}`, requests - seen);
  return counts;
}

/** The first line that a TCP server sends, read by curl. */
export async function greeting(host: Host, address: string, port: number): Promise<string> {
  const { stdout } = await host.execAsync(["curl", "--silent", "--max-time", "8", `telnet://${address}:${port}`]);
  return stdout.trim();
}

export interface TableServer {
  readonly address: string;
  readonly port: number;
  readonly method: Method | "local";
  readonly weight: number;
  readonly active: number;
  readonly inactive: number;
}

export interface TableService {
  readonly protocol: "tcp" | "udp" | "sctp";
  readonly address: string;
  readonly port: number;
  readonly scheduler: string;
  /** What follows the scheduler: `persistent 300`, `(mh-fallback)`. */
  readonly flags: string;
  readonly servers: readonly TableServer[];
}

const METHODS: Readonly<Record<string, Method | "local">> = { Masq: "nat", Route: "dr", Tunnel: "tun", Local: "local" };
const SERVICE = /^(TCP|UDP|SCTP)\s+(\S+):(\d+) (\S+)\s*(.*)$/;
const SERVER = /^\s+->\s+(\S+):(\d+)\s+(Masq|Route|Tunnel|Local)\s+(\d+)\s+(\d+)\s+(\d+)/;

/** Reads `ipvsadm -Ln`. Services by firewall mark are passed over. */
export function parseTable(text: string): TableService[] {
  const services: (TableService & { servers: TableServer[] })[] = [];
  for (const line of text.split("\n")) {
    const service = SERVICE.exec(line);
    if (service !== null) {
      const [, protocol = "", address = "", port = "", scheduler = "", flags = ""] = service;
      services.push({
        protocol: protocol.toLowerCase() as TableService["protocol"],
        address: address.replace(/^\[|\]$/g, ""),
        port: Number(port),
        scheduler,
        flags: flags.trim(),
        servers: [],
      });
      continue;
    }
    const server = SERVER.exec(line);
    if (server === null) continue;
    const [, address = "", port = "", method = "", weight, active, inactive] = server;
    services.at(-1)?.servers.push({
      address: address.replace(/^\[|\]$/g, ""),
      port: Number(port),
      method: METHODS[method] ?? "local",
      weight: Number(weight),
      active: Number(active),
      inactive: Number(inactive),
    });
  }
  return services;
}

/** The IPVS table of a host as ipvsadm sees it. */
export async function table(host: Host): Promise<TableService[]> {
  const { status, stdout, stderr } = await host.execAsync(["ipvsadm", "-Ln"]);
  if (status !== 0) throw new Error(`ipvsadm -Ln on ${host.name}: ${stderr.trim()}`);
  return parseTable(stdout);
}

/** Weight by `address:port` of one service, empty if there is no such service. */
export async function weights(host: Host, vip: string, port: number): Promise<ReadonlyMap<string, number>> {
  const service = (await table(host)).find((entry) => entry.address === vip && entry.port === port);
  return new Map((service?.servers ?? []).map((server) => [`${server.address}:${server.port}`, server.weight]));
}

/** A tcpdump that runs. */
export class Capture {
  readonly file: string;
  readonly #program: Running;

  constructor(program: Running, file: string) {
    this.#program = program;
    this.file = file;
  }

  /** Ends it. @returns what it saw as text, one packet a line, with seconds since the epoch */
  async stop(): Promise<string[]> {
    await this.#program.stop("SIGINT");
    const { stdout } = await runAsync(["tcpdump", "-tt", "-nn", "-r", this.file]);
    return stdout.split("\n").filter((line) => line !== "");
  }

  bytes(): Buffer {
    return readFileSync(this.file);
  }
}

/** Captures packets on an interface of a host; returns once tcpdump says that it listens. */
export async function startCapture(host: Host, file: string, device: string, filter: string): Promise<Capture> {
  const program = host.start(["tcpdump", "-i", device, "-nn", "-U", "-w", file, filter], {
    name: `tcpdump on ${host.name}`,
  });
  await program.line(/listening on/);
  return new Capture(program, file);
}

/** An advert as tcpdump read it. */
export interface Advert {
  readonly atMs: number;
  readonly source: string;
  readonly vrid: number;
  readonly priority: number;
}

const ADVERT = /^(\d+\.\d+) IP (\S+) > \S+: (?:vrrp |VRRPv\d, )?.*vrid (\d+), prio (\d+)/;

/** The VRRP adverts among captured lines. */
export function adverts(lines: readonly string[]): Advert[] {
  return lines.flatMap((line) => {
    const match = ADVERT.exec(line);
    if (match === null) return [];
    const [, at, source = "", vrid, priority] = match;
    return [{ atMs: Number(at) * 1000, source, vrid: Number(vrid), priority: Number(priority) }];
  });
}

/** Senders in their order, each change once: `[lb1, lb2, lb1]`. */
export function succession(list: readonly Advert[]): string[] {
  return list.map((advert) => advert.source).filter((source, index, all) => source !== all[index - 1]);
}

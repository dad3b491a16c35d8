import type { Running } from "./commands.ts";
import { runAsync } from "./commands.ts";
import type { Host } from "./hosts.ts";
import type { Method } from "./topology.ts";

/** Who answered how often; failures under curl's words. */
export type Answers = ReadonlyMap<string, number>;

const MARK = "\u0001";

/** One answer of a series, in the order of the requests: the server's name, `status CODE`, or curl's words. */
async function requests(host: Host, segments: readonly (readonly string[])[]): Promise<string[]> {
  const each = [
    ...["--silent", "--globoff", "--max-time", "8", "--noproxy", "*", "--header", "Connection: close"],
    ...["--write-out", `${MARK}%{http_code}${MARK}%{errormsg}${MARK}`],
  ];
  const command = segments.flatMap((segment, index) => [...(index === 0 ? ["curl"] : ["--next"]), ...each, ...segment]);
  const { stdout, stderr } = await host.execAsync(command);
  const fields = stdout.split(MARK);
  const answers: string[] = [];
  for (let index = 0; index + 2 < fields.length; index += 3) {
    const [body = "", code = "", error = ""] = fields.slice(index, index + 3);
    answers.push(error !== "" ? `curl: ${error}` : code.startsWith("2") ? body.trim() : `status ${code}`);
  }
  if (answers.length === 0) answers.push(`curl: no answer ${stderr.trim()}`);
  return answers;
}

/** Sends requests from a host by curl, each over a connection of its own, and counts who answered. */
export async function curl(host: Host, url: string, count: number, options: readonly string[] = []): Promise<Answers> {
  const urls = Array.from({ length: count }, (_, index) => `${url}?${index + 1}`);
  const counts = new Map<string, number>();
  for (const who of await requests(host, [[...options, ...urls]])) counts.set(who, (counts.get(who) ?? 0) + 1);
  return counts;
}

/** Sends one request from each of the host's own addresses. @returns who answered, in that order */
export function curlFrom(host: Host, url: string, sources: readonly string[]): Promise<string[]> {
  return requests(
    host,
    sources.map((source) => ["--interface", source, url]),
  );
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

  /** Ends it. @returns what it saw */
  async stop(): Promise<string[]> {
    await this.#program.stop("SIGINT");
    return this.read();
  }

  /** What it has seen so far as text, one packet a line, with seconds since the epoch. */
  async read(): Promise<string[]> {
    const { stdout } = await runAsync(["tcpdump", "-tt", "-nn", "-r", this.file]);
    return stdout.split("\n").filter((line) => line !== "");
  }
}

/** Captures packets on an interface of a host; returns once tcpdump says that it listens. */
export async function startCapture(host: Host, file: string, device: string, filter: string): Promise<Capture> {
  // Immediately: what still waits in the kernel's buffer when tcpdump is stopped would be lost.
  const program = host.start(["tcpdump", "--immediate-mode", "-i", device, "-nn", "-U", "-w", file, filter], {
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

/** UDP datagrams among captured lines, by the port that they are for. */
export function datagrams(
  lines: readonly string[],
  port: number,
): { readonly atMs: number; readonly source: string }[] {
  return lines.flatMap((line) => {
    const match = /^(\d+\.\d+) IP (\d+(?:\.\d+){3})\.\d+ > [\d.]+\.(\d+): UDP/.exec(line);
    if (match === null || Number(match[3]) !== port) return [];
    return [{ atMs: Number(match[1]) * 1000, source: match[2] ?? "" }];
  });
}

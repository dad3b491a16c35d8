import { DirectorError } from "../base/director-error.ts";
import { EXIT, type ExitCode } from "../base/exit-codes.ts";
import type { Finding } from "../base/finding.ts";
import { familyOf, type IpText } from "../base/ip.ts";
import { err, ok, orThrow, type Result } from "../base/result.ts";
import { asSentence } from "../base/sentence.ts";
import type { FileAccess } from "../config/file-access.ts";
import { Converger, type HostChange, unmetNeeds } from "../realserver/converge.ts";
import { obstacles, unmetFindings } from "../realserver/findings.ts";
import type { HostInterface, RealServerHost } from "../realserver/host.ts";
import {
  parseVirtualAddress,
  type Selection,
  selects,
  type TunnelWay,
  type Wanted,
  withUp,
} from "../realserver/wanted.ts";
import type { RealServerOptions } from "./commands/realserver.ts";
import { renderFindings } from "./findings-view.ts";
import { paintsFor, type Terminal } from "./terminal.ts";

export interface RealServerCollaborators {
  readonly host: RealServerHost;
  readonly files: FileAccess;
  readonly nodeName: string;
  readonly isRoot: boolean;
  /** Runs something while no other holdfast changes this machine. */
  alone<T>(use: () => Result<T, DirectorError>): Result<T, DirectorError>;
}

const DEFAULT_GUE_PORT = 6080;

/** `holdfast realserver up|down|check`. */
export async function realServerCommand(
  options: RealServerOptions,
  terminal: Terminal,
  collaborators: RealServerCollaborators,
): Promise<ExitCode> {
  const interfaces = orThrow(collaborators.host.interfaces());
  const asked = await wantedOf(options, interfaces, collaborators);
  if (!asked.ok) {
    terminal.err.write(`holdfast: ${asSentence(asked.error)} See \`holdfast realserver ${options.action} --help\`.\n`);
    return EXIT.USAGE;
  }
  if (options.action === "check") return check(options, asked.value, interfaces, terminal, collaborators.host);
  if (!collaborators.isRoot && !options.dryRun) {
    throw new DirectorError(
      "PRIVILEGE_MISSING",
      "preparing a real server changes addresses and settings of the kernel",
    );
  }
  return options.action === "up"
    ? up(options, asked.value, interfaces, terminal, collaborators)
    : down(options, asked.value, terminal, collaborators);
}

function up(
  options: RealServerOptions,
  asked: readonly Wanted[],
  interfaces: readonly HostInterface[],
  terminal: Terminal,
  { host, alone }: RealServerCollaborators,
): ExitCode {
  const inTheWay = obstacles(asked, interfaces);
  if (inTheWay.length > 0) {
    printFindings(options, inTheWay, terminal);
    return EXIT.FAILED;
  }
  const changes = alone(() => {
    const record = host.load();
    if (!record.ok) return record;
    return Converger.run(host, { wanted: withUp(record.value.wanted, asked), isDryRun: options.dryRun });
  });
  printChanges(options, orThrow(changes), terminal);
  return EXIT.OK;
}

function down(
  options: RealServerOptions,
  asked: readonly Wanted[],
  terminal: Terminal,
  { host, alone }: RealServerCollaborators,
): ExitCode {
  const selection: Selection = { name: options.name, addresses: asked.map(({ address }) => address) };
  const changes = alone(() => {
    const record = host.load();
    if (!record.ok) return record;
    const wanted = record.value.wanted.filter((each) => !selects(selection, each));
    return Converger.run(host, { wanted, isDryRun: options.dryRun });
  });
  printChanges(options, orThrow(changes), terminal);
  return EXIT.OK;
}

function check(
  options: RealServerOptions,
  asked: readonly Wanted[],
  interfaces: readonly HostInterface[],
  terminal: Terminal,
  host: RealServerHost,
): ExitCode {
  const selection: Selection = { name: options.name, addresses: asked.map(({ address }) => address) };
  const prepared = orThrow(host.load()).wanted.filter((each) => selects(selection, each));
  // What is said on the command line counts; without a method, how the address was prepared.
  const isDescribed = options.method !== null || options.from !== null;
  const wanted = isDescribed ? asked : prepared;
  const unknown = asked.filter(({ address }) => !wanted.some((each) => each.address === address));
  if (wanted.length === 0 || unknown.length > 0) {
    const what = unknown.length > 0 ? unknown.map(({ address }) => address).join(", ") : "any address";
    terminal.err.write(
      `holdfast: this machine was not prepared for ${what} since it started. Say the address and --method, or run \`holdfast realserver up\`.\n`,
    );
    return EXIT.FAILED;
  }
  const findings = [...obstacles(wanted, interfaces), ...unmetFindings(orThrow(unmetNeeds(host, wanted)))];
  printFindings(options, findings, terminal);
  return findings.length === 0 ? EXIT.OK : EXIT.FAILED;
}

function printChanges({ json }: RealServerOptions, changes: readonly HostChange[], terminal: Terminal): void {
  if (json) {
    terminal.out.write(`${JSON.stringify({ changes }, null, 2)}\n`);
    return;
  }
  const lines = changes.map(({ subject, from, to }) => `${subject}: ${from ?? "absent"} -> ${to ?? "absent"}\n`);
  terminal.out.write(lines.length === 0 ? "nothing to do\n" : lines.join(""));
}

function printFindings({ json }: RealServerOptions, findings: readonly Finding[], terminal: Terminal): void {
  terminal.out.write(
    json ? `${JSON.stringify({ findings }, null, 2)}\n` : renderFindings(findings, paintsFor(terminal)),
  );
}

/** What the command line asks for, or the sentence that says what is wrong with it. */
async function wantedOf(
  options: RealServerOptions,
  interfaces: readonly HostInterface[],
  { files, nodeName }: RealServerCollaborators,
): Promise<Result<readonly Wanted[], string>> {
  const how = howOf(options);
  if (!how.ok) return how;
  const { arp, name } = how.value;
  const chosen = { arp, name, interfaces: how.value.interfaces };
  if (options.from !== null) {
    if (options.addresses.length > 0) return err("give addresses or --from, not both");
    if (options.method !== null || options.tunnel !== null) return err("--from says method and tunnel itself");
    const services = await servicesHere(options.from, interfaces, files, nodeName);
    return services.ok ? ok(services.value.map((each) => ({ ...each, ...chosen }))) : services;
  }
  const wanted: Wanted[] = [];
  for (const text of options.addresses) {
    const address = parseVirtualAddress(text);
    if (!address.ok) return address;
    if (!wanted.some((each) => each.address === address.value)) {
      wanted.push({ address: address.value, tunnel: how.value.tunnel, ...chosen });
    }
  }
  if (options.action !== "up") return ok(wanted);
  if (options.method === null) return err("say how the directors forward: --method dr or --method tun");
  return wanted.length === 0 ? err("name at least one virtual address") : ok(wanted);
}

type How = Pick<Wanted, "tunnel" | "arp" | "interfaces" | "name">;

function howOf(options: RealServerOptions): Result<How, string> {
  const { method, arp = "sysctl", tunnel, name } = { ...options, arp: options.arp ?? "sysctl" };
  if (method !== null && method !== "dr" && method !== "tun") {
    const hint = method === "nat" ? ": a server behind nat needs only the director as its gateway" : "";
    return err(`--method ${method} is not dr or tun${hint}`);
  }
  if (arp !== "sysctl" && arp !== "nft") return err(`--arp ${arp} is not sysctl or nft`);
  if (name !== null && !/^[A-Za-z0-9][A-Za-z0-9._-]{0,62}$/.test(name)) return err(`--name ${name} is not a name`);
  const interfaces = options.interface === null ? [] : options.interface.split(",").map((each) => each.trim());
  const odd = interfaces.find((each) => !/^[^\s/"]{1,15}$/.test(each) || each === "." || each === "..");
  if (odd !== undefined) return err(`--interface ${JSON.stringify(odd)} is not the name of an interface`);
  const way = tunnelOf(method, tunnel, options.port);
  return way.ok ? ok({ tunnel: way.value, arp, interfaces, name }) : way;
}

function tunnelOf(
  method: string | null,
  tunnel: string | null,
  portText: string | null,
): Result<TunnelWay | null, string> {
  if (tunnel !== null && method !== "tun") return err("--tunnel belongs to --method tun");
  if (portText !== null && tunnel !== "gue") return err("--port belongs to --tunnel gue");
  if (method !== "tun") return ok(null);
  switch (tunnel) {
    case null:
    case "ipip":
      return ok({ type: "ipip" });
    case "gre":
      return ok({ type: "gre" });
    case "gue": {
      const port = portText === null ? DEFAULT_GUE_PORT : Number(portText);
      if (!/^\d{1,5}$/.test(portText ?? "1") || port < 1 || port > 65_535) return err("--port is 1 to 65535");
      return ok({ type: "gue", port });
    }
    default:
      return err(`--tunnel ${tunnel} is not ipip, gre or gue`);
  }
}

/** The virtual addresses of the dr and tun services that list an address of this machine as a server. */
async function servicesHere(
  file: string,
  interfaces: readonly HostInterface[],
  files: FileAccess,
  nodeName: string,
): Promise<Result<readonly Pick<Wanted, "address" | "tunnel">[], string>> {
  // Loaded here only: a real server has no such file, and mostly no need of a YAML parser.
  const { loadConfigFiles } = await import("../config/load-files.ts");
  const loaded = loadConfigFiles(file, { nodeName }, files);
  if (!loaded.ok) return err(`${file} is not valid; \`holdfast check ${file}\` says why`);
  const own = new Set(interfaces.flatMap(({ addresses }) => addresses.map(({ address }) => address)));
  const found = new Map<IpText, Pick<Wanted, "address" | "tunnel">>(); // bounded by the configuration
  for (const service of loaded.value.config.services) {
    if (service.forward === "nat" || !service.servers.some(({ address }) => own.has(address))) continue;
    for (const { address } of service.listen) {
      const known = found.get(address);
      const { tunnel } = service;
      if (known !== undefined && JSON.stringify(known.tunnel) !== JSON.stringify(tunnel)) {
        return err(`${file} forwards ${address} to this machine in two ways; name the address and --method`);
      }
      found.set(address, { address, tunnel });
    }
  }
  if (found.size > 0) return ok([...found.values()]);
  const listed = [...own].filter((address) => familyOf(address) === 6 || !address.startsWith("127."));
  return err(`${file} has no dr or tun service with a server of this machine (${listed.join(", ")})`);
}

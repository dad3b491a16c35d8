import { mkdirSync, writeFileSync } from "node:fs";
import { join, resolve } from "node:path";
import { fileURLToPath } from "node:url";
import type { Outcome, Running } from "./commands.ts";
import type { Host } from "./hosts.ts";
import { OUTSIDE, type Topology } from "./topology.ts";

export const ROOT = resolve(fileURLToPath(new URL("../../../../", import.meta.url)));
export const PROGRAM = join(ROOT, "dist/main.js");

/** A director of this project, running on a host of the lab. */
export class Director {
  readonly host: Host;
  readonly program: Running;
  readonly file: string;
  readonly #runDir: string;

  constructor(host: Host, program: Running, file: string, runDir: string) {
    this.host = host;
    this.program = program;
    this.file = file;
    this.#runDir = runDir;
  }

  get lines(): readonly string[] {
    return this.program.lines;
  }

  /** The command line of the program against this director: `status --json`, `reload`. */
  argv(args: readonly string[]): string[] {
    return [process.execPath, PROGRAM, ...args, "--run-dir", this.#runDir];
  }

  /** Runs it. */
  command(args: readonly string[]): Promise<Outcome> {
    return this.host.execAsync(this.argv(args));
  }

  /** Writes another configuration and asks for it to be taken. */
  async reload(yaml: string): Promise<Outcome> {
    writeFileSync(this.file, yaml);
    return this.command(["reload"]);
  }

  async stop(): Promise<void> {
    await this.program.stop("SIGTERM", 20_000);
  }
}

/**
 * Starts a director on a host; it is up when its effects are seen, which is for the caller to await.
 * @param wrapper in front of its command line
 */
export function startDirector(topology: Topology, host: Host, yaml: string, wrapper: readonly string[] = []): Director {
  const home = join(topology.dir, host.name);
  const file = join(home, "holdfast.yaml");
  const runDir = join(home, "run");
  const stateDir = join(home, "state");
  for (const dir of [runDir, stateDir]) mkdirSync(dir, { recursive: true });
  writeFileSync(file, yaml);
  const argv = [process.execPath, PROGRAM, "run", file, "--run-dir", runDir, "--state-dir", stateDir];
  const program = host.start([...wrapper, ...argv], { name: `holdfast on ${host.name}` });
  return new Director(host, program, file, runDir);
}

export type Transport = "multicast" | "udp";

export interface PairOptions {
  /** `udp` is for two directors, without the servers' gateway. */
  readonly transport?: Transport;
  readonly advertise?: string;
  /** Priority of lb1, lb2. */
  readonly priorities?: readonly [number, number];
  readonly preempt?: string;
  /** `defaults.check` of a web service. */
  readonly check?: string;
}

/** The `vrrp` part of the configuration of the n-th director, with the servers' gateway as a second instance for nat. */
export function vrrpYaml(topology: Topology, number: 1 | 2, options: PairOptions = {}): string {
  const { transport = "multicast", advertise = "1s", priorities = [150, 100], preempt = "true" } = options;
  const { vip, gateway, directors } = topology.plan;
  const cast = transport === "udp" ? `transport: udp, peers: [${directors[2 - number]}], ` : "";
  const instance = (name: string, device: string, vrid: number, address: string): string =>
    `    ${name}: { interface: ${device}, vrid: ${vrid}, priority: ${priorities[number - 1]}, advertise: ${advertise}, preempt: ${preempt}, ${cast}addresses: [${address}/32] }\n`;
  const inside = topology.method === "nat" ? instance("gateway", "eth1", 52, gateway) : "";
  return `node: lb${number}\nvrrp:\n  instances:\n${instance(OUTSIDE, "eth0", 51, vip)}${inside}`;
}

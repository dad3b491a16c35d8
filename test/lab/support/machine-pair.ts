import assert from "node:assert/strict";
import { join } from "node:path";
import { run } from "./commands.ts";
import { ROOT } from "./director.ts";
import { Load } from "./load.ts";
import { Machine } from "./machine.ts";
import { startWeb } from "./servers.ts";
import { type AddressPlan, OUTSIDE, Topology, USUAL_PLAN } from "./topology.ts";
import { waitFor } from "./wait.ts";

export const FILE = "/etc/holdfast/holdfast.yaml";
const SERVERS = 2;

/** Builds the package of this checkout. @returns its path */
function buildPackage(version: string, out: string): string {
  const said = run([
    process.execPath,
    join(ROOT, "scripts/package.mjs"),
    "--no-setup",
    "--version",
    version,
    "--out",
    out,
  ]);
  return said.slice(0, said.indexOf(" "));
}

/** Two machines that will be directors, a client and two real servers for dr, on one Ethernet. */
export class MachinePair {
  readonly topology: Topology;
  readonly machines: readonly [Machine, Machine];

  private constructor(topology: Topology, machines: readonly [Machine, Machine]) {
    this.topology = topology;
    this.machines = machines;
  }

  /** Boots both, with web servers on the real servers. */
  static async boot({ plan = USUAL_PLAN }: { readonly plan?: AddressPlan } = {}): Promise<MachinePair> {
    const topology = new Topology({ method: "dr", directors: 0, servers: SERVERS, plan });
    const machines: Machine[] = [];
    const boot = (number: 1 | 2): Machine => {
      const address = `${topology.plan.directors[number - 1]}/${topology.plan.outsidePrefix}`;
      const machine = new Machine({ name: `lb${number}`, number, bridge: OUTSIDE, address, dir: topology.dir });
      machines.push(machine);
      return machine;
    };
    try {
      const pair = new MachinePair(topology, [boot(1), boot(2)]);
      const hosts = topology.servers.map(({ host }) => host);
      await Promise.all([startWeb(hosts, topology.dir), ...machines.map((machine) => machine.booted())]);
      return pair;
    } catch (error) {
      await Promise.all(machines.map((machine) => machine.close()));
      await topology.close();
      throw error;
    }
  }

  async close(): Promise<void> {
    await Promise.all(this.machines.map((machine) => machine.close()));
    await this.topology.close();
  }

  lb(number: 1 | 2): Machine {
    return this.machines[number - 1] as Machine;
  }

  /** Does the same on both at the same time. */
  both<T>(act: (machine: Machine, number: 1 | 2) => Promise<T>): Promise<T[]> {
    return Promise.all([act(this.lb(1), 1), act(this.lb(2), 2)]);
  }

  /** Builds a version of the package and lays it on both media. @returns its path here, and in the machines */
  bringPackage(version: string): { readonly path: string; readonly inMachines: string } {
    const path = buildPackage(version, this.topology.dir);
    const [inMachines] = this.machines.map((machine) => machine.bring(path));
    assert.ok(inMachines !== undefined);
    return { path, inMachines };
  }

  /** The machines that have the virtual address on their Ethernet, as `ip` tells it. */
  async holders(): Promise<string[]> {
    const held = await this.both((machine) => machine.run("ip -br address show dev eth0"));
    return this.machines
      .map(({ name }) => name)
      .filter((_, index) => held[index]?.includes(`${this.topology.plan.vip}/`));
  }

  async heldBy(name: string, withinMs = 180_000): Promise<void> {
    await waitFor(
      `${name} alone holds ${this.topology.plan.vip}`,
      () => this.holders(),
      (seen) => seen.join() === name,
      { withinMs, everyMs: 250 },
    );
  }

  /** Servers in each table, as ipvsadm lists them. */
  async servers(number: 1 | 2): Promise<number> {
    const table = await this.lb(number).run("ipvsadm -Ln");
    return table.split("\n").filter((line) => line.trimStart().startsWith("->") && /:\d+ /.test(line)).length;
  }

  /** One request of the client after another, until told to stop. */
  load(): Load {
    return new Load(this.topology.client, this.topology.dir, `http://${this.topology.plan.vip}/`);
  }
}

/** What systemd knows of a unit. */
export async function show(
  machine: Machine,
  properties: string,
  unit = "holdfast.service",
): Promise<Map<string, string>> {
  const text = await machine.run(`systemctl show --property=${properties} ${unit}`);
  const lines = text.split("\n").filter(Boolean);
  return new Map(lines.map((line) => [line.slice(0, line.indexOf("=")), line.slice(line.indexOf("=") + 1)] as const));
}

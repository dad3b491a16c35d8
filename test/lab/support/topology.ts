import assert from "node:assert/strict";
import { mkdirSync, mkdtempSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { tryRun } from "./commands.ts";
import { addBridge, Host, removeBridge } from "./hosts.ts";

export type Method = "nat" | "dr" | "tun";

/** Who has which address. The servers live outside for dr and tun, inside for nat. */
export interface AddressPlan {
  readonly outsidePrefix: number;
  readonly vip: string;
  readonly client: string;
  readonly directors: readonly string[];
  /** Servers on the outside network, for dr and tun. */
  readonly servers: readonly string[];
  readonly insidePrefix: number;
  /** The floating address inside that is the servers' gateway, for nat. */
  readonly gateway: string;
  readonly insideDirectors: readonly string[];
  readonly insideServers: readonly string[];
}

function numbered(count: number, prefix: string, first: number): string[] {
  return Array.from({ length: count }, (_, index) => `${prefix}${first + index}`);
}

/** Documentation addresses outside, private ones inside. */
export const USUAL_PLAN: AddressPlan = {
  outsidePrefix: 24,
  vip: "192.0.2.100",
  client: "192.0.2.50",
  directors: numbered(2, "192.0.2.", 11),
  servers: numbered(8, "192.0.2.", 21),
  insidePrefix: 24,
  gateway: "10.0.0.1",
  insideDirectors: numbered(2, "10.0.0.", 11),
  insideServers: numbered(8, "10.0.0.", 21),
};

/** The example of the LVS documentation: VIP 202.103.106.5 in front of 172.16.0.2 and 172.16.0.3. */
export const CLASSIC_PLAN: AddressPlan = {
  ...USUAL_PLAN,
  vip: "202.103.106.5",
  client: "202.103.106.50",
  directors: numbered(2, "202.103.106.", 11),
  servers: numbered(2, "202.103.106.", 21),
  gateway: "172.16.0.1",
  insideDirectors: numbered(2, "172.16.0.", 11),
  insideServers: numbered(2, "172.16.0.", 2),
};

export interface TopologyOptions {
  /** How the servers are prepared; undefined: no servers. */
  readonly method?: Method;
  readonly servers?: number;
  /** 1 or 2. */
  readonly directors?: number;
  readonly plan?: AddressPlan;
  /** Leave the servers as they are plugged in, for a scenario that prepares them itself. */
  readonly isBare?: boolean;
}

/** A real server host and the address at which the directors reach it. */
export interface ServerHost {
  readonly host: Host;
  readonly address: string;
}

export const OUTSIDE = "outside";
export const INSIDE = "inside";

/** Client, directors and servers on their networks. Interfaces: eth0 is outside, eth1 inside. */
export class Topology {
  readonly plan: AddressPlan;
  readonly method: Method | undefined;
  readonly client: Host;
  readonly directors: readonly Host[];
  readonly servers: readonly ServerHost[];
  /** For configuration files, certificates, captures; removed with the topology. */
  readonly dir: string;

  /** Bounded by the numbers asked for. */
  readonly #hosts: Host[] = [];
  readonly #bridges: string[] = [];

  constructor({ method, servers = 0, directors = 2, plan = USUAL_PLAN, isBare = false }: TopologyOptions) {
    assert.ok(process.env.LAB_SHARE !== undefined, "run me by `npm run lab`: I make namespaces and bridges");
    this.plan = plan;
    this.method = method;
    this.dir = mkdtempSync(join(tmpdir(), "topology-"));
    try {
      this.#bridge(OUTSIDE);
      if (method === "nat") this.#bridge(INSIDE);
      this.client = this.#host("client");
      this.client.plug(OUTSIDE, "eth0", [`${plan.client}/${plan.outsidePrefix}`]);
      this.directors = plan.directors.slice(0, directors).map((address, index) => this.#director(index, address));
      this.servers = Array.from({ length: servers }, (_, index) => this.#server(index, method ?? "dr", isBare));
    } catch (error) {
      // Nothing runs in the hosts yet: they can go at once.
      for (const host of this.#hosts) host.remove();
      this.#removeRest();
      throw error;
    }
  }

  #removeRest(): void {
    for (const bridge of this.#bridges) removeBridge(bridge);
    rmSync(this.dir, { recursive: true, force: true });
  }

  #bridge(name: string): void {
    addBridge(name);
    this.#bridges.push(name);
  }

  #host(name: string): Host {
    const host = new Host(name);
    this.#hosts.push(host);
    mkdirSync(join(this.dir, name));
    return host;
  }

  #director(index: number, address: string): Host {
    const host = this.#host(`lb${index + 1}`);
    host.plug(OUTSIDE, "eth0", [`${address}/${this.plan.outsidePrefix}`]);
    if (this.method === "nat") {
      host.plug(INSIDE, "eth1", [`${this.plan.insideDirectors[index]}/${this.plan.insidePrefix}`]);
      host.sysctl({ "net.ipv4.ip_forward": "1" });
    }
    return host;
  }

  #server(index: number, method: Method, isBare: boolean): ServerHost {
    const host = this.#host(`rs${index + 1}`);
    const address = (method === "nat" ? this.plan.insideServers : this.plan.servers)[index];
    assert.ok(address !== undefined, `the address plan has no server ${index + 1}`);
    if (method === "nat") {
      host.plug(INSIDE, "eth1", [`${address}/${this.plan.insidePrefix}`]);
      host.exec(["ip", "route", "add", "default", "via", this.plan.gateway]);
      return { host, address };
    }
    if (isBare) {
      host.plug(OUTSIDE, "eth0", [`${address}/${this.plan.outsidePrefix}`]);
      return { host, address };
    }
    // Before the address comes, so that not one ARP request for it is answered.
    host.sysctl({ "net.ipv4.conf.all.arp_ignore": "1", "net.ipv4.conf.all.arp_announce": "2" });
    host.plug(OUTSIDE, "eth0", [`${address}/${this.plan.outsidePrefix}`]);
    host.addAddress(`${this.plan.vip}/32`, "lo");
    if (method === "tun") this.#decapsulate(host);
    return { host, address };
  }

  #decapsulate(host: Host): void {
    tryRun(["modprobe", "ipip"]);
    host.exec(["ip", "link", "set", "tunl0", "up"]);
    host.sysctl({ "net.ipv4.conf.tunl0.rp_filter": "0" });
  }

  /** The n-th director, counted from 1 as in its name. */
  lb(number: number): Host {
    const host = this.directors[number - 1];
    assert.ok(host !== undefined, `there is no lb${number}`);
    return host;
  }

  /** The n-th real server, counted from 1 as in its name. */
  rs(number: number): ServerHost {
    const server = this.servers[number - 1];
    assert.ok(server !== undefined, `there is no rs${number}`);
    return server;
  }

  /** The directors that hold the VIP now, by name. */
  holders(address = this.plan.vip): string[] {
    return this.directors.filter((host) => host.holds(address)).map((host) => host.name);
  }

  /** Takes everything away again. Safe after a scenario that failed half-way. */
  async close(): Promise<void> {
    const failures: unknown[] = [];
    for (const host of this.#hosts) await host.close().catch((error: unknown) => failures.push(error));
    this.#removeRest();
    if (failures.length > 0) throw new AggregateError(failures, "the topology could not be taken down");
  }
}

/**
 * Runs something in a topology and takes it down afterwards, also if that something fails or the building does.
 * Scenarios with several tests in one topology use `before` and `after` instead.
 */
export async function withTopology<T>(options: TopologyOptions, use: (topology: Topology) => Promise<T>): Promise<T> {
  const topology = new Topology(options);
  try {
    return await use(topology);
  } finally {
    await topology.close();
  }
}

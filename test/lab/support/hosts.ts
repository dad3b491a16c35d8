import { type Outcome, Running, run, runAsync, type StartOptions, tryRun } from "./commands.ts";

/** How a cable fails: the host sees its carrier go, or sees nothing because frames are lost on the way. */
export type CutKind = "carrier" | "silent";

/** Starting a program is slow in a guest: commands that belong together share a shell, which ends at the first failure. */
function inOneShell(commands: readonly string[]): void {
  run(["sh", "-e", "-c", commands.join("\n")]);
}

/** One end of a cable, in a host; the other end is a port of a bridge. */
export interface Cable {
  readonly interface: string;
  readonly bridge: string;
  readonly port: string;
}

/** A machine of the lab: a network namespace with its programs and its cables. */
export class Host {
  readonly name: string;
  /** Bounded by what a scenario starts. */
  readonly #running: Running[] = [];
  readonly #cables: Cable[] = [];

  constructor(name: string) {
    this.name = name;
    const settings = ["ipv4.conf.all.rp_filter=0", "ipv4.conf.default.rp_filter=0", "ipv6.conf.default.accept_dad=0"];
    inOneShell([
      `ip netns add ${name}`,
      `ip netns exec ${name} sysctl -q -w ${settings.map((setting) => `net.${setting}`).join(" ")}`,
      `ip -n ${name} link set lo up`,
    ]);
  }

  get cables(): readonly Cable[] {
    return this.#cables;
  }

  /** The command line that runs a command in this host. */
  argv(command: readonly string[]): string[] {
    return ["ip", "netns", "exec", this.name, ...command];
  }

  exec(command: readonly string[], input = ""): string {
    return run(this.argv(command), input);
  }

  tryExec(command: readonly string[]): Outcome {
    return tryRun(this.argv(command));
  }

  execAsync(command: readonly string[]): Promise<Outcome> {
    return runAsync(this.argv(command));
  }

  /** Starts a program that keeps running; it ends with the host at the latest. */
  start(command: readonly string[], options: StartOptions = {}): Running {
    const program = new Running(this.argv(command), { name: `${command[0]} on ${this.name}`, ...options });
    this.#running.push(program);
    return program;
  }

  /** Every process in this host. */
  pids(): number[] {
    return tryRun(["ip", "netns", "pids", this.name]).stdout.split("\n").filter(Boolean).map(Number);
  }

  sysctl(values: Readonly<Record<string, string>>): void {
    this.exec(["sysctl", "-q", "-w", ...Object.entries(values).map(([key, value]) => `${key}=${value}`)]);
  }

  addAddress(cidr: string, device: string): void {
    this.exec(["ip", "address", "add", cidr, "dev", device]);
  }

  /** Lays a cable from a new interface of this host to a bridge, with addresses on it. */
  plug(bridge: string, name: string, addresses: readonly string[]): void {
    const port = `${bridge.slice(0, 4)}-${this.name}`;
    inOneShell([
      `ip link add ${port} type veth peer name ${name} netns ${this.name}`,
      `ip link set ${port} master ${bridge} up`,
      ...addresses.map((address) => `ip -n ${this.name} address add ${address} dev ${name}`),
      `ip -n ${this.name} link set ${name} up`,
    ]);
    this.#cables.push({ interface: name, bridge, port });
  }

  #ports(bridge: string | undefined): readonly Cable[] {
    return this.#cables.filter((cable) => bridge === undefined || cable.bridge === bridge);
  }

  /**
   * Cuts this host's cables, all or the one to a bridge.
   * @param kind carrier: as when the plug is pulled; silent: frames are lost both ways, the link stays up
   */
  cut(kind: CutKind, bridge?: string): void {
    for (const { port } of this.#ports(bridge)) {
      if (kind === "carrier") run(["ip", "link", "set", port, "down"]);
      else run(["bridge", "link", "set", "dev", port, "state", "0"]);
    }
  }

  /** Undoes `cut`, whichever kind it was. */
  restore(bridge?: string): void {
    for (const { port } of this.#ports(bridge)) {
      run(["ip", "link", "set", port, "up"]);
      tryRun(["bridge", "link", "set", "dev", port, "state", "3"]);
    }
  }

  /** The addresses on this host's interfaces, as `ip` tells them: `192.0.2.100/32` and so on. */
  addresses(device?: string): string[] {
    const text = this.exec(["ip", "-j", "address", "show", ...(device === undefined ? [] : ["dev", device])]);
    const links = JSON.parse(text) as { addr_info?: { local: string; prefixlen: number }[] }[];
    return links.flatMap((link) => (link.addr_info ?? []).map(({ local, prefixlen }) => `${local}/${prefixlen}`));
  }

  /** The MAC address of an interface, as the kernel writes it. */
  mac(device = "eth0"): string {
    return this.exec(["cat", `/sys/class/net/${device}/address`]).trim();
  }

  /** Whether an address stands on one of this host's interfaces to others, with whatever prefix: not on the loopback. */
  holds(address: string): boolean {
    const links = JSON.parse(this.exec(["ip", "-j", "address", "show"])) as {
      readonly ifname: string;
      readonly addr_info?: readonly { readonly local: string }[];
    }[];
    return links.some(
      ({ ifname, addr_info: infos = [] }) => ifname !== "lo" && infos.some(({ local }) => local === address),
    );
  }

  /** Ends every program in this host, also those that left their process group, and the host itself. */
  async close(): Promise<void> {
    for (const program of this.#running) program.kill();
    for (const pid of this.pids()) {
      try {
        process.kill(pid, "SIGKILL");
      } catch {
        // Ended in between.
      }
    }
    for (const program of this.#running) await program.ended();
    this.remove();
  }

  /** Takes the namespace and its cables away; nothing may run in it any more. */
  remove(): void {
    // The cables by name: with their namespace they would go a while later, and be in the way of the next scenario's.
    for (const { port } of this.#cables) tryRun(["ip", "link", "delete", port]);
    tryRun(["ip", "netns", "delete", this.name]);
  }
}

/** Makes a bridge that forwards at once and floods multicast, as a plain switch does. */
export function addBridge(name: string): void {
  run(["ip", "link", "add", name, "type", "bridge", "stp_state", "0", "forward_delay", "0", "mcast_snooping", "0"]);
  run(["ip", "link", "set", name, "up"]);
}

export function removeBridge(name: string): void {
  tryRun(["ip", "link", "delete", name]);
}

import { DirectorError } from "../../src/base/director-error.ts";
import { familyOf } from "../../src/base/ip.ts";
import { err, ok, type Result } from "../../src/base/result.ts";
import type { HostInterface, RealServerHost } from "../../src/realserver/host.ts";
import { type Need, needKey } from "../../src/realserver/needs.ts";
import { EMPTY_RECORD, type RealServerRecord } from "../../src/realserver/record.ts";

/** A machine in memory that can be killed before any of its changes. */
export class FakeRealServer implements RealServerHost {
  /** By the key of a need; what is not here is absent. */
  readonly state = new Map<string, string>([
    ["sysctl net/ipv4/conf/all/arp_ignore", "0"],
    ["sysctl net/ipv4/conf/all/arp_announce", "0"],
    ["sysctl net/ipv4/conf/all/rp_filter", "0"],
    ["sysctl net/ipv4/conf/eth0/arp_ignore", "0"],
    ["sysctl net/ipv4/conf/eth0/arp_announce", "0"],
  ]);
  links: HostInterface[] = [
    { name: "lo", isQuiet: true, addresses: [{ address: "127.0.0.1", prefixLength: 8 }] },
    { name: "eth0", isQuiet: false, addresses: [{ address: "192.0.2.21", prefixLength: 24 }] },
  ];
  record: RealServerRecord = EMPTY_RECORD;
  /** Every change, in order. */
  readonly done: string[] = [];
  /** Changes and writes of the record until it dies. */
  lives = Number.POSITIVE_INFINITY;

  interfaces(): Result<readonly HostInterface[], DirectorError> {
    return ok(this.links);
  }

  read(need: Need): Result<string | null, DirectorError> {
    return ok(this.state.get(needKey(need)) ?? null);
  }

  make(need: Need): Result<void, DirectorError> {
    return this.#change(`+ ${needKey(need)}`, () => {
      this.state.set(needKey(need), stateOf(need));
      if (need.type !== "device") return;
      // What the kernel brings with a tunnel device.
      this.state.set(`up ${need.name}`, "down");
      this.state.set(`sysctl net/ipv4/conf/${need.name}/rp_filter`, "1");
    });
  }

  restore(need: Need, was: string | null): Result<void, DirectorError> {
    return this.#change(`- ${needKey(need)}`, () => {
      if (was === null) this.state.delete(needKey(need));
      else this.state.set(needKey(need), was);
    });
  }

  load(): Result<RealServerRecord, DirectorError> {
    return ok(JSON.parse(JSON.stringify(this.record)) as RealServerRecord);
  }

  save(record: RealServerRecord): Result<void, DirectorError> {
    if (this.lives-- <= 0) return dead();
    this.record = record;
    return ok(undefined);
  }

  #change(what: string, change: () => void): Result<void, DirectorError> {
    if (this.lives-- <= 0) return dead();
    change();
    this.done.push(what);
    return ok(undefined);
  }

  /** Whether a neighbour that asks for an address gets an answer. */
  answersFor(address: string): boolean {
    const isHeld = [...this.state.keys()].some((key) => key.startsWith(`address ${address} `));
    if (!isHeld || familyOf(address) === 6) return false;
    const isIgnored = ["all", "eth0"].some(
      (scope) => this.state.get(`sysctl net/ipv4/conf/${scope}/arp_ignore`) === "1",
    );
    return !isIgnored && this.state.get("nft")?.includes(`daddr ip ${address} drop`) !== true;
  }
}

function stateOf(need: Need): string {
  if (need.type === "sysctl") return need.wanted;
  if (need.type === "nft") return need.text;
  if (need.type === "address") return need.device;
  return { up: "up", fou: "gue", device: "loaded", module: "loaded" }[need.type];
}

function dead(): Result<never, DirectorError> {
  return err(new DirectorError("TOOL_FAILED", "killed"));
}

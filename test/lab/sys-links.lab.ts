// lab-needs: netns
// Interfaces and addresses as they change, with iproute2 as the witness and the one who changes them.
import assert from "node:assert/strict";
import { setImmediate as nextTurn } from "node:timers/promises";
import type { Cidr } from "../../src/base/ip.ts";
import { Addresses } from "../../src/sys/addresses.ts";
import { NETLINK_ROUTE } from "../../src/sys/constants.ts";
import { type InterfaceState, LinkMonitor } from "../../src/sys/link-monitor.ts";
import { KernelNetlinkSocket } from "../../src/sys/netlink-socket.ts";
import { inNamespace } from "../sys/in-namespace.ts";
import { run, runAsync } from "./support/commands.ts";
import { Host } from "./support/hosts.ts";
import { waitFor } from "./support/wait.ts";

interface ShownAddress {
  readonly local: string;
  readonly prefixlen: number;
  readonly deprecated?: boolean;
  readonly tentative?: boolean;
  readonly nodad?: boolean;
  readonly secondary?: boolean;
  readonly broadcast?: string;
}

describe("interfaces and addresses", () => {
  let host: Host;
  let peer: Host;
  let monitor: LinkMonitor;
  let netlink: KernelNetlinkSocket;
  let addresses: Addresses;
  let changes: { readonly name: string; readonly state: InterfaceState | null }[];

  beforeEach(() => {
    host = new Host("nat-host");
    peer = new Host("nat-peer");
    connect();
    host.exec(["ip", "address", "add", "198.51.100.10/24", "dev", "lan"]);
    changes = [];
    inNamespace(host.name, () => {
      const opened = LinkMonitor.open({
        onChange: (name, state) => changes.push({ name, state }),
        onError: (error) => assert.fail(error.message),
      });
      assert.ok(opened.ok, opened.ok ? "" : opened.error.message);
      monitor = opened.value;
      const socket = KernelNetlinkSocket.open(NETLINK_ROUTE, "route socket");
      assert.ok(socket.ok);
      netlink = socket.value;
    });
    addresses = new Addresses({ netlink });
  });
  afterEach(async () => {
    monitor.close();
    netlink.close();
    await host.close();
    await peer.close();
  });

  function connect(): void {
    run(["ip", "link", "add", "lan", "netns", host.name, "type", "veth", "peer", "name", "lan", "netns", peer.name]);
    for (const end of [host, peer]) end.exec(["ip", "link", "set", "lan", "up"]);
  }

  function lan(): InterfaceState {
    monitor.drain();
    const state = monitor.get("lan");
    assert.ok(state !== undefined);
    return state;
  }

  function shown(): ShownAddress[] {
    const text = host.exec(["ip", "-j", "address", "show", "dev", "lan"]);
    const [link] = JSON.parse(text) as { addr_info: ShownAddress[] }[];
    return link?.addr_info ?? [];
  }

  function find(address: Cidr): ShownAddress | undefined {
    return shown().find(({ local, prefixlen }) => local === address.address && prefixlen === address.prefixLength);
  }

  function routes(): string[] {
    return (JSON.parse(host.exec(["ip", "-j", "route", "show", "dev", "lan"])) as { dst: string }[]).map(
      ({ dst }) => dst,
    );
  }

  async function changed(what: string, isGood: (state: InterfaceState | null | undefined) => boolean): Promise<void> {
    await waitFor(what, () => changes.findLast(({ name }) => name === "lan")?.state, isGood, {
      withinMs: 5_000,
      everyMs: 1,
    });
  }

  describe("link monitor", () => {
    it("knows at the start what `ip` shows", () => {
      const [link] = JSON.parse(host.exec(["ip", "-j", "link", "show", "dev", "lan"])) as {
        ifindex: number;
        address: string;
      }[];
      const state = lan();
      assert.equal(state.index, link?.ifindex);
      assert.equal(state.mac, link?.address);
      assert.equal(state.hasArp, true);
      assert.equal(state.primaryIpv4, "198.51.100.10");
      assert.deepEqual(
        state.addresses.map(({ address }) => `${address.address}/${address.prefixLength}`),
        shown().map(({ local, prefixlen }) => `${local}/${prefixlen}`),
      );
      assert.deepEqual(
        monitor
          .all()
          .map(({ name }) => name)
          .sort(),
        ["lan", "lo"],
      );
    });

    it("hears at once that the cable is pulled, and that it is back", async () => {
      await changed("up", () => lan().isUp);
      for (const [verb, isUp] of [
        ["down", false],
        ["up", true],
      ] as const) {
        const command = runAsync(peer.argv(["ip", "link", "set", "lan", verb]));
        await changed(`carrier ${verb}`, (state) => state?.isUp === isUp);
        await command;
      }
    });

    it("hears of addresses, and of the end of an interface and its return under another index", async () => {
      const before = lan().index;
      host.exec(["ip", "address", "add", "203.0.113.5/32", "dev", "lan"]);
      await changed(
        "an address",
        (state) => state?.addresses.some(({ address }) => address.address === "203.0.113.5") === true,
      );
      host.exec(["ip", "address", "delete", "198.51.100.10/24", "dev", "lan"]);
      await changed("another primary", (state) => state?.primaryIpv4 === "203.0.113.5");
      host.exec(["ip", "link", "delete", "lan"]);
      await changed("no interface", (state) => state === null);
      assert.equal(monitor.get("lan"), undefined);
      connect();
      await changed("a new interface", (state) => state?.isUp === true);
      assert.notEqual(lan().index, before);
      assert.deepEqual(lan().primaryIpv4, null);
    });

    it("follows a rename, and a bridge that takes the interface in and lets it go", async () => {
      host.exec(["ip", "link", "set", "lan", "down"]);
      host.exec(["ip", "link", "set", "lan", "name", "wan"]);
      await changed("no lan", (state) => state === null);
      assert.equal(monitor.get("wan")?.primaryIpv4, "198.51.100.10");
      host.exec(["ip", "link", "add", "br0", "type", "bridge"]);
      host.exec(["ip", "link", "set", "wan", "master", "br0"]);
      host.exec(["ip", "link", "set", "wan", "nomaster"]);
      host.exec(["ip", "link", "set", "wan", "name", "lan"]);
      await changed("lan again", (state) => state?.primaryIpv4 === "198.51.100.10");
    });

    it("reads everything anew after a flood of events, and goes on listening", async () => {
      const many = Array.from({ length: 6_000 }, (_, n) => cidr(`10.9.${n >> 8}.${n & 255}/32`));
      const outcomes = addresses.add(lan0(), many);
      assert.ok(outcomes.every(({ type }) => type === "added"));
      // Until here the event loop had no turn: far more events than the queue holds.
      await waitFor(
        "a resynchronisation",
        () => monitor.overruns,
        (count) => count > 0,
        { withinMs: 5_000 },
      );
      assert.equal(monitor.get("lan")?.addresses.length, shown().length);
      addresses.remove(lan0(), many.slice(1));
      await waitFor(
        "the removal",
        () => monitor.get("lan")?.addresses.length,
        (count) => count === shown().length,
        {
          withinMs: 5_000,
        },
      );
      await nextTurn();
      host.exec(["ip", "address", "add", "203.0.113.6/32", "dev", "lan"]);
      await changed(
        "a later event",
        (state) => state?.addresses.some(({ address }) => address.address === "203.0.113.6") === true,
      );
    }).timeout(60_000);
  });

  /** Without draining the monitor's events first. */
  function lan0(): InterfaceState {
    const state = monitor.get("lan");
    assert.ok(state !== undefined);
    return state;
  }

  describe("virtual addresses", () => {
    const vips = ["192.0.2.100/32", "2001:db8::100/128"].map(cidr);

    it("are added once and removed once, however often it is asked", () => {
      assert.deepEqual(addresses.add(lan(), vips), [{ type: "added" }, { type: "added" }]);
      assert.deepEqual(addresses.add(lan(), vips), [{ type: "already-there" }, { type: "already-there" }]);
      const [v4, v6] = vips.map(find);
      assert.ok(v4 !== undefined && v6 !== undefined);
      assert.equal(v4.broadcast, undefined);
      assert.equal(v6.tentative, undefined, "it works at once");
      assert.equal(v6.deprecated, true, "it is never chosen as a source");
      assert.equal(lan().primaryIpv4, "198.51.100.10");
      assert.deepEqual(addresses.remove(lan(), vips), [{ type: "removed" }, { type: "removed" }]);
      assert.deepEqual(addresses.remove(lan(), vips), [{ type: "absent" }, { type: "absent" }]);
      assert.deepEqual(vips.map(find), [undefined, undefined]);
    });

    it("are recognised after a crash, and then removed", () => {
      addresses.add(lan(), vips);
      const successor = new Addresses({ netlink });
      const owned = successor.owned();
      assert.ok(owned.ok);
      assert.deepEqual(
        owned.value.map(({ address }) => address),
        vips,
      );
      assert.deepEqual(successor.add(lan(), vips), [{ type: "already-there" }, { type: "already-there" }]);
      assert.deepEqual(new Addresses({ netlink }).remove(lan(), vips), [{ type: "removed" }, { type: "removed" }]);
      assert.deepEqual(successor.owned(), { ok: true, value: [] });
    });

    it("that somebody else added serve, and are never removed", () => {
      host.exec(["ip", "address", "add", "192.0.2.100/32", "dev", "lan"]);
      host.exec(["ip", "address", "add", "2001:db8::100/128", "dev", "lan", "nodad"]);
      assert.deepEqual(addresses.add(lan(), vips), [{ type: "foreign" }, { type: "foreign" }]);
      assert.deepEqual(addresses.remove(lan(), vips), [{ type: "foreign" }, { type: "foreign" }]);
      assert.ok(vips.every((vip) => find(vip) !== undefined));
    });

    it("that somebody else put in place of ours are left alone, whether we heard of it or not", () => {
      addresses.add(lan(), vips);
      const unaware = lan();
      for (const vip of vips) {
        const text = `${vip.address}/${vip.prefixLength}`;
        host.exec(["ip", "address", "delete", text, "dev", "lan"]);
        host.exec(["ip", "address", "add", text, "dev", "lan", "nodad"]);
      }
      // We have heard that ours went, and not yet that it came back.
      assert.deepEqual(addresses.remove({ ...unaware, addresses: [] }, vips), [
        { type: "foreign" },
        { type: "foreign" },
      ]);
      assert.deepEqual(addresses.remove(lan(), vips), [{ type: "foreign" }, { type: "foreign" }]);
      assert.deepEqual(addresses.add(unaware, vips), [{ type: "foreign" }, { type: "foreign" }]);
      assert.deepEqual(addresses.remove(unaware, vips), [{ type: "foreign" }, { type: "foreign" }]);
      assert.ok(vips.every((vip) => find(vip) !== undefined));
    });

    it("are removed also when an earlier foreign one was all that we had heard of", () => {
      host.exec(["ip", "address", "add", "192.0.2.100/32", "dev", "lan"]);
      const unaware = lan();
      host.exec(["ip", "address", "delete", "192.0.2.100/32", "dev", "lan"]);
      assert.deepEqual(addresses.add(unaware, vips), [{ type: "added" }, { type: "added" }]);
      assert.deepEqual(addresses.remove(unaware, vips), [{ type: "removed" }, { type: "removed" }]);
      assert.deepEqual(vips.map(find), [undefined, undefined]);
    });

    it("stand beside the same address with another prefix, and only ours goes", () => {
      host.exec(["ip", "address", "add", "192.0.2.100/24", "dev", "lan"]);
      const vip = cidr("192.0.2.100/32");
      assert.deepEqual(addresses.add(lan(), [vip]), [{ type: "added" }]);
      assert.deepEqual(addresses.remove(lan(), [vip]), [{ type: "removed" }]);
      assert.equal(find(vip), undefined);
      assert.ok(find(cidr("192.0.2.100/24")) !== undefined);
    });

    it("bring the route of their network, unless the interface has it through an address of its own", () => {
      addresses.add(lan(), [cidr("198.51.100.200/24"), cidr("192.0.2.200/24")]);
      assert.deepEqual(routes().sort(), ["192.0.2.0/24", "198.51.100.0/24"]);
      addresses.remove(lan(), [cidr("198.51.100.200/24"), cidr("192.0.2.200/24")]);
      assert.deepEqual(routes(), ["198.51.100.0/24"]);
    });

    it("take nobody else's address with them when they go", () => {
      host.exec([
        "sysctl",
        "-q",
        "-w",
        "net.ipv4.conf.all.promote_secondaries=0",
        "net.ipv4.conf.lan.promote_secondaries=0",
      ]);
      const vip = cidr("192.0.2.200/24");
      addresses.add(lan(), [vip]);
      host.exec(["ip", "address", "add", "192.0.2.7/24", "dev", "lan"]);
      assert.equal(find(cidr("192.0.2.7/24"))?.secondary, true);
      // The sysctl of another namespace is another file.
      assert.deepEqual(
        inNamespace(host.name, () => addresses.remove(lan(), [vip])),
        [{ type: "removed" }],
      );
      assert.ok(find(cidr("192.0.2.7/24")) !== undefined);
    });

    it("that cannot be added say why, each for itself", () => {
      const gone: InterfaceState = { ...lan(), index: 4_242 };
      const mixed = [cidr("192.0.2.1/32"), cidr("192.0.2.2/32")];
      for (const outcome of addresses.add(gone, mixed)) {
        assert.ok(outcome.type === "failed");
        assert.equal(outcome.error.code, "INTERFACE_MISSING");
        assert.match(outcome.error.message, /192\.0\.2\.[12]\/32 on lan .*ENODEV/);
      }
      assert.deepEqual(addresses.remove(gone, mixed), [{ type: "absent" }, { type: "absent" }]);
      host.exec(["ip", "address", "add", "192.0.2.2/32", "dev", "lan"]);
      assert.deepEqual(addresses.add(lan(), [...mixed, cidr("192.0.2.3/32")]), [
        { type: "added" },
        { type: "foreign" },
        { type: "added" },
      ]);
    });
  });
});

function cidr(text: string): Cidr {
  const [address = "", prefixLength = ""] = text.split("/");
  return { address, prefixLength: Number(prefixLength) };
}

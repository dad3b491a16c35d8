import assert from "node:assert/strict";
import { Converger, unmetNeeds } from "../../src/realserver/converge.ts";
import type { Wanted } from "../../src/realserver/wanted.ts";
import { FakeRealServer } from "../support/fake-real-server.ts";

const VIP = "192.0.2.10";
const base: Wanted = { address: VIP, name: null, tunnel: null, arp: "sysctl", interfaces: [] };
const CASES: Readonly<Record<string, readonly Wanted[]>> = {
  "dr by sysctl": [base],
  "dr by sysctl on one interface": [{ ...base, interfaces: ["eth0"] }],
  "dr by nft": [{ ...base, arp: "nft" }],
  "two addresses and IPv6": [base, { ...base, address: "192.0.2.11" }, { ...base, address: "2001:db8::10" }],
  "tun ipip": [{ ...base, tunnel: { type: "ipip" } }],
  "tun gre": [{ ...base, tunnel: { type: "gre" } }],
  "tun gue": [{ ...base, tunnel: { type: "gue", port: 6080 } }],
  "tun gue, IPv6, with nft": [
    { ...base, arp: "nft", tunnel: { type: "gue", port: 6080 } },
    { ...base, address: "2001:db8::10", tunnel: { type: "gue", port: 6080 } },
  ],
};

function run(host: FakeRealServer, wanted: readonly Wanted[]) {
  return Converger.run(host, { wanted, isDryRun: false });
}

/** Without what stays on purpose: modules, and what their devices brought. */
function comparable(host: FakeRealServer): [string, string][] {
  return [...host.state].filter(([key]) => !/^(device|module) |tunl0|gre0|ip6tnl0/.test(key)).sort();
}

describe("preparing a real server", () => {
  for (const [name, wanted] of Object.entries(CASES)) {
    it(`${name}: up makes it right, a second up changes nothing, down puts back what was there`, () => {
      const host = new FakeRealServer();
      const before = comparable(host);
      assert.ok(run(host, wanted).ok);
      assert.deepEqual(unmetNeeds(host, wanted), { ok: true, value: [] });
      const count = host.done.length;
      assert.deepEqual(run(host, wanted), { ok: true, value: [] });
      assert.equal(host.done.length, count);
      assert.ok(run(host, []).ok);
      assert.deepEqual(comparable(host), before);
      assert.deepEqual(host.record, { wanted: [], undo: [] });
    });

    it(`${name}: killed at any step, the next up or down finishes it, and it never answers for the address`, () => {
      for (const next of [wanted, []]) {
        for (let lives = 0; ; lives++) {
          const host = new FakeRealServer();
          const before = comparable(host);
          host.lives = lives;
          const died = !run(host, wanted).ok;
          assert.ok(!host.answersFor(VIP), `answers after ${host.done.join(", ")}`);
          host.lives = Number.POSITIVE_INFINITY;
          assert.ok(run(host, next).ok);
          assert.deepEqual(unmetNeeds(host, next), { ok: true, value: [] });
          if (next.length > 0) assert.ok(run(host, []).ok);
          assert.deepEqual(comparable(host), before);
          if (!died) break;
        }
      }
    });

    it(`${name}: killed at any step of a down, the next run finishes it`, () => {
      for (let lives = 0; ; lives++) {
        const host = new FakeRealServer();
        const before = comparable(host);
        assert.ok(run(host, wanted).ok);
        host.lives = lives;
        const died = !run(host, []).ok;
        assert.ok(!host.answersFor(VIP), `answers after ${host.done.join(", ")}`);
        host.lives = Number.POSITIVE_INFINITY;
        assert.ok(run(host, []).ok);
        assert.deepEqual(comparable(host), before);
        if (!died) break;
      }
    });
  }

  it("keeps quiet before it has the address, and until it has none", () => {
    const host = new FakeRealServer();
    assert.ok(run(host, [base]).ok && run(host, []).ok);
    assert.deepEqual(host.done, [
      "+ sysctl net/ipv4/conf/all/arp_ignore",
      "+ sysctl net/ipv4/conf/all/arp_announce",
      `+ address ${VIP} lo`,
      `- address ${VIP} lo`,
      "- sysctl net/ipv4/conf/all/arp_announce",
      "- sysctl net/ipv4/conf/all/arp_ignore",
    ]);
  });

  it("neither changes nor undoes what was right already, and leaves what others set since to them", () => {
    const host = new FakeRealServer();
    host.state.set("sysctl net/ipv4/conf/all/arp_ignore", "2");
    host.state.set(`address ${VIP} lo`, "lo");
    assert.ok(run(host, [base]).ok);
    assert.deepEqual(host.done, ["+ sysctl net/ipv4/conf/all/arp_announce"]);
    host.state.set("sysctl net/ipv4/conf/all/arp_announce", "1");
    assert.ok(run(host, []).ok);
    assert.equal(host.done.length, 1);
    assert.equal(host.state.get(`address ${VIP} lo`), "lo");
  });

  it("takes one of two addresses away without its sibling, and changes the way without ever answering", () => {
    const other: Wanted = { ...base, address: "192.0.2.11" };
    const host = new FakeRealServer();
    for (const step of [[base, other], [other], [{ ...other, arp: "nft" as const }], [other], []]) {
      assert.ok(run(host, step).ok);
      assert.ok(!host.answersFor(VIP) && !host.answersFor(other.address));
      assert.deepEqual(
        [...host.state.keys()].filter((key) => key.startsWith("address")),
        step.map(({ address }) => `address ${address} lo`),
      );
    }
    assert.equal(host.state.has("nft"), false);
  });

  it("goes by the larger of two sysctls, as the kernel does", () => {
    const host = new FakeRealServer();
    host.state.set("sysctl net/ipv4/conf/all/rp_filter", "1");
    assert.ok(run(host, [{ ...base, tunnel: { type: "ipip" } }]).ok);
    assert.equal(host.state.get("sysctl net/ipv4/conf/tunl0/rp_filter"), "2");
    assert.equal(host.state.get("sysctl net/ipv4/conf/all/rp_filter"), "1", "the other interfaces keep their filter");
    const scoped = new FakeRealServer();
    scoped.state.set("sysctl net/ipv4/conf/all/arp_ignore", "1");
    assert.ok(run(scoped, [{ ...base, interfaces: ["eth0"] }]).ok);
    assert.equal(scoped.state.get("sysctl net/ipv4/conf/eth0/arp_ignore"), "0");
  });

  it("a dry run says the same changes and makes none", () => {
    for (const wanted of Object.values(CASES)) {
      const host = new FakeRealServer();
      const dry = Converger.run(host, { wanted, isDryRun: true });
      assert.deepEqual(host.done, []);
      const real = run(host, wanted);
      assert.ok(dry.ok && real.ok);
      assert.deepEqual(
        dry.value.map(({ subject, to }) => [subject, to]),
        real.value.map(({ subject, to }) => [subject, to]),
      );
    }
  });
});

import assert from "node:assert/strict";
import type { DirectorConfig } from "../../src/config/model.ts";
import { diagnose } from "../../src/doctor/diagnose.ts";
import type { DoctorFacts, HeardPacket } from "../../src/doctor/facts.ts";
import { MAX_LISTEN_MS, MAX_SERVERS_ASKED, surveyOf } from "../../src/doctor/survey.ts";
import { encodeAdvert, VRRP_GROUP_IPV4 } from "../../src/vrrp/advert.ts";
import { load } from "../config/support.ts";

const VIP = "192.0.2.100";
const OWN = { name: "eth0", index: 2, isUp: true, mac: "02:00:00:00:00:0b", mtu: 1500, primaryIpv4: "192.0.2.11" };
const PEER_MAC = "02:00:00:00:00:0c";
const SERVER_MAC = "02:00:00:00:00:15";

function config(text = ""): DirectorConfig {
  const loaded = load(`
vrrp: { instances: { web4: { interface: eth0, vrid: 51, priority: 150, addresses: [${VIP}/32] } } }
services:
  web: { listen: "${VIP}:80", forward: dr, servers: ["192.0.2.21:80"], checks: [tcp] }
${text}`);
  assert.ok(loaded.ok, loaded.ok ? "" : loaded.error[0]?.message);
  return loaded.value.config;
}

/** A machine on which nothing is to be found. */
const WELL: DoctorFacts = {
  missingCapabilities: [],
  addonProblem: null,
  kernelRelease: "6.1.0-56-amd64",
  modules: new Map([
    ["ip_vs", "present"],
    ["ip_vs_wlc", "present"],
  ]),
  sysctls: new Map([
    ["net/ipv4/conf/all/rp_filter", "0"],
    ["net/ipv4/conf/eth0/rp_filter", "0"],
  ]),
  interfaces: [{ ...OWN, addresses: [{ address: "192.0.2.11", prefixLength: 24 }] }],
  defaultRoutes: ["eth0"],
  neighbours: [{ family: 4, thresholds: [128, 512, 1024] }],
  descriptorLimit: 1024,
  descriptorHolder: "the running checker",
  heard: [],
  virtualAnswers: [],
  serverAnswers: [],
  paths: [],
  clockKeeper: "chrony",
  daemon: null,
  unseen: [],
};

const USUAL = config();

function ids(facts: Partial<DoctorFacts>, settings = USUAL): string[] {
  const hmac = () => new Uint8Array(32);
  return diagnose(settings, { ...WELL, ...facts }, { hmac, keys: {} }).map(({ id }) => id);
}

function advert(change: Partial<HeardPacket> & { priority?: number; addresses?: string[] } = {}): HeardPacket {
  const { priority = 100, addresses = [VIP], ...rest } = change;
  const source = "192.0.2.12";
  const at = { source, destination: VRRP_GROUP_IPV4 };
  const message = encodeAdvert({ vrid: 51, priority, intervalCs: 100, addresses }, "pseudo-header", at);
  return { interface: "eth0", udpPort: null, ...at, ttl: 255, mac: PEER_MAC, message, wallMs: 0, ...rest };
}

const answer = (mac: string, address = VIP) => ({ interface: "eth0", address, macs: [mac] });

describe("diagnose", () => {
  it("finds nothing where all is well, with a peer that serves or without", () => {
    assert.deepEqual(ids({}), []);
    assert.deepEqual(ids({ heard: [advert(), advert()], virtualAnswers: [answer(PEER_MAC)] }), []);
  });

  it("finds nothing about what could not be looked at", () => {
    const blind = { interfaces: [], modules: new Map(), sysctls: new Map(), neighbours: [], defaultRoutes: [] };
    assert.deepEqual(ids(blind), []);
    assert.deepEqual(ids({ modules: new Map([["ip_vs", "unknown" as const]]) }), []);
  });

  it("tells a director, a server and a stranger apart by their MAC addresses", () => {
    const virtualAnswers = [{ ...answer(PEER_MAC), macs: [PEER_MAC, SERVER_MAC, "02:00:00:00:00:99"] }];
    const serverAnswers = [answer(SERVER_MAC, "192.0.2.21")];
    const found = ids({ heard: [advert()], virtualAnswers, serverAnswers });
    assert.deepEqual(found, ["real-server-answers-arp", "vip-arp-stranger"]);
    // This machine's own answer, heard by way of a bridge, is none.
    assert.deepEqual(ids({ virtualAnswers: [answer(OWN.mac)] }), []);
  });

  it("takes a peer that is refused for a peer, not for a stranger in ARP", () => {
    assert.deepEqual(ids({ heard: [advert({ ttl: 64 })], virtualAnswers: [answer(PEER_MAC)] }), ["vrrp-from-afar"]);
    const other = advert({ addresses: ["192.0.2.200"] });
    assert.deepEqual(ids({ heard: [other], virtualAnswers: [answer(PEER_MAC)] }), [
      "vrid-stranger",
      "vip-arp-stranger",
    ]);
  });

  it("says each thing about a peer once, however often it was heard", () => {
    const heard = Array.from({ length: 50 }, () => advert({ priority: 150 }));
    assert.deepEqual(ids({ heard }), ["peer-priority"]);
  });

  it("calls two masters so only when both go on", () => {
    const daemon = { instances: [{ name: "web4", phase: "master", priority: 150, held: [`${VIP}/32`] }] };
    assert.deepEqual(ids({ daemon, heard: [advert()] }), [], "one advert: a change of masters");
    assert.deepEqual(ids({ daemon, heard: [advert(), advert()] }), ["two-masters"]);
    assert.deepEqual(ids({ daemon, heard: [advert({ priority: 0 }), advert({ priority: 0 })] }), [], "it leaves");
    const backup = { instances: [{ name: "web4", phase: "backup", priority: 150, held: [] }] };
    assert.deepEqual(ids({ daemon: backup, heard: [advert(), advert()] }), []);
  });

  it("minds an address that stands here only where this node is not its master", () => {
    const addresses = [
      { address: "192.0.2.11", prefixLength: 24 },
      { address: VIP, prefixLength: 32 },
    ];
    const interfaces = [{ ...OWN, addresses }];
    const daemon = (phase: string) => ({ instances: [{ name: "web4", phase, priority: 150, held: [] }] });
    assert.deepEqual(ids({ interfaces }), ["address-already-here"]);
    assert.deepEqual(ids({ interfaces, daemon: daemon("backup") }), ["address-already-here"]);
    assert.deepEqual(ids({ interfaces, daemon: daemon("master") }), []);
    const quiet = [
      ...WELL.interfaces,
      { ...OWN, name: "lo", index: 1, addresses: [{ address: VIP, prefixLength: 32 }] },
    ];
    assert.deepEqual(ids({ interfaces: quiet }), []);
  });

  it("minds a strict rp_filter only where clients come in by another way than answers go out", () => {
    const strict = new Map([
      ["net/ipv4/conf/all/rp_filter", "1"],
      ["net/ipv4/conf/eth0/rp_filter", "0"],
    ]);
    assert.deepEqual(ids({ sysctls: strict }), []);
    assert.deepEqual(ids({ sysctls: strict, defaultRoutes: [] }), []);
    assert.deepEqual(ids({ sysctls: strict, defaultRoutes: ["eth1"] }), ["rp-filter-strict"]);
    assert.deepEqual(ids({ sysctls: strict, defaultRoutes: ["eth1", "eth0"] }), []);
    const loose = new Map([...strict, ["net/ipv4/conf/eth0/rp_filter", "2"]]);
    assert.deepEqual(ids({ sysctls: loose, defaultRoutes: ["eth1"] }), []);
  });

  it("compares limits with numbers that may come true", () => {
    const many = config(
      `  big: { listen: "${VIP}:81", forward: nat, servers: [${Array.from({ length: 600 }, (_, n) => `"192.0.2.${(n % 90) + 1}:${80 + Math.floor(n / 90)}"`)}], checks: [tcp] }`,
    );
    const ipForward = new Map([...WELL.sysctls, ["net/ipv4/ip_forward", "1"]]);
    assert.deepEqual(ids({ sysctls: ipForward }, many), [], "90 machines and 601 checks");
    assert.deepEqual(ids({ sysctls: ipForward, descriptorLimit: 601 }, many), ["descriptors-few"]);
    const tight = [{ family: 4 as const, thresholds: [16, 64, 128] as const }];
    const small = [{ family: 4 as const, thresholds: [16, 32, 64] as const }];
    assert.deepEqual(ids({ sysctls: ipForward, neighbours: tight }, many), ["neighbour-table-tight"]);
    assert.deepEqual(ids({ sysctls: ipForward, neighbours: small }, many), ["neighbour-table-small"]);
  });

  it("bears any bytes as a packet", () => {
    for (let length = 0; length < 64; length += 1) {
      const message = Buffer.alloc(length, 0x31);
      if (length > 1) message[1] = 51;
      ids({ heard: [advert({ message })] });
    }
  });
});

describe("surveyOf", () => {
  it("bounds what is asked, sent and waited for", () => {
    const servers = Array.from({ length: 3000 }, (_, n) => `"10.1.${n >> 8}.${n & 255}:82"`).slice(1);
    const big = config(`  big: { listen: "${VIP}:82", forward: tun, servers: [${servers}], checks: [] }`);
    const slow = { ...big, instances: big.instances.map((each) => ({ ...each, advertIntervalUs: 40_000_000 })) };
    const near = [{ ...OWN, addresses: [{ address: "10.1.0.1", prefixLength: 16 }] }];
    const survey = surveyOf(slow, near, [], []);
    assert.equal(survey.servers.length, MAX_SERVERS_ASKED);
    assert.equal(survey.paths.length, 32);
    assert.equal(survey.listenMs, MAX_LISTEN_MS);
  });

  it("asks nothing of an interface that is down", () => {
    const survey = surveyOf(config(), [{ ...OWN, isUp: false, addresses: [] }], [], []);
    assert.deepEqual([survey.listen, survey.virtualAddresses], [[], []]);
  });
});

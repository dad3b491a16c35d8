import assert from "node:assert/strict";
import type { DirectorConfig } from "../../src/config/model.ts";
import { diagnose } from "../../src/doctor/diagnose.ts";
import type { Capability, DaemonProcess, DoctorFacts, HeardPacket, ProcessRights } from "../../src/doctor/facts.ts";
import { MAX_LISTEN_MS, MAX_SERVERS_ASKED, surveyOf } from "../../src/doctor/survey.ts";
import { encodeAdvert, VRRP_GROUP_IPV4 } from "../../src/vrrp/advert.ts";
import { load } from "../config/support.ts";
import { ALL, OWN, WELL } from "../support/well-machine.ts";

const VIP = "192.0.2.100";
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
    const daemon = {
      processes: [],
      instances: [{ name: "web4", phase: "master", priority: 150, held: [`${VIP}/32`] }],
    };
    assert.deepEqual(ids({ daemon, heard: [advert()] }), [], "one advert: a change of masters");
    assert.deepEqual(ids({ daemon, heard: [advert(), advert()] }), ["two-masters"]);
    assert.deepEqual(ids({ daemon, heard: [advert({ priority: 0 }), advert({ priority: 0 })] }), [], "it leaves");
    const backup = { processes: [], instances: [{ name: "web4", phase: "backup", priority: 150, held: [] }] };
    assert.deepEqual(ids({ daemon: backup, heard: [advert(), advert()] }), []);
  });

  it("minds an address that stands here only where this node is not its master", () => {
    const addresses = [
      { address: "192.0.2.11", prefixLength: 24 },
      { address: VIP, prefixLength: 32 },
    ];
    const interfaces = [{ ...OWN, addresses }];
    const daemon = (phase: string) => ({
      processes: [],
      instances: [{ name: "web4", phase, priority: 150, held: [] }],
    });
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

  it("minds a clock that nothing keeps only where something goes by it: signatures in time, certificates", () => {
    const keptByNobody = { clockKeeper: null };
    assert.deepEqual(ids(keptByNobody), []);
    const found = (check: string) => {
      const settings = config(
        `  tls: { listen: "${VIP}:443", forward: dr, servers: ["192.0.2.21:443"], checks: [${check}] }`,
      );
      return diagnose(settings, { ...WELL, ...keptByNobody }, { hmac: () => new Uint8Array(32), keys: {} });
    };
    assert.deepEqual(
      found("https").map(({ id, title }) => [id, title]),
      [["clock-not-kept", "no program keeps this machine's clock, which the certificates in the checks of tls go by"]],
    );
    assert.deepEqual(found("{ https: { tls: { verify: false } } }"), []);
    assert.deepEqual(
      ids({}, config("  tls: { listen: 192.0.2.100:443, servers: [192.0.2.21:443], checks: [https] }")),
      [],
    );
  });

  it("compares limits with numbers that may come true", () => {
    const many = config(
      `  big: { listen: "${VIP}:81", forward: nat, servers: [${Array.from({ length: 600 }, (_, n) => `"192.0.2.${(n % 90) + 1}:${80 + Math.floor(n / 90)}"`)}], checks: [tcp] }`,
    );
    const ipForward = new Map([...WELL.sysctls, ["net/ipv4/ip_forward", "1"]]);
    assert.deepEqual(ids({ sysctls: ipForward }, many), [], "90 machines and 601 checks");
    assert.deepEqual(ids({ sysctls: ipForward, own: { ...ALL, descriptorLimit: 601 } }, many), ["descriptors-few"]);
    const tight = [{ family: 4 as const, thresholds: [16, 64, 128] as const }];
    const small = [{ family: 4 as const, thresholds: [16, 32, 64] as const }];
    assert.deepEqual(ids({ sysctls: ipForward, neighbours: tight }, many), ["neighbour-table-tight"]);
    assert.deepEqual(ids({ sysctls: ipForward, neighbours: small }, many), ["neighbour-table-small"]);
  });

  describe("of a running daemon", () => {
    const PIDS = { supervisor: 10, vrrp: 11, checker: 12 };
    const without = (...capabilities: Capability[]): ProcessRights => {
      const left = ALL.capabilities.filter((each) => !capabilities.includes(each));
      return { ...ALL, capabilities: left, bounding: left };
    };
    function found(rights: Partial<Record<DaemonProcess["name"], ProcessRights>>, settings = USUAL, own = ALL) {
      const processes = (["supervisor", "vrrp", "checker"] as const).map((name) => ({
        ...{ name, pid: PIDS[name], rights: rights[name] ?? ALL },
      }));
      const facts = { ...WELL, own, daemon: { processes, instances: [] } };
      return diagnose(settings, facts, { hmac: () => new Uint8Array(32), keys: {} });
    }
    const titles = (...args: Parameters<typeof found>) => found(...args).map(({ id, title }) => `${id}: ${title}`);

    it("minds what each process lacks of what the configuration asks of it, and of the supervisor for its children", () => {
      const noRaw = without("CAP_NET_RAW");
      assert.deepEqual(titles({ supervisor: noRaw, vrrp: noRaw, checker: noRaw }), [
        "daemon-not-privileged: the running supervisor (10), the running vrrp process (11): without CAP_NET_RAW, which is needed for the adverts of web4",
      ]);
      assert.deepEqual(titles({ checker: without("CAP_NET_ADMIN") }), [
        "daemon-not-privileged: the running checker process (12): without CAP_NET_ADMIN, which is needed for the virtual addresses of web4 and the IPVS table",
      ]);
      assert.deepEqual(titles({ checker: noRaw }), [], "the checker sends no adverts");
    });

    it("asks no CAP_NET_RAW for adverts by UDP", () => {
      const udp = {
        ...USUAL,
        instances: USUAL.instances.map((each) => ({
          ...each,
          transport: { type: "udp", port: 1112, peers: [] } as const,
        })),
      };
      const noRaw = without("CAP_NET_RAW");
      assert.deepEqual(titles({ supervisor: noRaw, vrrp: noRaw, checker: noRaw }, udp), []);
    });

    it("names the setting of the unit: its bounding set, or for another user the ambient one", () => {
      const [barred] = found({ vrrp: without("CAP_NET_RAW") });
      assert.match(barred?.remedy ?? "", /CapabilityBoundingSet=CAP_NET_RAW/);
      const [unprivileged] = found({ vrrp: { ...ALL, capabilities: [] } });
      assert.match(unprivileged?.remedy ?? "", /AmbientCapabilities=CAP_NET_ADMIN/);
    });

    it("minds what real-time priority lacks only where it is configured", () => {
      const usual = { vrrp: { ...ALL, mayRunRealtime: false, mayLockMemory: false } };
      assert.deepEqual(titles(usual), []);
      assert.deepEqual(titles(usual, { ...USUAL, vrrp: { realtime: true } }), [
        "realtime-not-granted: the running vrrp process (11): without CAP_SYS_NICE and CAP_IPC_LOCK, which `vrrp.realtime` goes by",
      ]);
    });

    it("judges its descriptors by process, and not those of the doctor", () => {
      const few = { ...ALL, descriptorLimit: 65 };
      assert.deepEqual(titles({}, USUAL, few), []);
      assert.deepEqual(titles({ checker: few }), [], "one check");
      assert.deepEqual(titles({ supervisor: few, vrrp: few }), [
        "descriptors-few: the running supervisor (10) may have 65 descriptors, and 64 control connections may be open at the same time",
        "descriptors-few: the running vrrp process (11) may have 65 descriptors, and 5 sockets of instances may be open at the same time",
      ]);
    });

    it("does not mind what the doctor itself lacks, which without a daemon it does", () => {
      assert.deepEqual(titles({}, USUAL, without("CAP_NET_RAW")), []);
      assert.deepEqual(ids({ own: without("CAP_NET_RAW") }), ["not-privileged"]);
      const hidden = { processes: [], instances: [] };
      assert.deepEqual(ids({ own: without("CAP_NET_RAW"), daemon: hidden }), ["not-privileged"]);
    });
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

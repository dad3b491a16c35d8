// lab-needs: netns
// Every finding of `holdfast doctor` that needs no IPVS: provoked on a real network, found, mended by the command that it names or by
// `--fix`, and gone. A pair that is well has none, before it starts and while it runs. The others: doctor-guest.lab.ts.
import assert from "node:assert/strict";
import { cpSync, existsSync, mkdirSync, readdirSync, rmSync, symlinkSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { CATALOGUE, type DoctorFinding, type DoctorId } from "../../src/doctor/catalogue.ts";
import { statusOf } from "./support/daemon.ts";
import { type Director, PROGRAM, ROOT, startDirector } from "./support/director.ts";
import { type DoctorRun, doctor, idsOf, NEEDS_GUEST, only, type Report } from "./support/doctor.ts";
import type { Host } from "./support/hosts.ts";
import { keepalivedInstance, startKeepalived } from "./support/keepalived.ts";
import { ONLY_NET_ADMIN } from "./support/privileges.ts";
import { Topology } from "./support/topology.ts";
import { held } from "./support/vrrp-pair.ts";
import { waitFor } from "./support/wait.ts";

const VIP = "192.0.2.100";
/** In front of a command: it is root in name only. */
const POWERLESS = ["setpriv", "--bounding-set=-all", "--inh-caps=-all"];
/** In front of a command: Debian's libfaketime shows it another wall clock, and the usual monotonic one. */
const ahead = (by: string): string[] => [
  ...["env", `LD_PRELOAD=${libfaketime()}`, `FAKETIME=${by}`, "FAKETIME_DONT_FAKE_MONOTONIC=1"],
];

function libfaketime(): string {
  const folder = readdirSync("/usr/lib").find((name) => existsSync(`/usr/lib/${name}/faketime/libfaketime.so.1`));
  assert.ok(folder !== undefined, "Debian's faketime is not installed");
  return `/usr/lib/${folder}/faketime/libfaketime.so.1`;
}

interface Parts {
  readonly instance?: string;
  readonly transport?: string;
  readonly priority?: number;
  readonly interface?: string;
  readonly services?: string;
}

/** A director's file; adverts each 100 ms, so that the doctor listens for half a second. */
function yaml({
  instance = "",
  transport = "multicast",
  priority = 150,
  interface: device = "eth0",
  services = "",
}: Parts = {}): string {
  return `vrrp:
  instances:
    web4: { interface: ${device}, vrid: 51, priority: ${priority}, advertise: 100ms, transport: ${transport}, addresses: [${VIP}/32]${instance} }
${services === "" ? "" : `services:\n${services}`}`;
}

const DR = `  web: { listen: "${VIP}:80", forward: dr, servers: ["192.0.2.21:80", "192.0.2.22:80"], checks: [] }\n`;

describe("holdfast doctor", function () {
  this.timeout(60_000);
  let topology: Topology;
  let lb: Host;
  let rs: Host;
  /** What was provoked; in the end, everything. */
  const seen = new Set<DoctorId>();
  /** What was provoked in this test and has not been seen to go. */
  const open = new Set<DoctorId>();

  before(() => {
    topology = new Topology({ method: "dr", servers: 2, directors: 2, isBare: true });
    lb = topology.lb(1);
    rs = topology.rs(1).host;
  });

  after(async () => {
    await topology?.close();
  });

  afterEach(function () {
    const left = [...open];
    open.clear();
    if (this.currentTest?.state === "passed") assert.deepEqual(left, [], "found, and not mended");
  });

  async function examine(text: string, run: DoctorRun = {}, host = lb): Promise<Report> {
    const report = await doctor(host, topology.dir, text, run);
    if (report.findings.length === 0) open.clear();
    return report;
  }

  async function finds(id: DoctorId, text: string, run: DoctorRun = {}): Promise<DoctorFinding> {
    const finding = only(await examine(text, run), id);
    seen.add(id);
    open.add(id);
    return finding;
  }

  async function isClean(text: string, run: DoctorRun = {}, host = lb): Promise<void> {
    const report = await examine(text, run, host);
    assert.deepEqual(report.findings, [], JSON.stringify(report, null, 2));
  }

  /** Runs the command that a finding names, as an operator would. */
  function remedy({ remedy: command }: DoctorFinding, folder = "/"): void {
    lb.exec(["sh", "-ec", `cd '${folder}'; ${command}`]);
  }

  describe("on this machine", () => {
    it("nothing, where all is well before a start", async () => {
      await isClean(yaml({ services: DR }));
      const text = await lb.execAsync([process.execPath, PROGRAM, "doctor", write(yaml())]);
      assert.deepEqual([text.status, text.stdout], [0, "no findings\n"]);
    });

    it("interface-missing, -down and -without-address", async () => {
      const missing = await finds("interface-missing", yaml({ interface: "eth7" }));
      assert.match(missing.title, /eth7, which does not exist/);
      lb.exec(["ip", "link", "set", "eth0", "down"]);
      remedy(await finds("interface-down", yaml()));
      await isClean(yaml());
      lb.exec(["ip", "address", "flush", "dev", "eth0", "scope", "global"]);
      await finds("interface-without-address", yaml());
      lb.addAddress("192.0.2.11/24", "eth0");
      await isClean(yaml());
    });

    it("not-privileged, which is no crash, and what was not looked at for want of it", async () => {
      const report = await examine(yaml(), { wrapper: POWERLESS });
      const finding = only(report, "not-privileged");
      seen.add("not-privileged");
      assert.match(finding.title, /CAP_NET_ADMIN and CAP_NET_RAW/);
      assert.match(JSON.stringify(report.unseen), /answers ARP/);
      await isClean(yaml());
    });

    it("addon-missing", async () => {
      const copy = join(topology.dir, "copy");
      mkdirSync(copy);
      for (const entry of ["dist", "package.json"]) cpSync(join(ROOT, entry), join(copy, entry), { recursive: true });
      mkdirSync(join(copy, "native"));
      for (const name of ["build.mjs", "holdfast.c"]) cpSync(join(ROOT, "native", name), join(copy, "native", name));
      // Node finds it there, and npm rebuilds what is in its own folder only.
      symlinkSync(join(ROOT, "node_modules"), join(topology.dir, "node_modules"));
      const program = join(copy, "dist/main.js");
      remedy(await finds("addon-missing", yaml(), { program }), copy);
      await isClean(yaml(), { program });
    });

    it("sysctl-needed: --fix --dry-run says it, --fix sets it, and then it is gone", async () => {
      const nat = yaml({
        services: `  web: { listen: "${VIP}:80", forward: nat, servers: ["192.0.2.21:80"], checks: [] }\n`,
      });
      lb.sysctl({ "net.ipv4.ip_forward": "0" });
      const finding = await finds("sysctl-needed", nat);
      assert.equal(finding.remedy, "sysctl -w net.ipv4.ip_forward=1");
      const dry = await examine(nat, { args: ["--fix", "--dry-run"] });
      assert.deepEqual([dry.status, lb.exec(["sysctl", "-n", "net.ipv4.ip_forward"])], [1, "0\n"]);
      const fixed = await examine(nat, { args: ["--fix"] });
      assert.deepEqual([fixed.status, fixed.fixed], [0, ["net.ipv4.ip_forward=1"]]);
      assert.equal(lb.exec(["sysctl", "-n", "net.ipv4.ip_forward"]), "1\n");
      await isClean(nat);
      lb.sysctl({ "net.ipv4.ip_forward": "0" });
    });

    it("rp-filter-strict: only where the default route leaves by another interface; --fix mends it", async () => {
      lb.sysctl({ "net.ipv4.conf.all.rp_filter": "1" });
      await isClean(yaml({ services: DR }));
      lb.exec(["sh", "-ec", "ip link add eth1 type veth peer name far; ip link set far up; ip link set eth1 up"]);
      lb.exec(["sh", "-ec", "ip address add 10.9.0.1/24 dev eth1; ip route add default via 10.9.0.2"]);
      const finding = await finds("rp-filter-strict", yaml({ services: DR }));
      assert.match(finding.title, /eth0.*eth1/);
      const fixed = await examine(yaml({ services: DR }), { args: ["--fix"] });
      assert.deepEqual([fixed.status, fixed.fixed], [0, ["net.ipv4.conf.eth0.rp_filter=2"]]);
      lb.exec(["ip", "link", "del", "eth1"]);
      lb.sysctl({ "net.ipv4.conf.all.rp_filter": "0", "net.ipv4.conf.eth0.rp_filter": "0" });
    });

    it("dr-server-off-link", async () => {
      const far = DR.replace("192.0.2.22", "198.51.100.22");
      assert.match((await finds("dr-server-off-link", yaml({ services: far }))).title, /198\.51\.100\.22/);
      await isClean(yaml({ services: far.replace("dr,", "tun,") }));
    });

    it("tunnel-mtu-ipv6 and path-mtu-hole", async () => {
      const tun6 = `  web6: { listen: "[2001:db8::100]:80", forward: { tun: gue }, servers: ["[2001:db8::21]:80"], checks: [] }\n`;
      lb.addAddress("2001:db8::11/64", "eth0");
      await isClean(yaml({ services: tun6 }));
      lb.exec(["ip", "link", "set", "eth0", "mtu", "1300"]);
      remedy(await finds("tunnel-mtu-ipv6", yaml({ services: tun6 })));
      await isClean(yaml({ services: tun6 }));
      lb.exec(["ip", "link", "set", "eth0", "mtu", "1500"]);
      const tun = DR.replace("dr,", "tun,");
      // What is larger than the receiver's MTU is dropped there, and nobody is told.
      rs.exec(["ip", "link", "set", "eth0", "mtu", "1400"]);
      assert.match((await finds("path-mtu-hole", yaml({ services: tun }))).title, /1500 bytes to 192\.0\.2\.21/);
      rs.exec(["ip", "link", "set", "eth0", "mtu", "1500"]);
      await isClean(yaml({ services: tun }));
    });

    it("descriptors-few", async () => {
      const servers = Array.from({ length: 200 }, (_, index) => `"10.0.0.${21 + index}:80"`).join(", ");
      const many = `  web: { listen: "${VIP}:80", forward: nat, servers: [${servers}], checks: [tcp] }\n`;
      lb.sysctl({ "net.ipv4.ip_forward": "1" });
      const finding = await finds("descriptors-few", yaml({ services: many }), {
        wrapper: ["prlimit", "--nofile=128:128"],
      });
      assert.match(finding.title, /128 descriptors, and 200 checks/);
      await isClean(yaml({ services: many }), { wrapper: ["prlimit", "--nofile=1024:1024"] });
      lb.sysctl({ "net.ipv4.ip_forward": "0" });
    });

    it("clock-not-kept, where signatures go by the clock", async () => {
      const signed = yaml({ instance: `, auth: { hmac: { keys: { 1: "file:${key()}" } } }` });
      await finds("clock-not-kept", signed);
      // As the file of the program that it names: there is nothing to keep right here.
      keptClock();
      await isClean(signed);
      forgetClock();
    });
  });

  describe("in the running daemon", () => {
    /** As the unit of a director that speaks UDP alone, and with the usual limits of a shell. */
    const LITTLE = ["prlimit", "--rtprio=0", "--memlock=65536", "--nofile=128", ...ONLY_NET_ADMIN];
    const udp = yaml({ transport: "udp, peers: [192.0.2.12]" });
    const realtime = (text: string) => text.replace("vrrp:\n", "vrrp:\n  realtime: true\n");
    const servers = Array.from({ length: 50 }, (_, index) => `"192.0.2.${21 + index}:80"`).join(", ");
    const many = `services:\n  web: { listen: "${VIP}:80", forward: dr, servers: [${servers}], checks: [tcp, http, tcp, http] }\n`;
    const run = () => ({ runDir: join(topology.dir, "lb1", "run") });

    async function beside(text: string, wrapper: readonly string[], use: (director: Director) => Promise<void>) {
      const director = startDirector(topology, lb, text, wrapper);
      try {
        await held(topology, ["lb1"], [director]);
        await use(director);
      } finally {
        await director.stop();
      }
    }

    it("daemon-not-privileged, realtime-not-granted and descriptors-few: what a file asks of it that it may not", async () => {
      const granted: string[] = [];
      await beside(udp, LITTLE, async (director) => {
        await isClean(udp, run());
        const { pid, processes } = await statusOf(director);
        const vrrpPid = processes.find(({ name }) => name === "vrrp")?.pid;
        const raw = await finds("daemon-not-privileged", yaml(), run());
        assert.match(
          raw.title,
          new RegExp(`supervisor \\(${pid}\\), .*vrrp process \\(${vrrpPid}\\): without CAP_NET_RAW`),
        );
        const urgent = await finds("realtime-not-granted", realtime(udp), run());
        const few = await finds("descriptors-few", `${udp}${many}`, run());
        assert.match(few.title, /running checker process \(\d+\) may have 128 descriptors, and 200 checks/);
        for (const { remedy } of [raw, urgent])
          granted.push(...(/CapabilityBoundingSet=([A-Z_ ]+)/.exec(remedy)?.[1] ?? "").split(" "));
        granted.push(/LimitNOFILE=(\d+)/.exec(few.remedy)?.[1] ?? "");
        // It is as the finding says.
        await director.reload(yaml());
        assert.match((await director.command(["status"])).stdout, /web4: interface cannot be opened/);
      });
      assert.deepEqual(granted, ["CAP_NET_RAW", "CAP_SYS_NICE", "CAP_IPC_LOCK", "65536"]);
      const all = "--bounding-set=-all,+net_admin,+net_raw,+sys_nice,+ipc_lock";
      const enough = ["prlimit", "--rtprio=0", "--memlock=65536", "setpriv", all, "--inh-caps=-all"];
      await beside(realtime(yaml()), enough, async (director) => {
        await isClean(`${realtime(yaml())}${many}`, run());
        assert.deepEqual((await statusOf(director)).problems, []);
      });
    });

    it("nothing, where only the doctor lacks rights: then it says what it did not look at", async () => {
      await beside(yaml(), [], async () => {
        const report = await examine(yaml(), { ...run(), wrapper: POWERLESS });
        assert.deepEqual(report.findings, [], JSON.stringify(report));
        assert.match(JSON.stringify(report.unseen), /answers ARP.*CAP_NET_RAW/);
      });
    });
  });

  describe("on its networks", () => {
    it("address-already-here", async () => {
      lb.addAddress(`${VIP}/32`, "eth0");
      remedy(await finds("address-already-here", yaml()));
      await isClean(yaml());
    });

    it("vip-arp-stranger, named by its MAC address", async () => {
      topology.client.addAddress(`${VIP}/32`, "eth0");
      const finding = await finds("vip-arp-stranger", yaml({ services: DR }));
      const [link] = JSON.parse(topology.client.exec(["ip", "-j", "link", "show", "dev", "eth0"])) as {
        address: string;
      }[];
      assert.ok(finding.title.startsWith(link?.address ?? "?"), finding.title);
      // Nobody learns anything from being asked.
      assert.equal(topology.client.exec(["ip", "neigh", "show", "192.0.2.11"]), "");
      topology.client.exec(["ip", "address", "del", `${VIP}/32`, "dev", "eth0"]);
      await isClean(yaml({ services: DR }));
    });

    it("real-server-answers-arp, mended by the command that it names", async () => {
      rs.addAddress(`${VIP}/32`, "lo");
      const finding = await finds("real-server-answers-arp", yaml({ services: DR }));
      assert.match(finding.title, /real server 192\.0\.2\.21 /);
      const command = /holdfast (realserver up .*?) +#/.exec(finding.remedy)?.[1] ?? "";
      const stateDir = ["--state-dir", join(topology.dir, "rs-state")];
      rs.exec([process.execPath, PROGRAM, ...command.split(" "), ...stateDir]);
      await isClean(yaml({ services: DR }));
      rs.exec([process.execPath, PROGRAM, "realserver", "down", ...stateDir]);
      rs.exec(["ip", "address", "del", `${VIP}/32`, "dev", "lo"]);
    });
  });

  describe("at its peers", () => {
    /** Runs keepalived on a host while something is looked at. */
    async function beside(conf: string, use: () => Promise<void>, host = topology.lb(2)): Promise<void> {
      const program = startKeepalived(topology, host, conf);
      try {
        await waitFor(
          "keepalived is master",
          () => program.lines.join("\n"),
          (text) => /MASTER STATE/.test(text),
          {
            withinMs: 20_000,
          },
        );
        await use();
      } finally {
        await program.stop("SIGTERM");
      }
    }

    /** Has the peer's packets changed on their way. */
    function changing(rule: string): { end(): void } {
      const table = `table ip m { chain o { type filter hook output priority 0; ip protocol 112 ${rule}; }; }`;
      topology.lb(2).exec(["nft", table]);
      return { end: () => void topology.lb(2).exec(["nft", "delete", "table", "ip", "m"]) };
    }

    const peer = (change: Partial<Parameters<typeof keepalivedInstance>[0]> = {}) =>
      keepalivedInstance({ priority: 100, advertiseS: 0.1, address: VIP, ...change });

    it("nothing, beside a keepalived that is set the same", async () => {
      await beside(peer(), () => isClean(yaml({ services: DR })));
    });

    it("vrid-stranger", async () => {
      await beside(peer({ address: "192.0.2.200" }), async () => {
        const finding = await finds("vrid-stranger", yaml());
        assert.match(finding.title, /192\.0\.2\.12 uses VRID 51 for the addresses 192\.0\.2\.200/);
        await isClean(yaml().replace("vrid: 51", "vrid: 52"));
      });
    });

    it("peer-interval, peer-checksum, peer-priority and peer-addresses, gone where both sides say the same", async () => {
      await beside(peer({ advertiseS: 0.2 }), async () => {
        await finds("peer-interval", yaml());
        await isClean(yaml().replace("100ms", "200ms"));
      });
      await beside(peer(), async () => {
        await finds("peer-checksum", yaml({ instance: ", checksum: message-only" }));
        await isClean(yaml({ instance: ", checksum: pseudo-header" }));
        await finds("peer-priority", yaml({ priority: 100 }));
        await isClean(yaml({ priority: 101 }));
      });
      await beside(peer({ address: `${VIP}/32\n    192.0.2.101` }), async () => {
        assert.match((await finds("peer-addresses", yaml())).title, /192\.0\.2\.101/);
        await isClean(yaml().replace(`${VIP}/32`, `${VIP}/32, 192.0.2.101/32`));
      });
    });

    it("peer-version, gone with the line for keepalived that it names", async () => {
      // Version 2 counts seconds; so that the doctor listens long enough, this node does as well.
      const slow = yaml().replace("100ms", "1s");
      let line = "";
      await beside(peer({ advertiseS: 1 }).replace("vrrp_version 3", "vrrp_version 2"), async () => {
        line = /`(.*)` in keepalived/.exec((await finds("peer-version", slow)).remedy)?.[1] ?? "";
      });
      await beside(peer({ advertiseS: 1 }).replace("vrrp_version 3", line), () => isClean(slow));
    });

    it("peer-transport, vrid-stranger and vrrp-from-afar of a peer by unicast, gone with its transport, address and minTtl", async () => {
      const unicast = (peers: string) => yaml({ transport: `unicast, peers: [${peers}]` });
      await beside(peer({ unicast: { source: "192.0.2.12", peers: ["192.0.2.11"] } }), async () => {
        await finds("peer-transport", yaml());
        await isClean(unicast("192.0.2.12"));
        await finds("vrid-stranger", unicast("192.0.2.13"));
        await isClean(unicast("192.0.2.12, 192.0.2.13"));
        const hops = changing("ip ttl set 64");
        await finds("vrrp-from-afar", unicast("192.0.2.12"));
        await isClean(unicast("{ address: 192.0.2.12, minTtl: 64 }"));
        hops.end();
      });
    });

    it("peer-garbled and vrrp-from-afar: packets changed on their way", async () => {
      const change = async (rule: string, id: DoctorId) => {
        const changed = changing(rule);
        await finds(id, yaml());
        changed.end();
        await isClean(yaml());
      };
      await beside(peer(), async () => {
        await change("@th,16,8 set 99", "peer-garbled");
        await change("ip ttl set 64", "vrrp-from-afar");
      });
    });

    it("own-address-elsewhere", async () => {
      const twin = topology.rs(2).host;
      twin.exec(["sh", "-ec", "ip address flush dev eth0 scope global; ip address add 192.0.2.11/24 dev eth0"]);
      await beside(peer(), async () => void (await finds("own-address-elsewhere", yaml())), twin);
      twin.exec(["sh", "-ec", "ip address flush dev eth0 scope global; ip address add 192.0.2.22/24 dev eth0"]);
      await beside(peer(), () => isClean(yaml()), twin);
    });

    it("clock-differs and peer-auth: a peer that signs by a clock two minutes ahead, or by the right one", async () => {
      const signed = (priority: number, { window = "1m", file = key() } = {}) =>
        yaml({ priority, instance: `, auth: { hmac: { keys: { 1: "file:${file}" }, window: ${window} } }` });
      const besidePeer = async (text: string, wrapper: readonly string[], use: () => Promise<void>) => {
        const director = startDirector(topology, topology.lb(2), text, wrapper);
        try {
          await held(topology, ["lb2"], [director]);
          await use();
        } finally {
          await director.stop();
        }
      };
      keptClock();
      await besidePeer(signed(100, { window: "5m" }), ahead("+120s"), async () => {
        await finds("clock-differs", signed(150));
        await isClean(signed(150, { window: "5m" }));
      });
      await besidePeer(signed(100), [], async () => {
        await isClean(signed(150));
        for (const other of [yaml(), signed(150, { file: key("other", "a5") })]) {
          await finds("peer-auth", other);
          await isClean(signed(150));
        }
      });
      await beside(peer(), async () => {
        await finds("peer-auth", signed(150));
        await isClean(yaml());
      });
      forgetClock();
    });

    it("two-masters; and nothing on either director of a pair that is well", async () => {
      const directors: Director[] = [];
      const runDir = (number: number) => ({ runDir: join(topology.dir, `lb${number}`, "run") });
      try {
        directors.push(startDirector(topology, lb, yaml({ priority: 150 })));
        await held(topology, ["lb1"], directors);
        directors.push(startDirector(topology, topology.lb(2), yaml({ priority: 100 })));
        await directors[1]?.program.line(/initialize -> backup/);
        await isClean(yaml({ priority: 150 }), runDir(1));
        await isClean(yaml({ priority: 100 }), runDir(2), topology.lb(2));

        topology
          .lb(2)
          .exec(["nft", "table ip deaf { chain i { type filter hook input priority 0; ip protocol 112 drop; }; }"]);
        await waitFor(
          "both hold the VIP",
          () => topology.holders(),
          (holders) => holders.length === 2,
          { withinMs: 10_000 },
        );
        const report = await examine(yaml({ priority: 150 }), runDir(1));
        assert.ok(idsOf(report).includes("two-masters"), JSON.stringify(report));
        seen.add("two-masters");
        topology.lb(2).exec(["nft", "delete", "table", "ip", "deaf"]);
        await held(topology, ["lb1"], directors);
        await isClean(yaml({ priority: 150 }), runDir(1));
      } finally {
        for (const director of directors) await director.stop();
      }
    });
  });

  // A group of its own: tests that stand beside groups are run before them.
  describe("in the end", () => {
    it("had every finding that does not need a guest, and saw each go", () => {
      const all = (Object.keys(CATALOGUE) as DoctorId[]).filter((id) => !NEEDS_GUEST.includes(id));
      assert.deepEqual([...seen].sort(), all.sort());
    });
  });

  function write(text: string): string {
    const file = join(topology.dir, "plain.yaml");
    writeFileSync(file, text);
    return file;
  }

  /** A key file: the usual one, or another. */
  function key(name = "usual", byte = "5a"): string {
    const file = join(topology.dir, `${name}.key`);
    writeFileSync(file, `hex:${byte.repeat(32)}\n`, { mode: 0o600 });
    return file;
  }

  /** /run is the lab's own: no machine's clock is touched. */
  function keptClock(): void {
    mkdirSync("/run/systemd/timesync", { recursive: true });
    writeFileSync("/run/systemd/timesync/synchronized", "");
  }

  function forgetClock(): void {
    rmSync("/run/systemd/timesync/synchronized", { force: true });
  }
});

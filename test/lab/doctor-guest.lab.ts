// lab-needs: fresh-ipvs
// The findings of `holdfast doctor` about IPVS and about the first network namespace, provoked; and pairs that are well, for nat, dr
// and tun: no finding before the start, and none while they run, on master and backup.
import assert from "node:assert/strict";
import { existsSync, readFileSync, writeFileSync } from "node:fs";
import { release } from "node:os";
import { join } from "node:path";
import type { DoctorId } from "../../src/doctor/catalogue.ts";
import { run, tryRun } from "./support/commands.ts";
import { startDirector } from "./support/director.ts";
import { doctor, NEEDS_GUEST, only } from "./support/doctor.ts";
import type { Host } from "./support/hosts.ts";
import { serving, webYaml } from "./support/pair.ts";
import { startWeb } from "./support/servers.ts";
import { withTopology } from "./support/topology.ts";

/** The machine itself: its first network namespace, where the limits of the neighbour table are. */
const MACHINE = {
  execAsync: async (argv: readonly string[]) => tryRun(argv),
} as unknown as Host;

const seen = new Set<DoctorId>();
const dir = process.env.LAB_SHARE ?? "";

function services(scheduler: string, forward: string): string {
  return `services:\n  web: { listen: "192.0.2.100:80", scheduler: ${scheduler}, forward: ${forward}, servers: ["192.0.2.21:80"], checks: [] }\n`;
}

describe("holdfast doctor and the kernel", function () {
  this.timeout(240_000);

  async function finds(id: DoctorId, text: string, wrapper: readonly string[] = []): Promise<string> {
    const { title } = only(await doctor(MACHINE, dir, text, { wrapper }), id);
    seen.add(id);
    return title;
  }

  async function isClean(text: string): Promise<void> {
    const report = await doctor(MACHINE, dir, text);
    assert.deepEqual(report.findings, [], JSON.stringify(report, null, 2));
  }

  it("ipvs-missing and scheduler-missing: a kernel whose modules are not installed", async () => {
    assert.ok(!existsSync("/proc/net/ip_vs"), "IPVS must not be loaded yet");
    const list = `/lib/modules/${release()}/modules.dep`;
    const text = readFileSync(list, "utf8");
    const without = async (pattern: RegExp, use: () => Promise<void>) => {
      const shorter = join(dir, "modules.dep");
      writeFileSync(
        shorter,
        text
          .split("\n")
          .filter((line) => !pattern.test(line))
          .join("\n"),
      );
      run(["mount", "--bind", shorter, list]);
      try {
        await use();
      } finally {
        run(["umount", list]);
      }
    };
    const file = services("mh", "nat");
    run(["sysctl", "-q", "-w", "net.ipv4.ip_forward=1"]);
    await without(/ip_vs/, async () => void (await finds("ipvs-missing", file)));
    await without(/ip_vs_mh/, async () => {
      assert.match(await finds("scheduler-missing", file), /no scheduler mh/);
      await isClean(services("wlc", "nat"));
    });
    await isClean(file);
    assert.ok(!existsSync("/proc/net/ip_vs"), "looking must load nothing");
  });

  it("tunnel-unsupported: a kernel that calls itself 2.6", async () => {
    const file = services("rr", "{ tun: gre }");
    assert.match(
      await finds("tunnel-unsupported", file, ["setarch", "--uname-2.6"]),
      /2\.6\..* cannot tunnel service web in gre/,
    );
    await isClean(file);
  });

  it("neighbour-table-small and -tight, mended by --fix", async () => {
    const names = [1, 2, 3].map((number) => `net.ipv4.neigh.default.gc_thresh${number}`);
    const before = run(["sysctl", "-n", ...names])
      .trim()
      .split("\n");
    run(["ip", "link", "add", "hf0", "type", "veth", "peer", "name", "hf1"]);
    run(["sh", "-ec", "ip address add 10.99.0.1/16 dev hf0; ip link set hf1 up; ip link set hf0 up"]);
    const servers = Array.from({ length: 600 }, (_, index) => `"10.99.${1 + (index >> 8)}.${index & 255}:80"`).join(
      ", ",
    );
    const file = `services:\n  web: { listen: "192.0.2.100:80", forward: nat, servers: [${servers}], checks: [] }\n`;
    const limits = (...values: readonly number[]) =>
      run(["sysctl", "-q", "-w", ...names.map((name, index) => `${name}=${values[index]}`)]);
    try {
      limits(128, 256, 512);
      assert.match(await finds("neighbour-table-small", file), /600 servers .*gc_thresh3 is 512/);
      limits(128, 512, 1024);
      assert.match(await finds("neighbour-table-tight", file), /600 servers .*gc_thresh2 is 512/);
      const fixed = await doctor(MACHINE, dir, file, { args: ["--fix"] });
      assert.equal(fixed.status, 0, JSON.stringify(fixed));
      assert.equal(run(["sysctl", "-n", ...names]), "1024\n2048\n4096\n");
    } finally {
      limits(...before.map(Number));
      run(["ip", "link", "del", "hf0"]);
    }
  });

  it("had every finding that needs a guest", () => {
    assert.deepEqual([...seen].sort(), [...NEEDS_GUEST].sort());
  });

  for (const method of ["nat", "dr", "tun"] as const) {
    it(`${method}: a pair that is well has no findings, before it starts and while it runs`, async () => {
      await withTopology({ method, servers: 2, directors: 2 }, async (topology) => {
        const examine = async (number: 1 | 2, when: string) => {
          const runDir = join(topology.dir, `lb${number}`, "run");
          const report = await doctor(topology.lb(number), topology.dir, webYaml(topology, number, method), { runDir });
          assert.deepEqual(report.findings, [], `lb${number} ${when}: ${JSON.stringify(report, null, 2)}`);
        };
        const web = await startWeb(
          topology.servers.map(({ host }) => host),
          topology.dir,
        );
        await examine(1, "before the start");
        const directors = ([1, 2] as const).map((number) =>
          startDirector(topology, topology.lb(number), webYaml(topology, number, method)),
        );
        await serving({ topology, directors, web }, 2, 180_000);
        await examine(1, "as master");
        await examine(2, "as backup");
      });
    });
  }
});

// lab-needs: ipvs
// Who comes from ipvsadm or keepalived: what the real programs put into a real kernel is imported, `plan` finds nothing to do about it, and
// a daemon that is started with it leaves the table as it was. Witness: ipvsadm.
import assert from "node:assert/strict";
import { writeFileSync } from "node:fs";
import { join } from "node:path";
import type { KernelPlan } from "../../src/plan/model.ts";
import type { Outcome } from "./support/commands.ts";
import { isRunning, placeIn, startDaemon } from "./support/daemon.ts";
import { PROGRAM } from "./support/director.ts";
import { startKeepalived } from "./support/keepalived.ts";
import { Topology } from "./support/topology.ts";
import { waitFor } from "./support/wait.ts";

/** Schedulers with and without options, persistence, the three methods and a tunnel, TCP and UDP, both families, and no server at all. */
const TABLE = `-A -t 192.0.2.100:80 -s wrr -p 300 -M 255.255.255.0
-a -t 192.0.2.100:80 -r 192.0.2.21:80 -g -w 3
-a -t 192.0.2.100:80 -r 192.0.2.22:80 -g -w 0
-A -t 192.0.2.100:443 -s mh -b mh-fallback,mh-port
-a -t 192.0.2.100:443 -r 198.51.100.21:443 -i -w 1
-A -t 192.0.2.100:8080 -s sh
-a -t 192.0.2.100:8080 -r 198.51.100.22:8080 -i -w 2 --tun-type gue --tun-port 6080
-A -u 192.0.2.100:53 -s rr -p
-a -u 192.0.2.100:53 -r 10.0.0.21:5353 -m -w 1
-a -u 192.0.2.100:53 -r 10.0.0.22:53 -m -w 65535
-A -t [2001:db8::100]:80 -s wlc
-a -t [2001:db8::100]:80 -r [2001:db8::21]:8080 -m -w 1
-A -t 192.0.2.100:9 -s lc
`;

const KEEPALIVED = `global_defs {
  router_id lb1
}
virtual_server 192.0.2.100 80 {
  lb_algo wrr
  lb_kind DR
  persistence_timeout 120
  protocol TCP
  real_server 192.0.2.21 80 {
    weight 3
  }
  real_server 192.0.2.22 80 {
    weight 1
  }
}
virtual_server 192.0.2.100 53 {
  lb_algo rr
  lb_kind NAT
  protocol UDP
  real_server 10.0.0.21 5353 {
    weight 2
  }
}
virtual_server 192.0.2.100 443 {
  lb_algo sh
  lb_kind TUN
  protocol TCP
  real_server 198.51.100.21 443 {
    weight 1
  }
}
`;

describe("a table of others, imported", () => {
  let topology: Topology;
  let home: string;

  const lb = () => topology.lb(1);
  const tableNow = (): string => lb().exec(["ipvsadm", "-S", "-n"]);

  before(() => {
    topology = new Topology({ directors: 1 });
    home = join(topology.dir, "home");
    placeIn(home);
  });
  afterEach(() => void lb().exec(["ipvsadm", "-C"]));
  after(() => topology?.close());

  function holdfast(...args: readonly string[]): Promise<Outcome> {
    const { runDir, stateDir } = placeIn(home);
    return lb().execAsync([process.execPath, PROGRAM, ...args, "--run-dir", runDir, "--state-dir", stateDir]);
  }

  /** Imports a file. @returns where the result stands, and what was said of it */
  async function imported(name: string, text: string): Promise<{ readonly yaml: string; readonly said: string }> {
    const [file, yaml] = [join(home, name), join(home, `${name}.yaml`)];
    writeFileSync(file, text);
    const { stdout, stderr } = await holdfast("import", file);
    writeFileSync(yaml, stdout);
    const checked = await holdfast("check", yaml);
    assert.equal(checked.status, 0, `${stdout}${checked.stderr}`);
    return { yaml, said: stderr.replaceAll(file, name) };
  }

  /** The plan, made from the file and the kernel alone, has nothing against the table. */
  async function nothingToDo(yaml: string): Promise<void> {
    const { status, stdout, stderr } = await holdfast("plan", "--json", yaml);
    const plan = JSON.parse(stdout) as KernelPlan;
    assert.match(plan.basis, /^no daemon runs: /);
    assert.deepEqual([status, plan.groups.flatMap(({ steps }) => steps)], [0, []], stderr);
  }

  it("by ipvsadm: all of it is carried over, nothing is to do, and a daemon takes it on without touching it", async () => {
    lb().exec(["ipvsadm", "-R"], TABLE);
    const before = tableNow();
    assert.equal(before.trim().split("\n").length, TABLE.trim().split("\n").length);
    const { yaml, said } = await imported("table", before);
    // What is said of the result is for `check`: a table has no virtual addresses and no checks.
    const lost = said.split("\n").filter((line) => line.startsWith("table:"));
    assert.deepEqual(lost, [
      "table:1: `checks: []` ipvsadm knows no health checks: write them, or servers that die keep their clients",
    ]);
    await nothingToDo(yaml);
    const daemon = startDaemon(lb(), home, { yaml: `include: [${yaml}]\nipvs: { onStop: keep }\n` });
    await isRunning(daemon);
    await daemon.stop();
    assert.equal(daemon.program.exitCode, 0, daemon.lines.slice(-20).join("\n"));
    assert.equal(tableNow(), before);
    assert.doesNotMatch(daemon.lines.join("\n"), /ipvs: .*(added|changed|removed|deleted)/);
  });

  it("by keepalived: nothing is to do, as soon as one weight differs that is", async () => {
    const keepalived = startKeepalived(topology, lb(), KEEPALIVED);
    const { seen } = await waitFor(
      "keepalived's table",
      tableNow,
      (text) => (text.match(/^-a /gm)?.length ?? 0) === 4,
      {
        withinMs: 60_000,
        everyMs: 200,
        show: (text) => `${text}\n${keepalived.lines.slice(-15).join("\n")}`,
      },
    );
    const { yaml } = await imported("keepalived.conf", KEEPALIVED);
    await nothingToDo(yaml);
    lb().exec(["ipvsadm", "-e", "-t", "192.0.2.100:80", "-r", "192.0.2.21:80", "-g", "-w", "4"]);
    const { status, stdout } = await holdfast("plan", yaml);
    assert.equal(status, 2);
    assert.match(stdout, /^~ {3}server 192\.0\.2\.21:80: dr weight 4 -> dr weight 3$/m, seen);
    assert.match(stdout, /^plan: 0 to add, 1 to change, 0 to remove$/m);
    await keepalived.stop("SIGTERM", 20_000);
  });
});

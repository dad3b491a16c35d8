import assert from "node:assert/strict";
import type { InstanceConfig, SyncConfig } from "../../src/config/model.ts";
import { syncDaemons } from "../../src/ipvs/sync.ts";
import { type Phases, planAddresses } from "../../src/plan/addresses.ts";
import { joinPlan, type PlanGroup } from "../../src/plan/model.ts";
import { planSync } from "../../src/plan/sync.ts";
import { planSysctls } from "../../src/plan/sysctls.ts";
import { planLines } from "../../src/plan/text.ts";
import { serviceConfig } from "../support/service-config.ts";

const VIP = { address: "192.0.2.10", prefixLength: 24 };
const OTHER = { address: "192.0.2.11", prefixLength: 24 };
const WEB4 = { name: "web4", interface: "eth0", addresses: [VIP, OTHER] } as unknown as InstanceConfig;
const held = (address: typeof VIP, isOwn = true, device = "eth0") => ({ interface: device, address, isOwn });
const phase = (name: "backup" | "master"): Phases => new Map([["web4", name]]);

/** The lines of some groups, without the frame. */
function lines(...groups: readonly PlanGroup[]): readonly string[] {
  return planLines(joinPlan(groups, { basis: "" }))
    .slice(2, -1)
    .filter((line) => line !== "");
}

describe("plan/addresses", () => {
  it("a master gets what it does not hold; a backup that holds none is right", () => {
    assert.deepEqual(lines(...planAddresses([WEB4], [held(VIP)], phase("master"))), [
      "  instance web4 on eth0",
      "+   address 192.0.2.11/24: on eth0",
      "    master: holds 192.0.2.10/24",
    ]);
    assert.deepEqual(lines(...planAddresses([WEB4], [], phase("backup"))), [
      "  instance web4 on eth0",
      "    backup: holds no address, as it should be",
    ]);
  });

  it("names addresses of holdfast that are not configured any more, but no copy on lo during a handover", () => {
    const left = { address: "192.0.2.99", prefixLength: 24 };
    const copy = { address: VIP.address, prefixLength: 32 };
    const present = [
      held(VIP),
      held(OTHER),
      held(left),
      held(copy, true, "lo"),
      held({ ...left, address: "192.0.2.98" }, false),
    ];
    assert.deepEqual(lines(...planAddresses([WEB4], present, phase("master"))), [
      "  instance web4 on eth0",
      "    master: holds 192.0.2.10/24, 192.0.2.11/24",
      "  addresses that are not configured any more",
      "-   address 192.0.2.99/24: on eth0",
    ]);
  });

  it("without a daemon says nothing about who will be master, and tells whose an address is", () => {
    assert.deepEqual(lines(...planAddresses([WEB4], [held(VIP, false)], null)), [
      "  instance web4 on eth0",
      "    holds 192.0.2.10/24 since before; the next start goes on as master or lets go",
      "    192.0.2.10/24 was put there by somebody else and stays",
    ]);
  });
});

describe("plan/sysctls", () => {
  const services = [serviceConfig({ forward: "nat" })];

  it("is a change where they are managed, and a sentence with the command where not", () => {
    const values = (name: string) => (name === "net.ipv4.ip_forward" ? "0" : null);
    assert.deepEqual(lines(planSysctls({ services, sync: null, isManaged: true }, values)), [
      "  kernel settings",
      "~   sysctl net.ipv4.ip_forward: 0 -> 1",
    ]);
    const unmanaged = planSysctls({ services, sync: null, isManaged: false }, values);
    assert.deepEqual(unmanaged.steps, []);
    assert.match(unmanaged.notes.join(), /ip_forward is 0, needed is 1: .*run `sysctl -w net\.ipv4\.ip_forward=1`/);
    assert.deepEqual(lines(planSysctls({ services, sync: null, isManaged: false }, () => "1")), []);
  });
});

describe("plan/sync", () => {
  const config: SyncConfig = { instance: "web4", interface: "eth1", id: 1, group: "224.0.0.81", port: 8848, ttl: 1 };
  const options = { hasInstances: true };
  const plan = (
    wanted: SyncConfig | null,
    present: ReturnType<typeof syncDaemons>,
    phases: Phases,
    { isOurs = true, hasInterface = true } = {},
  ) => planSync(wanted, { present, hasInterface, isOurs }, phases, options);

  it("starts what the phase asks for, changes what differs, and says what is saved", () => {
    assert.deepEqual(
      plan(config, [], phase("master")).steps.map(({ type, subject }) => `${type} ${subject}`),
      ["add backup daemon", "add master daemon"],
    );
    const other = syncDaemons({ ...config, id: 2 }, ["backup"]);
    const changed = plan(config, other, phase("backup"));
    assert.deepEqual(
      changed.steps.map(({ type, subject }) => `${type} ${subject}`),
      ["change backup daemon"],
    );
    assert.match(changed.notes.join(), /survive a handover and a takeover, but for those of the last 3 s/);
    assert.deepEqual(plan(config, syncDaemons(config, ["backup", "master"]), phase("master")).steps, []);
    assert.deepEqual(
      plan(config, syncDaemons(config, ["backup", "master"]), phase("backup")).steps,
      [],
      "it ends by itself",
    );
  });

  it("without a configuration ends only what is ours, and says that nothing is saved", () => {
    const present = syncDaemons(config, ["backup"]);
    assert.deepEqual(
      plan(null, present, phase("backup")).steps.map(({ type }) => type),
      ["remove"],
    );
    const foreign = plan(null, present, phase("backup"), { isOurs: false });
    assert.deepEqual(foreign.steps, []);
    assert.match(foreign.notes.join("\n"), /the backup daemon of somebody else is left alone\nnot configured: /);
    assert.match(plan(config, [], phase("backup"), { hasInterface: false }).notes.join(), /there is no interface eth1/);
  });
});

import assert from "node:assert/strict";
import { mkdtempSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { Drills } from "../../src/app/drills.ts";
import { load } from "../config/support.ts";
import { VirtualTime } from "../support/virtual-time.ts";

const YAML = `
vrrp:
  instances:
    web4: { interface: eth0, vrid: 51, addresses: [192.0.2.10/32] }
    mail4: { interface: eth0, vrid: 52, addresses: [192.0.2.11/32] }
`;

describe("drills that are asked for", () => {
  it("says which instance was meant, or which there are", async () => {
    const stateDir = mkdtempSync(join(tmpdir(), "holdfast-drills-"));
    try {
      const time = new VirtualTime();
      const loaded = load(YAML);
      assert.ok(loaded.ok);
      const drills = new Drills(
        { stateDir, program: "/nonexistent" },
        {
          clock: time,
          alarms: time,
          logger: { log: () => {} },
          config: () => loaded.value.config,
          instances: () => [],
          problems: () => [],
          command: () => assert.fail("nothing is to be moved"),
        },
      );
      const refused = async (instance: string) => {
        const answer = await drills.run(instance, { kind: "handover" }, "a person");
        return answer.ok ? null : answer.error.message;
      };
      assert.equal(await refused("wbe4"), "there is no instance wbe4; did you mean web4?");
      assert.equal(await refused("database"), "there is no instance database; there are web4, mail4");
    } finally {
      rmSync(stateDir, { recursive: true });
    }
  });
});

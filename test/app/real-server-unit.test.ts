import assert from "node:assert/strict";
import { readFileSync } from "node:fs";
import { fileURLToPath } from "node:url";
import { DEFAULT_STATE_DIR } from "../../src/cli/commands/command.ts";

const text = readFileSync(
  fileURLToPath(new URL("../../../systemd/holdfast-realserver@.service", import.meta.url)),
  "utf8",
);
const setting = (key: string): string | undefined => new RegExp(`^${key}=(.*)$`, "m").exec(text)?.[1];

describe("systemd/holdfast-realserver@.service", () => {
  it("gives the instance's name to up and down, so that a stop needs to know nothing of the file", () => {
    const file = "/etc/holdfast/realserver/%i.conf";
    assert.deepEqual([setting("EnvironmentFile"), setting("ConditionPathExists")], [file, file]);
    // Without braces, systemd splits the value into words.
    assert.equal(setting("ExecStart"), "/usr/bin/holdfast realserver up --name %i $ARGUMENTS");
    assert.equal(setting("ExecStop"), "/usr/bin/holdfast realserver down --name %i");
    assert.deepEqual([setting("Type"), setting("RemainAfterExit")], ["oneshot", "yes"]);
    assert.equal(`/var/lib/${setting("StateDirectory")}`, DEFAULT_STATE_DIR);
  });

  it("gives every capability its reason, and may write what it has to", () => {
    for (const capability of (setting("CapabilityBoundingSet") ?? "").split(" ")) {
      assert.match(text, new RegExp(`^# ${capability}: `, "m"));
    }
    assert.equal(setting("ProtectKernelTunables"), undefined);
    assert.equal(setting("ProtectKernelModules"), undefined);
  });
});

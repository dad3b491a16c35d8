import assert from "node:assert/strict";
import { readFileSync } from "node:fs";
import { fileURLToPath } from "node:url";
import { EXIT } from "../../src/base/exit-codes.ts";
import { DEFAULT_FILE, DEFAULT_RUN_DIR, DEFAULT_STATE_DIR } from "../../src/cli/commands/command.ts";
import { handoverBoundUs } from "../../src/vrrp/handover.ts";
import { ADVERT_INTERVAL_MAX_CS, csToUs } from "../../src/vrrp/timing.ts";

const file = fileURLToPath(new URL("../../../systemd/holdfast.service", import.meta.url));
const text = readFileSync(file, "utf8");
const settings = new Map(
  text
    .split("\n")
    .filter((line) => /^[A-Z]\w*=/.test(line))
    .map((line) => [line.slice(0, line.indexOf("=")), line.slice(line.indexOf("=") + 1)] as const),
);

describe("systemd/holdfast.service", () => {
  it("runs the program with the files and folders that it takes by itself", () => {
    assert.equal(settings.get("ExecStart"), `/usr/bin/holdfast run ${DEFAULT_FILE}`);
    assert.equal(settings.get("ExecReload"), "/usr/bin/holdfast reload");
    assert.equal(`/run/${settings.get("RuntimeDirectory")}`, DEFAULT_RUN_DIR);
    assert.equal(`/var/lib/${settings.get("StateDirectory")}`, DEFAULT_STATE_DIR);
  });

  it("starts again what may mend itself, and only that", () => {
    assert.equal(settings.get("Restart"), "on-failure");
    assert.equal(settings.get("StartLimitIntervalSec"), "0");
    assert.equal(settings.get("RestartPreventExitStatus"), `${EXIT.NO_PRIVILEGE} ${EXIT.BAD_CONFIG}`);
    assert.equal(settings.has("ExecStartPre"), false, "a missing check script must not keep a director down");
  });

  it("sweeps with the same file when everything has died, which never fails a stop", () => {
    assert.equal(settings.get("ExecStopPost"), `-/usr/bin/holdfast internal sweep ${DEFAULT_FILE}`);
  });

  it("lets the vrrp process resign, also when the supervisor was killed, and gives a stop its time", () => {
    assert.equal(settings.get("KillMode"), "control-group");
    // The deadlines of supervisor.ts: the slowest handover and its farewell, a vrrp process that hangs, the search for its
    // addresses, the checker.
    const handoverSeconds = handoverBoundUs(csToUs(ADVERT_INTERVAL_MAX_CS)) / 1_000_000;
    assert.ok(Number(settings.get("TimeoutStopSec")) > handoverSeconds + 2 + 5 + 10 + 14);
    assert.equal(settings.get("OOMPolicy"), "continue");
  });

  it("waits for a configuration, and for what only the supervisor may say", () => {
    assert.equal(settings.get("ConditionPathExists"), DEFAULT_FILE);
    assert.equal(settings.get("NotifyAccess"), "main");
    assert.ok(Number(settings.get("WatchdogSec")) > 0);
    // STARTED_AFTER of child-keeper.ts and REPLY_TIMEOUT_MS of supervisor.ts.
    assert.ok(Number(settings.get("TimeoutStartSec")) > 60 + 60);
  });

  it("gives every capability its reason", () => {
    for (const capability of settings.get("CapabilityBoundingSet")?.split(" ") ?? [])
      assert.match(text, new RegExp(`^# ${capability}: \\w`, "m"));
    assert.equal(settings.get("AmbientCapabilities"), "");
  });

  it("lets scripts give way, and holds nobody back who speaks VRRP", () => {
    // `settings` has the last of several lines.
    assert.match(settings.get("SystemCallFilter") ?? "", /\bsetpriority\b/);
    // With the usual period of 100 ms a master would be silent for most of that, and not only for some of 10.
    assert.deepEqual([settings.get("CPUQuota"), settings.get("CPUQuotaPeriodSec")], ["400%", "10ms"]);
  });
});

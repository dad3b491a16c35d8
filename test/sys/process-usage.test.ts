import assert from "node:assert/strict";
import { readProcessUsage } from "../../src/sys/process-usage.ts";

describe("what a process uses", () => {
  it("is about what Node says of itself", () => {
    const usage = readProcessUsage(process.pid);
    assert.ok(usage !== null);
    const { user, system } = process.cpuUsage();
    const cpuSeconds = (user + system) / 1_000_000;
    assert.ok(Math.abs(usage.cpuSeconds - cpuSeconds) < 0.2, `${usage.cpuSeconds} s, Node says ${cpuSeconds} s`);
    const resident = process.memoryUsage.rss();
    assert.ok(Math.abs(usage.residentBytes / resident - 1) < 0.2, `${usage.residentBytes}, Node says ${resident}`);
    const startTime = Date.now() / 1000 - process.uptime();
    assert.ok(Math.abs(usage.startTime - startTime) < 5, `${usage.startTime}, Node says ${startTime}`);
    assert.ok((usage.openFiles ?? 0) > 3);
  });

  it("is null of a process that is not there", () => {
    assert.equal(readProcessUsage(0x7fff_fff0), null);
  });
});

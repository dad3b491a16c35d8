import assert from "node:assert/strict";
import { diffModels, type ModelDiff, type PartsDiff } from "../../src/config/diff.ts";
import type { DirectorConfig } from "../../src/config/model.ts";
import { load } from "./support.ts";

function isEmptyDiff(diff: ModelDiff): boolean {
  const parts = [diff.instances, diff.groups, diff.services, diff.schedules, ...Object.values(diff.servers)];
  const isUnchanged = ({ added, removed, changed }: PartsDiff) => added.length + removed.length + changed.length === 0;
  return diff.node.length === 0 && parts.every(isUnchanged);
}

const BASE = `
vrrp:
  instances:
    a: { interface: eth0, vrid: 1, addresses: [192.0.2.10/24] }
    b: { interface: eth0, vrid: 2, addresses: [192.0.2.11/24] }
services:
  web: { listen: 192.0.2.10:80, servers: [10.0.0.11:80, 10.0.0.12:80], checks: [tcp] }
  mail: { listen: 192.0.2.10:25, servers: [10.0.0.11:25], checks: [tcp] }
schedules: [{ name: nightly, cron: "0 4 * * *", action: reload }]
`;

function model(text: string): DirectorConfig {
  const result = load(text);
  assert.ok(result.ok, JSON.stringify(result));
  return result.value.config;
}

/** The difference that edits of the base text make. */
function diffOf(...edits: readonly (readonly [from: string, to: string])[]): ModelDiff {
  let text = BASE;
  for (const [from, to] of edits) {
    assert.ok(text.includes(from), `the base text has no ${from}`);
    text = text.replace(from, to);
  }
  return diffModels(model(BASE), model(text));
}

const NONE = { added: [], removed: [], changed: [] };

describe("diffModels", () => {
  it("names groups that come, go and change", () => {
    const grouped = BASE.replace("services:", "  groups: { edge: [a, b] }\nservices:");
    const groups = (from: string, to: string) => diffModels(model(from), model(to)).groups;
    assert.deepEqual(groups(BASE, grouped), { ...NONE, added: ["edge"] });
    assert.deepEqual(groups(grouped, BASE), { ...NONE, removed: ["edge"] });
    const changed = [{ name: "edge", fields: ["instances"] }];
    assert.deepEqual(groups(grouped, grouped.replace("[a, b]", "[b, a]")), { ...NONE, changed });
    assert.ok(!isEmptyDiff(diffModels(model(BASE), model(grouped))));
  });

  it("names the address of the metrics", () => {
    const measured = `${BASE}metrics: { listen: 9650 }\n`;
    assert.deepEqual(diffModels(model(BASE), model(measured)).node, ["metrics.listen"]);
    assert.deepEqual(diffModels(model(measured), model(BASE)).node, ["metrics.listen"]);
    assert.deepEqual(diffModels(model(measured), model(measured.replace("9650", "127.0.0.1:9650"))).node, []);
  });

  it("names what differs in the connection synchronisation", () => {
    const synced = `${BASE}sync: { instance: a, interface: eth1 }\n`;
    assert.deepEqual(diffModels(model(BASE), model(synced)).node, ["sync"]);
    assert.deepEqual(diffModels(model(synced), model(BASE)).node, ["sync"]);
    assert.deepEqual(diffModels(model(synced), model(synced.replace("eth1", "eth2, id: 7"))).node, [
      "sync.interface",
      "sync.id",
    ]);
    assert.ok(isEmptyDiff(diffModels(model(synced), model(synced))));
  });

  it("finds nothing between a model and itself, however it is written", () => {
    assert.ok(isEmptyDiff(diffModels(model(BASE), model(BASE))));
    assert.ok(isEmptyDiff(diffOf(["vrid: 1,", "vrid: 1, priority: 100, preempt: true,"])));
  });

  it("names what is new, gone and changed", () => {
    const diff = diffOf(
      ["    b: { interface: eth0, vrid: 2", "    c: { interface: eth0, vrid: 3"],
      ["vrid: 1,", "vrid: 1, priority: 150, advertise: 2s,"],
      ["  mail: { listen: 192.0.2.10:25", "  post: { listen: 192.0.2.10:25"],
      ["  web: { ", "  web: { scheduler: rr, "],
      ['cron: "0 4', 'cron: "0 5'],
    );
    assert.deepEqual(diff.instances, {
      added: ["c"],
      removed: ["b"],
      changed: [{ name: "a", fields: ["priority", "advertIntervalUs"] }],
    });
    assert.deepEqual(diff.services, {
      added: ["post"],
      removed: ["mail"],
      changed: [{ name: "web", fields: ["scheduler"] }],
    });
    assert.deepEqual(diff.schedules, { ...NONE, changed: [{ name: "nightly", fields: ["cron"] }] });
    assert.deepEqual([Object.keys(diff.servers), diff.notLive], [[], []]);
  });

  it("names servers by address and port, apart from their service", () => {
    const diff = diffOf(["[10.0.0.11:80, 10.0.0.12:80]", "[10.0.0.13:80, { address: 10.0.0.12:80, weight: 3 }]"]);
    assert.deepEqual(diff.services, NONE);
    assert.deepEqual(
      { ...diff.servers },
      {
        web: {
          added: ["10.0.0.13:80"],
          removed: ["10.0.0.11:80"],
          changed: [{ name: "10.0.0.12:80", fields: ["weight"] }],
        },
      },
    );
  });

  it("does not mind the order of servers", () => {
    assert.ok(isEmptyDiff(diffOf(["[10.0.0.11:80, 10.0.0.12:80]", "[10.0.0.12:80, 10.0.0.11:80]"])));
  });

  it("lists what cannot change live, with the reason", () => {
    const diff = diffOf(
      ["vrid: 1,", "vrid: 9,"],
      ["\nvrrp:", "\nnode: other\nlog: { level: debug, format: json }\nvrrp:"],
    );
    assert.deepEqual(diff.node, ["node", "log.level", "log.format"]);
    assert.deepEqual(
      diff.notLive.map(({ key }) => key),
      ["vrrp.instances.a.vrid"],
    );
    assert.ok(diff.notLive.every(({ reason }) => reason.length > 20));
  });
});

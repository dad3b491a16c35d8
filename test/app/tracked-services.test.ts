import assert from "node:assert/strict";
import { serviceFactKey } from "../../src/app/messages.ts";
import { TrackedServices } from "../../src/app/tracked-services.ts";
import type { ServiceConfig } from "../../src/config/model.ts";
import type { Decision } from "../../src/health/weights.ts";
import { load } from "../config/support.ts";

const loaded = load(`
services:
  web: { listen: 192.0.2.10:80, servers: [10.0.0.11:80, 10.0.0.12:80], checks: [tcp] }
  dns: { listen: 192.0.2.10:53, servers: [10.0.0.11:53], checks: [tcp] }
`);
assert.ok(loaded.ok);
const SERVICES: readonly ServiceConfig[] = loaded.value.config.services;

const decision = (weight: number, present = true): Decision => ({ verdict: "up", present, weight, why: "" });

function bench() {
  const decisions = new Map([
    ["web 10.0.0.11:80", decision(1)],
    ["web 10.0.0.12:80", decision(0)],
  ]);
  const told: (readonly [key: string, serving: number | null])[] = [];
  const tracked = new TrackedServices({
    decisionOf: (key) => decisions.get(key),
    publish: (key, fact) => told.push([key, fact?.type === "service" ? fact.serving : null]),
  });
  return { tracked, decisions, told };
}

describe("services that instances track", () => {
  it("are told about with every configuration, and when the turn ends in which something changed", () => {
    const { tracked, decisions, told } = bench();
    tracked.configure(SERVICES, ["web"]);
    assert.deepEqual(told, [], "not before the turn ends");
    tracked.tell();
    tracked.tell();
    assert.deepEqual(told.splice(0), [[serviceFactKey("web"), 1]], "one server has a weight");
    decisions.set("web 10.0.0.12:80", decision(2));
    tracked.changed("web");
    tracked.changed("dns");
    tracked.tell();
    assert.deepEqual(told, [[serviceFactKey("web"), 2]], "the other is not tracked");
  });

  it("count servers that are to get connections", () => {
    const { tracked, decisions, told } = bench();
    decisions.set("web 10.0.0.11:80", decision(1, false));
    tracked.configure(SERVICES, ["web"]);
    tracked.tell();
    assert.deepEqual(told, [[serviceFactKey("web"), 0]]);
  });

  it("are forgotten when nobody tracks them any more", () => {
    const { tracked, told } = bench();
    tracked.configure(SERVICES, ["web"]);
    tracked.tell();
    told.length = 0;
    tracked.configure(SERVICES, ["dns"]);
    tracked.tell();
    assert.deepEqual(told, [
      [serviceFactKey("web"), null],
      [serviceFactKey("dns"), 0],
    ]);
  });
});

import assert from "node:assert/strict";
import fc from "fast-check";
import type { TrackConfig, TrackedScript } from "../../src/config/model.ts";
import {
  describeArithmetic,
  judge,
  sharedTrackers,
  type TrackFact,
  type TrackFacts,
  trackersOf,
} from "../../src/vrrp/track.ts";

const DISK: TrackedScript = {
  name: "disk",
  command: ["/bin/true"],
  intervalUs: 1,
  timeoutUs: 1,
  rise: 1,
  fall: 1,
  weight: null,
};

function track(change: Partial<TrackConfig>): TrackConfig {
  return { interfaces: [], scripts: [], services: [], ...change };
}

/** @param known `eth1` up or down, and facts by `script` or `service` name */
function facts(known: Readonly<Record<string, "up" | "down" | TrackFact>>): TrackFacts {
  return {
    interfaceState: (name) => (known[name] === "up" || known[name] === "down" ? known[name] : "missing"),
    script: (instance, name) => {
      const fact = known[`${instance}/${name}`];
      return typeof fact === "object" && fact.type === "script" ? fact : undefined;
    },
    service: (name) => {
      const fact = known[name];
      return typeof fact === "object" && fact.type === "service" ? fact : undefined;
    },
  };
}

const passes = { type: "script", isPassing: true, reason: "exited with 0" } as const;
const fails = { type: "script", isPassing: false, reason: "exited with 1" } as const;
const serving = (count: number) => ({ type: "service", serving: count, servers: 3 }) as const;

interface Row {
  readonly name: string;
  readonly priority?: number;
  readonly track: Partial<TrackConfig>;
  readonly known?: Parameters<typeof facts>[0];
  readonly effective: number;
  readonly faults?: readonly string[];
  readonly text: string;
}

const eth1 = (weight: number | null) => ({ interfaces: [{ interface: "eth1", weight }] });
const disk = (weight: number | null) => ({ scripts: [{ ...DISK, weight }] });
const web = (weight: number | null, quorum = 2) => ({ services: [{ service: "web", quorum, weight }] });

const ROWS: readonly Row[] = [
  { name: "nothing is tracked", track: {}, effective: 150, text: "150" },
  { name: "an interface that is up", track: eth1(-20), known: { eth1: "up" }, effective: 150, text: "150" },
  {
    name: "an interface that is down",
    track: eth1(-20),
    known: { eth1: "down" },
    effective: 130,
    text: "150 - 20 (interface eth1 is down)",
  },
  {
    name: "an interface that does not exist",
    track: eth1(-20),
    effective: 130,
    text: "150 - 20 (interface eth1 is missing)",
  },
  {
    name: "a positive weight counts while it passes",
    track: eth1(20),
    known: { eth1: "up" },
    effective: 170,
    text: "150 + 20 (interface eth1 is up)",
  },
  { name: "and not while it fails", track: eth1(20), known: { eth1: "down" }, effective: 150, text: "150" },
  {
    name: "an interface without a weight that is down is a fault",
    track: eth1(null),
    known: { eth1: "down" },
    effective: 150,
    faults: ["interface eth1 is down"],
    text: "150",
  },
  { name: "a script that passes", track: disk(null), known: { "web4/disk": passes }, effective: 150, text: "150" },
  {
    name: "a script that fails",
    track: disk(null),
    known: { "web4/disk": fails },
    effective: 150,
    faults: ["script disk fails: exited with 1"],
    text: "150",
  },
  {
    name: "a script of which nothing is known counts as failing",
    track: disk(null),
    effective: 150,
    faults: ["script disk has not been run yet"],
    text: "150",
  },
  {
    name: "the script of that name of another instance is another",
    track: disk(-10),
    known: { "in4/disk": passes },
    effective: 140,
    text: "150 - 10 (script disk has not been run yet)",
  },
  { name: "a service that has its quorum", track: web(-30), known: { web: serving(2) }, effective: 150, text: "150" },
  {
    name: "a service below its quorum",
    track: web(-30),
    known: { web: serving(1) },
    effective: 120,
    text: "150 - 30 (service web can be served by 1 of 3 servers, quorum 2)",
  },
  {
    name: "a service that nobody can serve",
    track: web(null, 1),
    known: { web: serving(0) },
    effective: 150,
    faults: ["service web can be served by 0 of 3 servers, quorum 1"],
    text: "150",
  },
  {
    name: "a service of which nothing is known counts as failing",
    track: web(-30),
    effective: 120,
    text: "150 - 30 (service web has not been checked yet)",
  },
  {
    name: "several add up",
    track: { ...eth1(-20), ...disk(5), ...web(-30) },
    known: { eth1: "down", "web4/disk": passes, web: serving(0) },
    effective: 105,
    text: "150 - 20 (interface eth1 is down) + 5 (script disk passes) - 30 (service web can be served by 0 of 3 servers, quorum 2)",
  },
  {
    name: "never below 1",
    priority: 10,
    track: eth1(-20),
    effective: 1,
    text: "10 - 20 (interface eth1 is missing), the limit",
  },
  {
    name: "never above 254: that is the owner's",
    priority: 250,
    track: eth1(20),
    known: { eth1: "up" },
    effective: 254,
    text: "250 + 20 (interface eth1 is up), the limit",
  },
  {
    name: "an owner's priority never changes",
    priority: 255,
    track: eth1(-20),
    effective: 255,
    text: "255 - 20 (interface eth1 is missing), an owner's priority never changes",
  },
  {
    name: "an owner can be in fault",
    priority: 255,
    track: eth1(null),
    effective: 255,
    faults: ["interface eth1 is missing"],
    text: "255",
  },
];

describe("vrrp tracking", () => {
  for (const row of ROWS) {
    it(row.name, () => {
      const { priority = 150, known = {}, faults = [] } = row;
      const own = trackersOf("web4", track(row.track));
      const judgement = judge(priority, sharedTrackers(own, [own]), facts(known));
      assert.deepEqual(
        [judgement.priority, judgement.faults, describeArithmetic(priority, judgement)],
        [row.effective, faults, row.text],
      );
      assert.equal(judgement.parts.length, own.length, "every tracked thing is shown");
    });
  }

  it("members of a group share what weighs, count it once, and keep what they need to themselves", () => {
    const first = trackersOf("out4", track({ ...eth1(-20), ...disk(null) }));
    const second = trackersOf("in4", track({ ...eth1(-40), ...disk(-5), ...web(null) }));
    const members = [first, second];
    const shown = (own: typeof first) => sharedTrackers(own, members).map(({ key, weight }) => `${key} ${weight}`);
    assert.deepEqual(shown(first), ["script out4/disk null", "interface eth1 -20", "script in4/disk -5"]);
    assert.deepEqual(shown(second), ["service web null", "interface eth1 -20", "script in4/disk -5"]);
  });

  it("the effective priority can always be advertised, and only an owner's is 255", () => {
    const weights = fc.array(fc.integer({ min: -253, max: 253 }), { maxLength: 8 });
    fc.assert(
      fc.property(fc.integer({ min: 1, max: 255 }), weights, fc.boolean(), (priority, list, isUp) => {
        const interfaces = list.map((weight, index) => ({
          interface: `eth${index}`,
          weight: weight === 0 ? 1 : weight,
        }));
        const known = Object.fromEntries(
          interfaces.map(({ interface: name }) => [name, isUp ? "up" : "down"] as const),
        );
        const own = trackersOf("web4", track({ interfaces }));
        const judgement = judge(priority, sharedTrackers(own, [own]), facts(known));
        assert.ok(judgement.priority >= 1 && judgement.priority <= 255);
        assert.equal(judgement.priority === 255, priority === 255);
        const isLowered = judgement.priority < priority;
        assert.ok(!isLowered || !isUp || priority === 255, "nothing is taken off while everything passes");
      }),
    );
  });
});

import assert from "node:assert/strict";
import { mkdtempSync, readdirSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { readBrought, readDrillRequest } from "../../src/app/drill-request.ts";
import { DrillStore, drillIdOf } from "../../src/app/drill-store.ts";
import { defaultLimits } from "../../src/drill/limits.ts";
import { type DrillReport, refusedReport, renderReport } from "../../src/drill/report.ts";

function report(id: string): DrillReport {
  const probe = { target: "icmp://192.0.2.10", everyUs: 10_000, timeoutUs: 1_000_000 };
  const limits = defaultLimits("handover", { advertIntervalUs: 1_000_000, everyUs: 10_000, peerPriority: 100 });
  const settings = {
    kind: "handover" as const,
    instance: "web4",
    advertIntervalUs: 1_000_000,
    probe,
    limits,
    returns: true,
  };
  const viewpoint = { from: "this host", isLocal: true };
  const heading = { id, startedAt: "2026-11-26T14:00:00.000Z", node: "lb1", askedBy: "a person", viewpoint };
  return refusedReport(heading, settings, ["no peer is heard: no other director answered within 3.1s"]);
}

describe("reports of drills", () => {
  let dir = "";
  let said: string[] = [];
  let store: DrillStore;

  beforeEach(() => {
    dir = mkdtempSync(join(tmpdir(), "holdfast-drills-"));
    said = [];
    store = new DrillStore(dir, (sentence) => said.push(sentence));
  });
  afterEach(() => rmSync(dir, { recursive: true }));

  const idAt = (second: number) => drillIdOf(new Date(Date.UTC(2026, 10, 26, 14, 0, second)), "web4");

  it("are kept, the latest first, and the oldest go", async () => {
    assert.deepEqual([await store.list(), store.read(null)], [[], null]);
    for (let second = 0; second < 5; second += 1) store.save(report(idAt(second)), 3);
    assert.deepEqual(
      (await store.list()).map(({ id }) => id),
      [idAt(4), idAt(3), idAt(2)],
    );
    assert.deepEqual(store.read(null), report(idAt(4)));
    assert.deepEqual(store.read(idAt(2))?.id, "20261126T140002Z-web4");
    assert.equal(store.read(idAt(1)), null);
    assert.deepEqual(said, []);
  });

  it("are read for a list one a turn of the event loop, and once", async () => {
    for (let second = 0; second < 20; second += 1) store.save(report(idAt(second)), 20);
    const lister = new DrillStore(dir, (sentence) => said.push(sentence));
    const others = { turns: 0, isOver: false };
    const turn = (): void => {
      others.turns += 1;
      if (!others.isOver) setImmediate(turn);
    };
    setImmediate(turn);
    const list = await lister.list();
    others.isOver = true;
    assert.equal(list.length, 20);
    assert.ok(others.turns >= 20, `${others.turns} turns of others`);
    const paths = list.map(({ id }) => join(dir, "drills", `${id}.json`));
    for (const path of paths) writeFileSync(path, "{");
    for (const each of [lister, store]) assert.deepEqual([await each.list(), said], [list, []]);
    rmSync(paths[0] ?? "");
    assert.deepEqual(await lister.list(), list.slice(1));
  });

  it("a damaged one is set aside, and what is no report of ours is not touched", async () => {
    store.save(report(idAt(1)), 3);
    writeFileSync(join(dir, "drills", `${idAt(2)}.json`), "{");
    writeFileSync(join(dir, "drills", `${idAt(3)}.json`), '{"version":99}');
    writeFileSync(join(dir, "drills", "notes.txt"), "mine");
    assert.equal((await store.list()).length, 1);
    assert.match(said.join("\n"), /is damaged/);
    assert.match(said.join("\n"), /of version 99/);
    store.save(report(idAt(4)), 1);
    assert.deepEqual(
      readdirSync(join(dir, "drills"))
        .filter((name) => !name.includes("damaged"))
        .sort(),
      [`${idAt(4)}.json`, "notes.txt"],
    );
  });

  it("an id is no way out of the folder", () => {
    writeFileSync(join(dir, "secret.json"), JSON.stringify(report(idAt(1))));
    for (const id of ["../secret", "20261126T140001Z-../../secret", "", "latest"]) assert.equal(store.read(id), null);
  });

  it("a folder that cannot be written costs the report, not the drill", () => {
    writeFileSync(join(dir, "drills"), "in the way");
    store.save(report(idAt(1)), 3);
    assert.match(said.join(), /the report of drill 20261126T140001Z-web4 is not kept: /);
  });

  it("are a page for people", () => {
    assert.equal(
      renderReport(report(idAt(1))),
      `handover drill of web4 on lb1: REFUSED
  ! no peer is heard: no other director answered within 3.1s

  drill     20261126T140001Z-web4, 2026-11-26T14:00:00.000Z, by a person
  probe     icmp://192.0.2.10 every 10ms from this host

Asked by the director itself: before the event and after the return no network has a part in the answers, and what
switches and clients learn is not shown. A client's view: holdfast drill run --probe-from HOST.
`,
    );
  });
});

describe("requests for drills", () => {
  it("say what they want", () => {
    const wanted = { kind: "takeover", target: "icmp://192.0.2.10", maxGapUs: 0, maxFailed: 3, returns: false };
    assert.deepEqual(readDrillRequest(wanted), { ok: true, value: wanted });
  });

  it("are refused where they make no sense, with the reason", () => {
    const rows: readonly (readonly [unknown, RegExp])[] = [
      [undefined, /asked for by an object/],
      [[], /asked for by an object/],
      [{}, /the kind of drill is missing: handover or takeover/],
      [{ kind: "reboot" }, /the kind of a drill is handover or takeover/],
      [{ kind: "handover", maxgap: 1 }, /a drill has no setting "maxgap"/],
      [{ kind: "handover", maxGapUs: -1 }, /maxGapUs is a whole number from 0 to/],
      [{ kind: "handover", everyUs: 1.5 }, /everyUs is a whole number/],
      [{ kind: "handover", everyUs: "10ms" }, /everyUs is a whole number/],
      [{ kind: "handover", broughtFrom: "a\u001b[2J" }, /broughtFrom is a short text/],
      [{ kind: "handover", returns: 1 }, /returns is true or false/],
      [{ kind: "handover", __proto__: null, constructor: 1 }, /no setting "constructor"/],
    ];
    for (const [body, sentence] of rows) {
      const wanted = readDrillRequest(body);
      assert.ok(!wanted.ok, JSON.stringify(body));
      assert.match(wanted.error, sentence);
    }
  });

  it("and lines of a prober", () => {
    assert.deepEqual(readBrought({ lines: ["a"] }), { ok: true, value: { lines: ["a"] } });
    assert.deepEqual(readBrought({ lines: [], ended: "x" }), { ok: true, value: { lines: [], ended: "x" } });
    for (const body of [
      undefined,
      null,
      {},
      { lines: "a" },
      { lines: [1] },
      { lines: [], ended: 1 },
      { lines: Array(1_001).fill("") },
    ])
      assert.equal(readBrought(body).ok, false);
  });
});

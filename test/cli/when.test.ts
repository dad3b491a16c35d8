import assert from "node:assert/strict";
import { localTime, parseWhen } from "../../src/cli/when.ts";

/** Times without a zone are those of the machine, wherever the test runs. */
const NOW = new Date(2026, 10, 26, 14, 30, 15);
const local = (day: number, hour: number, minute = 0, second = 0) =>
  new Date(2026, 10, day, hour, minute, second).toISOString();

describe("when something ends, as people say it", () => {
  const rows: readonly [string, string][] = [
    ["2h", "2h"],
    [" 90m ", "90m"],
    ["18:00", local(26, 18)],
    ["14:31", local(26, 14, 31)],
    ["14:30", local(27, 14, 30)],
    ["9:05", local(27, 9, 5)],
    ["2026-11-27", local(27, 0)],
    ["2026-11-27 18:00", local(27, 18)],
    ["2026-11-27T18:00:30", local(27, 18, 0, 30)],
    ["2026-11-28T18:00Z", "2026-11-28T18:00:00.000Z"],
    ["2026-11-28 18:00+02:00", "2026-11-28T16:00:00.000Z"],
  ];
  for (const [text, wanted] of rows)
    it(`reads ${text}`, () => assert.deepEqual(parseWhen(text, NOW), { ok: true, value: wanted }));

  for (const text of ["", "2", "24:00", "12:60", "tomorrow", "2026-13-01", "2026-11-27 18", "2h30m", "27.11.2026"])
    it(`refuses "${text}"`, () => {
      const when = parseWhen(text, NOW);
      assert.match(when.ok ? "" : when.error, /^expected a length of time such as 2h, or a time such as 18:00/);
    });

  it("refuses what is over", () => {
    assert.deepEqual(parseWhen("2026-11-26 14:30", NOW), { ok: false, error: "that is over already" });
    assert.deepEqual(parseWhen("0s", NOW), { ok: false, error: "a length of time is longer than 0" });
  });

  it("says a time of today without its date", () => {
    assert.equal(localTime(local(26, 18), NOW), "18:00");
    assert.equal(localTime(local(27, 8, 5), NOW), "2026-11-27 08:05");
  });
});

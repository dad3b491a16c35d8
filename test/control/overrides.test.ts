import assert from "node:assert/strict";
import { parseOverrideOrder } from "../../src/control/overrides.ts";

const NEEDED = { type: "drain", service: "web", server: "10.0.0.11:80" };

describe("control API: orders", () => {
  it("reads an order, with all that is left out", () => {
    assert.deepEqual(parseOverrideOrder(NEEDED), {
      ok: true,
      value: { ...NEEDED, weight: null, until: null, deadlineUs: null, reason: null, by: "control API" },
    });
    const full = {
      ...NEEDED,
      until: "2026-11-27T18:00:00+01:00",
      deadline: "10m",
      reason: " new\n kernel ",
      by: "ann",
    };
    assert.deepEqual(parseOverrideOrder(full), {
      ok: true,
      value: {
        ...NEEDED,
        weight: null,
        until: { type: "at", atMs: Date.UTC(2026, 10, 27, 17) },
        deadlineUs: 600_000_000,
        reason: "new  kernel",
        by: "ann",
      },
    });
    const weight = parseOverrideOrder({ ...NEEDED, type: "weight", weight: 0, until: "2h", reason: null });
    assert.ok(weight.ok);
    assert.deepEqual(weight.value.until, { type: "for", us: 7_200_000_000 });
    assert.equal(weight.value.weight, 0);
  });

  const rows: readonly [string, unknown, RegExp][] = [
    ["nothing", undefined, /an order is a JSON object/],
    ["a list", [], /an order is a JSON object/],
    ["a key that is not known", { ...NEEDED, untill: "2h" }, /^untill is not known here; type, service/],
    ["no type", { service: "web", server: "x" }, /^type is one of drain, disable, weight, enable$/],
    ["an unknown type", { ...NEEDED, type: "__proto__" }, /^type is one of/],
    ["no service", { ...NEEDED, service: "" }, /^service is the name/],
    ["no server", { ...NEEDED, server: 7 }, /^server is an address/],
    ["a name without an end", { ...NEEDED, server: "1".repeat(300) }, /^server is an address/],
    ["a weight that is missing", { ...NEEDED, type: "weight" }, /^weight is missing$/],
    ["a weight that does not fit", { ...NEEDED, weight: 3 }, /^weight does not go with drain$/],
    ["a weight as text", { ...NEEDED, type: "weight", weight: "3" }, /^weight is a whole number from 0 to 65535$/],
    ["a weight that is too large", { ...NEEDED, type: "weight", weight: 65_536 }, /^weight is a whole number/],
    ["a broken weight", { ...NEEDED, type: "weight", weight: 1.5 }, /^weight is a whole number/],
    ["a deadline without a unit", { ...NEEDED, deadline: "10" }, /^deadline: a duration needs a unit/],
    ["no deadline at all", { ...NEEDED, deadline: "0s" }, /^deadline is longer than 0$/],
    ["a deadline that is a number", { ...NEEDED, deadline: 10 }, /^deadline is a length of time/],
    [
      "a deadline of something else",
      { ...NEEDED, type: "disable", deadline: "1s" },
      /^deadline does not go with disable$/,
    ],
    ["an end of an end", { ...NEEDED, type: "enable", until: "1s" }, /^until does not go with enable$/],
    ["an end without a zone", { ...NEEDED, until: "2026-11-27T18:00:00" }, /^until is a length of time such as 2h, or/],
    ["an end that is no day", { ...NEEDED, until: "2026-13-27T18:00:00Z" }, /^until is a length/],
    ["an end with an unknown unit", { ...NEEDED, until: "2w" }, /^until: expected a duration/],
    ["an end that is too far", { ...NEEDED, until: "4000d" }, /^until is at most ten years$/],
    ["an empty reason", { ...NEEDED, reason: "\n" }, /^reason is empty$/],
    ["a reason that is too long", { ...NEEDED, reason: "x".repeat(201) }, /^reason is at most 200 characters long$/],
    ["somebody who is no text", { ...NEEDED, by: {} }, /^by is a text$/],
  ];
  for (const [name, body, message] of rows) {
    it(`refuses ${name}`, () => {
      const order = parseOverrideOrder(body);
      assert.ok(!order.ok);
      assert.match(order.error, message);
    });
  }
});

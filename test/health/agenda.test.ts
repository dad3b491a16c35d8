import assert from "node:assert/strict";
import fc from "fast-check";
import "../support/properties.ts";
import { Agenda } from "../../src/health/agenda.ts";

describe("health/agenda", () => {
  it("holds each item once, and moves it", () => {
    const agenda = new Agenda<string>();
    agenda.set("a", 5);
    agenda.set("b", 3);
    agenda.set("a", 1);
    assert.equal(agenda.size, 2);
    assert.deepEqual([agenda.peek()?.item, agenda.peek()?.atUs], ["a", 1]);
    agenda.delete("a");
    agenda.delete("a");
    assert.equal(agenda.peek()?.item, "b");
    agenda.clear();
    assert.equal(agenda.peek(), undefined);
    assert.equal(agenda.size, 0);
  });

  it("agrees with a sorted list under any sequence of set and delete", () => {
    const item = fc.integer({ min: 0, max: 20 });
    const operation = fc.tuple(item, fc.option(fc.integer({ min: 0, max: 100 })));
    fc.assert(
      fc.property(fc.array(operation, { maxLength: 200 }), (operations) => {
        const agenda = new Agenda<number>();
        const model = new Map<number, number>();
        for (const [key, at] of operations) {
          if (at === null) {
            agenda.delete(key);
            model.delete(key);
          } else {
            agenda.set(key, at);
            model.set(key, at);
          }
          assert.equal(agenda.size, model.size);
          assert.equal(agenda.peek()?.atUs, model.size === 0 ? undefined : Math.min(...model.values()));
        }
        const drained: [number, number][] = [];
        for (let next = agenda.peek(); next !== undefined; next = agenda.peek()) {
          drained.push([next.item, next.atUs]);
          agenda.delete(next.item);
        }
        assert.deepEqual(new Map(drained), model);
        const times = drained.map(([, at]) => at);
        assert.deepEqual(
          times,
          times.toSorted((a, b) => a - b),
        );
      }),
    );
  });
});

import assert from "node:assert/strict";
import type { AlarmFactory } from "../../src/ports/clock.ts";
import { systemClock, TimeoutAlarms, TimerfdAlarms } from "../../src/sys/clock.ts";
import { loadNative } from "../../src/sys/native.ts";

type ClosableAlarms = AlarmFactory & { close?(): void };

function timerfdAlarms(): TimerfdAlarms {
  const native = loadNative();
  assert.ok(native.ok);
  return new TimerfdAlarms(native.value);
}

describe("system clock", () => {
  it("is monotonic and whole", () => {
    let last = systemClock.nowUs();
    for (let count = 0; count < 1_000; count += 1) {
      const now = systemClock.nowUs();
      assert.ok(Number.isSafeInteger(now) && now >= last);
      last = now;
    }
  });
});

const factories: readonly (readonly [string, () => ClosableAlarms])[] = [
  ["timerfd alarms", timerfdAlarms],
  ["timeout alarms", () => new TimeoutAlarms()],
];

for (const [name, open] of factories) {
  describe(name, () => {
    let alarms: ClosableAlarms;
    beforeEach(() => {
      alarms = open();
    });
    afterEach(() => alarms.close?.());

    function waitUntil(atUs: number): Promise<number> {
      return new Promise((resolve) => alarms.create(() => resolve(systemClock.nowUs())).arm(atUs));
    }

    it("never fire early, for waits of 0 to 5 ms in odd microseconds", async () => {
      for (let waitUs = 0; waitUs <= 5_000; waitUs += 137) {
        const dueUs = systemClock.nowUs() + waitUs;
        const firedUs = await waitUntil(dueUs);
        assert.ok(firedUs >= dueUs, `${dueUs - firedUs} us early after ${waitUs} us`);
      }
    });

    it("fire for an instant that has passed, and for a fraction of a microsecond not before it", async () => {
      await waitUntil(0);
      await waitUntil(-5);
      const dueUs = systemClock.nowUs() + 1_000.5;
      assert.ok((await waitUntil(dueUs)) >= dueUs);
    });

    it("fire once, for the last instant they were armed for", async () => {
      const fired: number[] = [];
      const alarm = alarms.create(() => fired.push(systemClock.nowUs()));
      const startUs = systemClock.nowUs();
      alarm.arm(startUs + 1_000);
      alarm.arm(startUs + 20_000);
      await waitUntil(startUs + 60_000);
      assert.equal(fired.length, 1);
      assert.ok((fired[0] ?? 0) >= startUs + 20_000);
    });

    it("do not fire once closed, and closing twice is no fault", async () => {
      const fired: string[] = [];
      const alarm = alarms.create(() => fired.push("closed"));
      const startUs = systemClock.nowUs();
      alarm.arm(startUs + 1_000);
      alarm.close();
      alarm.close();
      await waitUntil(startUs + 5_000);
      assert.deepEqual(fired, []);
    });

    it("do not fire once disarmed, also when another alarm of the same turn disarms them", async () => {
      const startUs = systemClock.nowUs();
      const fired: string[] = [];
      const first = alarms.create(() => {
        fired.push("first");
        second.disarm();
      });
      const second = alarms.create(() => {
        fired.push("second");
        first.disarm();
      });
      first.arm(startUs + 2_000);
      second.arm(startUs + 2_000);
      // Both are due when the event loop looks next.
      while (systemClock.nowUs() < startUs + 4_000);
      await waitUntil(startUs + 15_000);
      assert.equal(fired.length, 1);
    });

    it("may be moved to a later instant by another alarm of the same turn", async () => {
      const startUs = systemClock.nowUs();
      const fired = new Map<string, number>();
      const first = alarms.create(() => {
        fired.set("first", systemClock.nowUs());
        second.arm(startUs + 20_000);
      });
      const second = alarms.create(() => fired.set("second", systemClock.nowUs()));
      first.arm(startUs + 2_000);
      second.arm(startUs + 2_001);
      while (systemClock.nowUs() < startUs + 4_000);
      await waitUntil(startUs + 40_000);
      const [firstUs = 0, secondUs = 0] = [fired.get("first"), fired.get("second")];
      // Whichever ran first, the second one's last call belongs to an instant it was armed for.
      assert.ok(secondUs < firstUs || secondUs >= startUs + 20_000, `${firstUs - startUs}, ${secondUs - startUs}`);
    });

    it("may be armed again from their own callback", async () => {
      const instants: number[] = [];
      const startUs = systemClock.nowUs();
      await new Promise<void>((resolve) => {
        const alarm = alarms.create(() => {
          instants.push(systemClock.nowUs());
          if (instants.length === 5) resolve();
          else alarm.arm(startUs + 2_000 * (instants.length + 1));
        });
        alarm.arm(startUs + 2_000);
      });
      instants.forEach((instant, index) => {
        assert.ok(instant >= startUs + 2_000 * (index + 1));
      });
    });
  });
}

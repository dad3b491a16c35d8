import { assert } from "../base/assert.ts";
import type { Alarm, AlarmFactory, Clock } from "../ports/clock.ts";
import { CLOCK_MONOTONIC, TFD_NONBLOCK, TFD_TIMER_ABSTIME, UV_READABLE } from "./constants.ts";
import { errnoText } from "./errno.ts";
import type { Native } from "./native.ts";

const NS_PER_US = 1_000n;
const US_PER_S = 1_000_000;
const US_PER_MS = 1_000;
/** setTimeout takes 31 bits; a longer wait is armed again when this much has passed. */
const MAX_TIMEOUT_MS = 0x7fff_ffff;

/** CLOCK_MONOTONIC, rounded down: when an alarm is due, this has reached its instant. */
export const systemClock: Clock = {
  nowUs: () => Number(process.hrtime.bigint() / NS_PER_US),
  wallMs: () => Date.now(),
};

/**
 * Alarms on timerfd: the kernel wakes the event loop within tens of microseconds of the instant, where setTimeout counts
 * whole milliseconds. For adverts, whose interval may be 10 ms. Each alarm holds a descriptor until `close`.
 */
export class TimerfdAlarms implements AlarmFactory {
  readonly #native: Native;
  /** One per alarm that was created and not closed; as many as there are instances. */
  readonly #descriptors = new Set<number>();

  constructor(native: Native) {
    this.#native = native;
  }

  create(onDue: () => void): Alarm {
    const native = this.#native;
    const fd = native.timerfd_create(CLOCK_MONOTONIC, TFD_NONBLOCK);
    assert(fd >= 0, `timerfd_create failed: ${errnoText(-fd)}`);
    this.#descriptors.add(fd);
    let dueUs: number | undefined;
    const disarm = (): void => {
      dueUs = undefined;
      // Setting the time also forgets an expiry that nobody has read.
      native.timerfd_settime(fd, 0, 0, 0);
      native.hold(fd, false);
    };
    native.watch(fd, () => {
      // The event loop collects a batch of events first: one before this may have disarmed the alarm or moved it.
      if (dueUs === undefined || systemClock.nowUs() < dueUs) return;
      disarm();
      onDue();
    });
    native.arm(fd, UV_READABLE);
    native.hold(fd, false);
    return {
      arm(atUs) {
        // 0, 0 would disarm; any instant of the past fires at once.
        const us = Math.max(1, Math.ceil(atUs));
        dueUs = us;
        native.timerfd_settime(fd, TFD_TIMER_ABSTIME, Math.floor(us / US_PER_S), (us % US_PER_S) * 1_000);
        native.hold(fd, true);
      },
      disarm,
      close: () => this.#close(fd),
    };
  }

  close(): void {
    for (const fd of [...this.#descriptors]) this.#close(fd);
  }

  #close(fd: number): void {
    if (!this.#descriptors.delete(fd)) return;
    this.#native.unwatch(fd);
    this.#native.close(fd);
  }
}

/**
 * Alarms on setTimeout, for whoever is content with a millisecond. Node counts from a millisecond that has begun
 * already and may call up to one too early; such a call arms the rest again.
 */
export class TimeoutAlarms implements AlarmFactory {
  readonly #clock: Clock;

  constructor(clock: Clock = systemClock) {
    this.#clock = clock;
  }

  create(onDue: () => void): Alarm {
    const clock = this.#clock;
    let timer: NodeJS.Timeout | undefined;
    const arm = (atUs: number): void => {
      clearTimeout(timer);
      const waitMs = Math.ceil(Math.max(0, atUs - clock.nowUs()) / US_PER_MS);
      timer = setTimeout(
        () => {
          timer = undefined;
          if (clock.nowUs() < atUs) arm(atUs);
          else onDue();
        },
        Math.min(waitMs, MAX_TIMEOUT_MS),
      );
    };
    const disarm = (): void => {
      clearTimeout(timer);
      timer = undefined;
    };
    return { arm, disarm, close: disarm };
  }
}

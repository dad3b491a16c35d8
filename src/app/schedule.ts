import cron, { type ScheduledTask } from "node-cron";
import type { ScheduleAction, ScheduleConfig } from "../config/model.ts";

/** Calendar work: node-cron calls, the supervisor acts. Never adverts, never checks. */
export class Schedule {
  /** Bounded by the configured schedules. */
  #tasks: ScheduledTask[] = [];
  readonly #act: (name: string, action: ScheduleAction) => void;

  constructor(act: (name: string, action: ScheduleAction) => void) {
    this.#act = act;
  }

  /** Replaces everything that was scheduled. */
  configure(schedules: readonly ScheduleConfig[]): void {
    this.stop();
    this.#tasks = schedules.map(({ name, cron: expression, timezone, action }) =>
      cron.schedule(expression, () => this.#act(name, action), { name, ...(timezone === null ? {} : { timezone }) }),
    );
  }

  stop(): void {
    for (const task of this.#tasks) void task.destroy();
    this.#tasks = [];
  }
}

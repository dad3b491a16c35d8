import type { InstanceConfig } from "../config/model.ts";
import type { Clock } from "../ports/clock.ts";
import type { EventFacts, LogEntry, Logger } from "../ports/logger.ts";
import type { InstanceAction } from "../vrrp/instance-model.ts";

/** How often the same thing is said at most while it lasts, and warnings anew because the master changed. */
const REPEAT_US = 60_000_000;

/** A change of state, as the journal has it. */
export type InstanceChange = Pick<EventFacts, "from" | "to" | "cause">;

/** What an instance says to the log: news always, what lasts once, and what must not be forgotten now and then again. */
export class InstanceVoice {
  #config: Pick<InstanceConfig, "name" | "interface" | "vrid">;
  readonly #clock: Clock;
  readonly #logger: Logger;
  /** What was said since the last change of state or master, and when; bounded by its few kinds. */
  readonly #said = new Map<string, number>();
  #clearedUs: number;

  constructor(config: InstanceConfig, { clock, logger }: { readonly clock: Clock; readonly logger: Logger }) {
    this.#config = config;
    this.#clock = clock;
    this.#logger = logger;
    this.#clearedUs = clock.nowUs();
  }

  reconfigure(config: InstanceConfig): void {
    this.#config = config;
  }

  /** @param change what of it is a change of state, for the journal */
  say(level: LogEntry["level"], message: string, change?: InstanceChange): void {
    const { name, interface: device, vrid } = this.#config;
    this.#logger.log({
      level,
      source: "vrrp",
      message: `instance ${name} (${device}, vrid ${vrid}): ${message}`,
      facts: { instance: name },
      ...(change === undefined ? {} : { event: { type: "instance", subject: `instance ${name}`, ...change } }),
    });
  }

  /** @param key tells what was said already */
  once(key: string, level: LogEntry["level"], message: string): void {
    if (this.#said.has(key)) return;
    this.#said.set(key, this.#clock.nowUs());
    this.say(level, message);
  }

  /** As `once`, and again now and then while it lasts. @returns whether it was said */
  repeat(key: string, level: LogEntry["level"], message: string, change?: InstanceChange): boolean {
    const nowUs = this.#clock.nowUs();
    if (nowUs - (this.#said.get(key) ?? Number.NEGATIVE_INFINITY) < REPEAT_US) return false;
    this.#said.set(key, nowUs);
    this.say(level, message, change);
    return true;
  }

  /** Another phase. */
  transition({ from, to, reason }: Extract<InstanceAction, { readonly type: "transition" }>): void {
    this.say(to === "fault" ? "warning" : "notice", `${from} -> ${to}: ${reason}`, { from, to, cause: reason });
  }

  /** What the state machine warns of. */
  warning({ code, message }: Extract<InstanceAction, { readonly type: "warn" }>): void {
    this.repeat(code, "warning", message, { from: null, to: code.replace("_", " "), cause: message });
  }

  /** A new state: everything may be said anew. */
  stateChanged(): void {
    this.#said.clear();
  }

  /** Another master is news, but routers that take turns, or forged ones, must not fill the log. */
  masterChanged(): void {
    const nowUs = this.#clock.nowUs();
    if (nowUs - this.#clearedUs < REPEAT_US) return;
    this.#clearedUs = nowUs;
    this.#said.clear();
  }
}

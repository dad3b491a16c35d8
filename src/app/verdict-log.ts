import { groupedBy, listed, MANY_ALIKE } from "../base/listed.ts";
import type { Decision } from "../health/weights.ts";
import type { EventFacts, LogEntry, Logger } from "../ports/logger.ts";
import { stateText } from "./checked-server.ts";

/** What became of a server. */
interface Verdict {
  readonly service: string;
  readonly server: string;
  /** null = it was not configured before. */
  readonly from: Decision | null;
  readonly to: Decision;
}

/**
 * Tells what became of servers: a line and an event for each. Those that a configuration brings along are told together where many
 * are alike: a start with ten thousand servers is no ten thousand changes of state, and would push out every real one.
 */
export class VerdictLog {
  readonly #logger: Logger;
  /** New servers, until the configuration is taken; null = none is being taken. */
  #new: Verdict[] | null = null;

  constructor(logger: Logger) {
    this.#logger = logger;
  }

  tell(verdict: Verdict): void {
    if (this.#new !== null && verdict.from === null) this.#new.push(verdict);
    else this.#tellOne(verdict);
  }

  /** What `take` tells of new servers belongs together. */
  together(take: () => void): void {
    const found: Verdict[] = [];
    this.#new = found;
    try {
      take();
    } finally {
      this.#new = null;
      const groups = groupedBy(found, ({ service, to }) => `${service} ${stateText(to)} ${to.why}`);
      for (const alike of groups) {
        if (alike.length > MANY_ALIKE) this.#tellMany(alike);
        else for (const verdict of alike) this.#tellOne(verdict);
      }
    }
  }

  #tellOne({ service, server, from, to }: Verdict): void {
    this.#say(`service ${service}: server ${server}`, `service ${service} server ${server}`, from, to);
  }

  #tellMany(alike: readonly Verdict[]): void {
    const [first] = alike;
    if (first === undefined) return;
    const { service, server, from, to } = first;
    const subject = `service ${service} servers ${server} and ${alike.length - 1} more`;
    const servers = alike.map((verdict) => verdict.server);
    this.#say(`service ${service}: ${listed("server", servers)}`, subject, from, to);
  }

  #say(where: string, subject: string, from: Decision | null, to: Decision): void {
    const level: LogEntry["level"] = to.verdict === "down" ? "warning" : "notice";
    const was = from === null ? null : stateText(from);
    const event: EventFacts = { type: "server", subject, from: was, to: stateText(to), cause: to.why };
    this.#logger.log({
      level,
      source: "checker",
      message: `${where}: ${stateText(from)} -> ${stateText(to)}: ${to.why}`,
      event,
    });
  }
}

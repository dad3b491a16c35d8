import type { Outbox } from "../ipc/outbox.ts";
import type { LogEntry, Logger } from "../ports/logger.ts";

/** The Logger of a child: its lines travel to the supervisor through the bounded outbox. Loads no winston. */
export class RelayLogger implements Logger {
  readonly #outbox: Outbox<never>;

  constructor(outbox: Pick<Outbox<never>, "log">) {
    this.#outbox = outbox as Outbox<never>;
  }

  log(entry: LogEntry): void {
    this.#outbox.log(entry);
  }
}

import { type DownMessage, type FactEntry, PING, type UpMessage } from "./messages.ts";
import { Outbox } from "./outbox.ts";

/** What a child does with what comes down. */
export interface ChildHandlers<Config, Fact = never> {
  /** @throws what is wrong, as an error with a message; it becomes the reply */
  configure(config: Config): unknown;
  command(name: string, argument: unknown): unknown;
  /** All that is known comes before the first configuration, changes at any time after it. */
  facts?(entries: readonly FactEntry<Fact>[]): void;
  stop(): void;
  /** The supervisor is gone without saying so. */
  orphaned(): void;
}

/** The child's end of the built-in IPC channel. */
export class ChildChannel<Config, State, Fact = never> {
  readonly outbox: Outbox<State>;

  constructor() {
    this.outbox = new Outbox((message, done) => transmit(message, done));
  }

  /** Starts listening; handlers may answer with a promise, the reply waits for it. */
  listen(handlers: ChildHandlers<Config, Fact>): void {
    process.on("message", (message: DownMessage<Config, Fact>) => {
      if (message.type === "stop") handlers.stop();
      else if (message.type === "facts") handlers.facts?.(message.entries);
      else if (message.type === "configure") void this.#answer(message.id, () => handlers.configure(message.config));
      else if (message.name === PING) this.outbox.reply(message.id, { ok: true, value: null });
      else void this.#answer(message.id, () => handlers.command(message.name, message.argument));
    });
    process.on("disconnect", () => handlers.orphaned());
  }

  async #answer(id: number, act: () => unknown): Promise<void> {
    try {
      this.outbox.reply(id, { ok: true, value: (await act()) ?? null });
    } catch (thrown) {
      const { code, message } = describe(thrown);
      this.outbox.reply(id, { ok: false, code, message });
    }
  }
}

function describe(thrown: unknown): { readonly code: string; readonly message: string } {
  const message = thrown instanceof Error ? thrown.message : String(thrown);
  const code =
    thrown instanceof Error && "code" in thrown && typeof thrown.code === "string" ? thrown.code : "OWN_FAULT";
  return { code, message };
}

function transmit(message: UpMessage<unknown>, done: () => void): void {
  // An error here means that the supervisor is gone; "disconnect" follows and decides.
  if (process.send !== undefined && process.connected) process.send(message, undefined, undefined, () => done());
  else done();
}

import { formatDurationUs } from "../base/duration.ts";
import { type Endpoint, formatEndpoint } from "../base/endpoint.ts";
import type { TcpCheckConfig } from "../config/model.ts";
import type { ConnectAttempt, ConnectOutcome, TcpConnector } from "../ports/tcp-connector.ts";
import type { Attempt, Checker, CheckTarget } from "./checker.ts";
import { connectFailure } from "./connect-errors.ts";
import { fail, type Outcome, pass } from "./outcome.ts";

/**
 * Passes when a TCP connection comes about; nothing is sent. Since its attempts never overlap it is the attempt as well: no
 * objects are made for one.
 */
export class TcpChecker implements Checker, Attempt {
  readonly #endpoint: Endpoint;
  readonly #connector: TcpConnector;
  readonly #passed: Outcome;
  readonly #timedOut: Outcome;
  /** While an attempt is under way. */
  #connection: ConnectAttempt | null = null;
  #done: (outcome: Outcome) => void = () => {};

  constructor(options: { readonly check: TcpCheckConfig; readonly target: CheckTarget }, connector: TcpConnector) {
    const { check, target } = options;
    this.#endpoint = { address: target.address, port: check.port ?? target.port };
    this.#connector = connector;
    const where = formatEndpoint(this.#endpoint);
    this.#passed = pass(`${where} accepted a connection`);
    this.#timedOut = fail("timeout", `no connection to ${where} within ${formatDurationUs(check.timeoutUs)}`);
  }

  begin(done: (outcome: Outcome) => void): Attempt {
    this.#done = done;
    this.#connection = this.#connector.connect(this.#endpoint, this.#onOutcome);
    return this;
  }

  abort(): void {
    const connection = this.#connection;
    if (connection === null) return;
    connection.cancel();
    this.#connection = null;
    this.#done(this.#timedOut);
  }

  close(): void {}

  readonly #onOutcome = (outcome: ConnectOutcome): void => {
    this.#connection = null;
    this.#done(outcome.type === "connected" ? this.#passed : connectFailure(outcome.errno, this.#endpoint));
  };
}

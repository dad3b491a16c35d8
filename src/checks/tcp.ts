import { formatDurationUs } from "../base/duration.ts";
import { type Endpoint, formatEndpoint } from "../base/endpoint.ts";
import type { TcpCheckConfig } from "../config/model.ts";
import type { TcpConnector } from "../ports/tcp-connector.ts";
import type { Checker, CheckTarget } from "./checker.ts";
import { connectFailure } from "./connect-errors.ts";
import { fail, type Outcome, pass } from "./outcome.ts";

/** Passes when a TCP connection comes about; nothing is sent. */
export class TcpChecker implements Checker {
  readonly #endpoint: Endpoint;
  readonly #connector: TcpConnector;
  readonly #passed: Outcome;
  readonly #timedOut: Outcome;

  constructor(options: { readonly check: TcpCheckConfig; readonly target: CheckTarget }, connector: TcpConnector) {
    const { check, target } = options;
    this.#endpoint = { address: target.address, port: check.port ?? target.port };
    this.#connector = connector;
    const where = formatEndpoint(this.#endpoint);
    this.#passed = pass(`${where} accepted a connection`);
    this.#timedOut = fail("timeout", `no connection to ${where} within ${formatDurationUs(check.timeoutUs)}`);
  }

  async attempt(signal: AbortSignal): Promise<Outcome> {
    const outcome = await this.#connector.connect(this.#endpoint, signal);
    switch (outcome.type) {
      case "connected":
        return this.#passed;
      case "aborted":
        return this.#timedOut;
      case "failed":
        return connectFailure(outcome.errno, this.#endpoint);
    }
  }

  close(): void {}
}

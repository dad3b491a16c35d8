// The checks of a plan without a daemon around them, for kernels without IPVS: the same check runner as the checker process has.
import { CheckRunner } from "../src/app/check-runner.ts";
import { createCheckerFactory } from "../src/checks/checker-factory.ts";
import type { ServiceConfig, TcpCheckConfig } from "../src/config/model.ts";
import { systemClock, TimeoutAlarms } from "../src/sys/clock.ts";
import { SystemProcessRunner } from "../src/sys/process-runner.ts";
import { openTcpConnector } from "../src/sys/tcp-connector.ts";

/** Runs a TCP check of every server. */
export class PlanChecks {
  readonly #runner: CheckRunner;

  constructor() {
    const connector = openTcpConnector();
    const runner = new SystemProcessRunner();
    this.#runner = new CheckRunner({
      clock: systemClock,
      alarms: new TimeoutAlarms(),
      random: Math.random,
      createFactory: () => createCheckerFactory({ connector, runner }),
      onEvent: () => undefined,
    });
  }

  /** @param times of every check */
  reconfigure(services: readonly ServiceConfig[], times: Pick<TcpCheckConfig, "intervalUs" | "timeoutUs">): void {
    const check: TcpCheckConfig = { type: "tcp", name: "tcp", port: null, ...times, rise: 1, fall: 2 };
    const checked = services.map((service) => ({
      ...service,
      servers: service.servers.map((server) => ({ ...server, checks: [check] })),
    }));
    this.#runner.reconfigure({ services: checked, maxConcurrentScripts: 1 });
  }
}

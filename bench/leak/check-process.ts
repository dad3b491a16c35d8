// What the checker process does for checks, in a process of its own, for kernels without IPVS; each SIGHUP brings the other of two
// configurations. Ends when it is told to.
import { CheckRunner } from "../../src/app/check-runner.ts";
import { createCheckerFactory } from "../../src/checks/checker-factory.ts";
import type { TcpCheckConfig } from "../../src/config/model.ts";
import { systemClock, TimeoutAlarms } from "../../src/sys/clock.ts";
import { SystemProcessRunner } from "../../src/sys/process-runner.ts";
import { openTcpConnector } from "../../src/sys/tcp-connector.ts";
import { toServiceConfigs } from "../plan.ts";
import { CHECK_INTERVAL_MS, planOf, timeoutMsOf } from "./configuration.ts";

const connector = openTcpConnector();
const runner = new SystemProcessRunner();
const checks = new CheckRunner({
  clock: systemClock,
  alarms: new TimeoutAlarms(),
  random: Math.random,
  createFactory: () => createCheckerFactory({ connector, runner }),
  onEvent: () => undefined,
});

function configure(turn: number): void {
  const check: TcpCheckConfig = {
    type: "tcp",
    name: "tcp",
    port: null,
    intervalUs: CHECK_INTERVAL_MS * 1000,
    timeoutUs: timeoutMsOf(turn) * 1000,
    rise: 1,
    fall: 2,
  };
  const services = toServiceConfigs(planOf(turn)).map((service) => ({
    ...service,
    servers: service.servers.map((server) => ({ ...server, checks: [check] })),
  }));
  checks.reconfigure({ services, maxConcurrentScripts: 1 });
}

let turn = 0;
configure(turn);
process.on("SIGHUP", () => {
  turn += 1;
  configure(turn);
});
process.on("SIGTERM", () => process.exit(0));
process.stdout.write("running\n");

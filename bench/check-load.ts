// The checks of the plan without a daemon around them, for kernels without IPVS: the same check runner as the checker
// process has, in a process of its own. Ends when it is told to.
import { CheckRunner } from "../src/app/check-runner.ts";
import { createCheckerFactory } from "../src/checks/checker-factory.ts";
import type { TcpCheckConfig } from "../src/config/model.ts";
import { systemClock, TimeoutAlarms } from "../src/sys/clock.ts";
import { SystemProcessRunner } from "../src/sys/process-runner.ts";
import { openTcpConnector } from "../src/sys/tcp-connector.ts";
import { planTable, toServiceConfigs } from "./plan.ts";

const [services = 20, servers = 100] = process.argv.slice(2).map(Number);
/** As `servicesYaml` asks for. */
const CHECK: TcpCheckConfig = {
  type: "tcp",
  name: "tcp",
  port: null,
  intervalUs: 1_000_000,
  timeoutUs: 1_000_000,
  rise: 1,
  fall: 2,
};
const connector = openTcpConnector();
const runner = new SystemProcessRunner();
const checks = new CheckRunner({
  clock: systemClock,
  alarms: new TimeoutAlarms(),
  random: Math.random,
  createFactory: () => createCheckerFactory({ connector, runner }),
  onEvent: () => undefined,
});
const configs = toServiceConfigs(planTable(services, servers)).map((service) => ({
  ...service,
  servers: service.servers.map((server) => ({ ...server, checks: [CHECK] })),
}));
checks.reconfigure({ services: configs, maxConcurrentScripts: 1 });
process.on("SIGTERM", () => process.exit(0));
process.stdout.write("running\n");

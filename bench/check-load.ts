// The checks of the plan in a process of its own, for kernels without IPVS: the check runner of the checker process, and no daemon around
// it. Ends when it is told to.
import { CheckRunner } from "../src/app/check-runner.ts";
import { createCheckerFactory } from "../src/checks/checker-factory.ts";
import type { TcpCheckConfig } from "../src/config/model.ts";
import { systemClock, TimeoutAlarms } from "../src/sys/clock.ts";
import { SystemProcessRunner } from "../src/sys/process-runner.ts";
import { openTcpConnector } from "../src/sys/tcp-connector.ts";
import { planTable, toServiceConfigs } from "./plan.ts";

const [services = 20, servers = 100] = process.argv.slice(2).map(Number);
/** As `servicesYaml` asks for. */
const TIMES = { intervalUs: 1_000_000, timeoutUs: 1_000_000, rise: 1, fall: 2 };
const CHECK: TcpCheckConfig = { type: "tcp", name: "tcp", port: null, ...TIMES };

const connector = openTcpConnector();
const runner = new CheckRunner({
  clock: systemClock,
  alarms: new TimeoutAlarms(),
  random: Math.random,
  createFactory: () => createCheckerFactory({ connector, runner: new SystemProcessRunner(), Http: null }),
  onEvent: () => undefined,
});
const checked = toServiceConfigs(planTable(services, servers)).map((service) => ({
  ...service,
  servers: service.servers.map((server) => ({ ...server, checks: [CHECK] })),
}));
runner.reconfigure({ services: checked, maxConcurrentScripts: 1 });
process.on("SIGTERM", () => process.exit(0));
process.stdout.write("running\n");

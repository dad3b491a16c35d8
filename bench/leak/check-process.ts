// What the checker process does for checks, in a process of its own, for kernels without IPVS; each SIGHUP brings the other of two
// configurations. Ends when it is told to.
import { PlanChecks } from "../checks.ts";
import { toServiceConfigs } from "../plan.ts";
import { CHECK_INTERVAL_MS, planOf, timeoutMsOf } from "./configuration.ts";

const checks = new PlanChecks();

function configure(turn: number): void {
  const times = { intervalUs: CHECK_INTERVAL_MS * 1000, timeoutUs: timeoutMsOf(turn) * 1000 };
  checks.reconfigure(toServiceConfigs(planOf(turn)), times);
}

let turn = 0;
configure(turn);
process.on("SIGHUP", () => {
  turn += 1;
  configure(turn);
});
process.on("SIGTERM", () => process.exit(0));
process.stdout.write("running\n");

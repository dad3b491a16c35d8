// The checks of the plan in a process of its own. Ends when it is told to.
import { PlanChecks } from "./checks.ts";
import { planTable, toServiceConfigs } from "./plan.ts";

const [services = 20, servers = 100] = process.argv.slice(2).map(Number);
/** As `servicesYaml` asks for. */
const TIMES = { intervalUs: 1_000_000, timeoutUs: 1_000_000 };
new PlanChecks().reconfigure(toServiceConfigs(planTable(services, servers)), TIMES);
process.on("SIGTERM", () => process.exit(0));
process.stdout.write("running\n");

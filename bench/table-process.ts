// Loads a table as the checker process does: same classes, a process of its own. One word per line on standard input says
// what to do, one line of JSON per word says how long it took.
import { createInterface } from "node:readline";
import { IpvsOwnership } from "../src/app/ipvs-ownership.ts";
import { IpvsTableKeeper } from "../src/app/ipvs-table.ts";
import { ok, orThrow } from "../src/base/result.ts";
import { decisionKey, desiredTable } from "../src/ipvs/desired.ts";
import type { NetlinkSocket } from "../src/ports/netlink-socket.ts";
import { NETLINK_GENERIC } from "../src/sys/constants.ts";
import { KernelNetlinkSocket } from "../src/sys/netlink-socket.ts";
import { planTable, toServiceConfigs } from "./plan.ts";

const [services = 10, servers = 1000] = process.argv.slice(2).map(Number);
const configs = toServiceConfigs(planTable(services, servers));
const decisions = new Map(
  configs.flatMap((service) =>
    service.servers.map((server) => [decisionKey(service.name, server), { present: true, weight: 1 }] as const),
  ),
);
const kernel = orThrow(KernelNetlinkSocket.open(NETLINK_GENERIC, "IPVS netlink socket"));
/** When the kernel had answered the last operation: the table was complete, and reading it back began. */
let writtenMs = Number.NaN;
const socket: NetlinkSocket = {
  dump: (request) => kernel.dump(request),
  query: (request) => kernel.query(request),
  execute: (requests) => {
    const outcomes = kernel.execute(requests);
    writtenMs = performance.now();
    return outcomes;
  },
  close: () => kernel.close(),
};
const store = { load: () => ok({ type: "missing" } as const), save: () => ok(undefined) };
const logger = { log: () => undefined };
const ownership = IpvsOwnership.load({ bootId: "bench" }, { store, logger });
const keeper = orThrow(IpvsTableKeeper.open({ socket, ownership }));

process.stdout.write("ready\n");
for await (const line of createInterface({ input: process.stdin })) {
  if (line === "end") break;
  writtenMs = Number.NaN;
  const started = performance.now();
  const report = keeper.reconcile(desiredTable(configs, decisions));
  const tookMs = performance.now() - started;
  const isAsWanted = report.error === null && report.remaining.length === 0 && report.failures.length === 0;
  process.stdout.write(
    `${JSON.stringify({ tookMs, completeMs: writtenMs - started, isAsWanted, changes: report.changes.length })}\n`,
  );
}
keeper.close();

import { DirectorError, messageOf } from "../base/director-error.ts";
import { EXIT } from "../base/exit-codes.ts";
import { bySignal } from "../checks/checker.ts";
import { createCheckerFactory, loadHttpChecker } from "../checks/checker-factory.ts";
import { ScriptChecker } from "../checks/script.ts";
import { ChildChannel } from "../ipc/child-channel.ts";
import { InOrder } from "../ipc/in-order.ts";
import { RelayLogger } from "../log/relay.ts";
import type { Logger } from "../ports/logger.ts";
import { systemClock, TimeoutAlarms } from "../sys/clock.ts";
import { NETLINK_GENERIC } from "../sys/constants.ts";
import { LinkMonitor } from "../sys/link-monitor.ts";
import { KernelNetlinkSocket } from "../sys/netlink-socket.ts";
import { offerFirstForMemory } from "../sys/oom-order.ts";
import { SystemProcessRunner } from "../sys/process-runner.ts";
import { openTcpConnector } from "../sys/tcp-connector.ts";
import { Checker } from "./checker.ts";
import { ignoreTerminalSignals } from "./child-signals.ts";
import { IpvsKernel } from "./ipvs-kernel.ts";
import { loadOwnership, openTable } from "./ipvs-state.ts";
import { readServicesNow } from "./kernel-now.ts";
import type {
  CheckerFact,
  CheckerNews,
  CheckerPlanRequest,
  CheckerProcessConfig,
  CheckerReply,
  CheckerState,
  OverrideChange,
} from "./messages.ts";
import { SyncKeeper, type SyncKeeperCollaborators } from "./sync-keeper.ts";
import { applyQuiescingSysctls, applySyncSysctls, applySysctls } from "./sysctl-needs.ts";
import { TrafficMeter } from "./traffic-meter.ts";

/** The `checker` child: every check, and the only writer of the IPVS table. */
export function runCheckerProcess(): void {
  ignoreTerminalSignals();
  // The kernel forwards without a checker; nobody keeps the addresses without a vrrp process. Where it is refused, nothing is lost yet.
  offerFirstForMemory();
  const channel = new ChildChannel<CheckerProcessConfig, CheckerNews, CheckerFact>();
  const logger = new RelayLogger(channel.outbox);
  const connector = openTcpConnector();
  const runner = new SystemProcessRunner();
  let Http: Awaited<ReturnType<typeof loadHttpChecker>> | null = null;
  const checker = new Checker({
    clock: systemClock,
    alarms: new TimeoutAlarms(),
    logger,
    random: Math.random,
    createFactory: () => createCheckerFactory({ connector, runner, Http }),
    openTable: (stateDir) => openTable(stateDir, logger),
    readServices: readServicesNow,
    ownsServices: (stateDir) => loadOwnership(stateDir, logger).keys.size > 0,
    applySysctls,
    applyQuiescingSysctls,
    createTrackChecker: (instance, check) =>
      bySignal(new ScriptChecker({ check, target: { instance, script: check.name } }, runner)),
    publish: (key, state) => channel.outbox.state(key, state),
    publishDrift: (key, state) => channel.outbox.state(key, state),
    publishKernel: (key, state) => channel.outbox.state(key, state),
    publishFact: (key, fact) => channel.outbox.state(key, fact),
    publishDrain: (key, news) => channel.outbox.state(key, news),
  });
  const openKernel = () => {
    const socket = KernelNetlinkSocket.open(NETLINK_GENERIC, "IPVS netlink socket of its own");
    return socket.ok ? IpvsKernel.open({ socket: socket.value }) : socket;
  };
  const traffic = new TrafficMeter({
    clock: systemClock,
    alarms: new TimeoutAlarms(),
    logger,
    openKernel,
    publish: (key, state) => channel.outbox.state(key, state),
  });
  const sync = createSyncKeeper(logger, openKernel, (key, state) => channel.outbox.state(key, state));
  let isStopping = false;
  /** Where the program's files were replaced since this process started, only the next one has what it lacks; it gets the same configuration. */
  const startAgain = async (thrown: unknown): Promise<never> => {
    const message = `checks by http cannot be loaded: ${messageOf(thrown)}; this process starts again from the files that are there now`;
    logger.log({ level: "error", source: "checker", message });
    runner.killAll();
    await channel.outbox.drained();
    process.exit(EXIT.OWN_FAULT);
  };
  const configure = async (config: CheckerProcessConfig) => {
    if (checksHttp(config)) Http ??= await loadHttpChecker().catch(startAgain);
    if (isStopping) throw new DirectorError("CONTROL_REFUSED", "the checker process is stopping");
    const reply = checker.configure(config);
    traffic.configure(config.services);
    return together(reply, sync.configure(config.sync));
  };
  const command = (name: string, argument: unknown) => {
    if (name === "plan") return checker.plan(argument as CheckerPlanRequest);
    if (name === "override") return checker.override(argument as readonly OverrideChange[]);
    if (name !== "reconcile") throw new DirectorError("CONTROL_REFUSED", `the checker process has no command ${name}`);
    return together(checker.reconcile(), sync.reconcile());
  };
  // A configuration may wait for the HTTP checker: what is sent after it, another one or a command, finds it taken.
  const inOrder = new InOrder();
  channel.listen({
    configure: (config) => inOrder.next(() => configure(config)),
    facts: (entries) => sync.hear(entries),
    command: (name, argument) => inOrder.next(() => command(name, argument)),
    stop: () => {
      isStopping = true;
      traffic.stop();
      checker.stop();
      runner.killAll();
      void sync
        .stop(checker.onStop)
        .then(() => channel.outbox.drained())
        .then(() => process.exit(0));
    },
    // The kernel goes on forwarding by the table as it is, and telling connections; the next checker takes over from there.
    orphaned: () => {
      runner.killAll();
      process.exit(0);
    },
  });
  channel.outbox.ready();
}

function checksHttp({ services }: CheckerProcessConfig): boolean {
  return services.some(({ servers }) => servers.some(({ checks }) => checks.some(({ type }) => type === "http")));
}

function together(reply: CheckerReply, changes: readonly string[]): CheckerReply {
  return { ...reply, changes: [...reply.changes, ...changes] };
}

function createSyncKeeper(
  logger: Logger,
  openKernel: SyncKeeperCollaborators["openKernel"],
  publish: (key: string, state: CheckerState | null) => void,
): SyncKeeper {
  let links: LinkMonitor | null = null;
  const keeper = new SyncKeeper({
    clock: systemClock,
    alarms: new TimeoutAlarms(),
    logger,
    openKernel,
    interfaceIndex: (name) => {
      links ??= watchLinks(keeper, logger);
      return links?.get(name)?.index ?? null;
    },
    applySysctls: applySyncSysctls,
    publish,
  });
  return keeper;
}

/** @returns null if interfaces cannot be watched; it is tried again with the next look */
function watchLinks(keeper: SyncKeeper, logger: Logger): LinkMonitor | null {
  const say = (error: DirectorError) =>
    logger.log({
      level: "warning",
      source: "checker",
      message: `sync: interfaces cannot be watched: ${error.message}. ${error.remedy}`,
    });
  const links = LinkMonitor.open({ onChange: (name) => keeper.interfaceChanged(name), onError: say });
  if (!links.ok) say(links.error);
  return links.ok ? links.value : null;
}

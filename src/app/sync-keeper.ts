import type { DirectorError } from "../base/director-error.ts";
import { ok, type Result } from "../base/result.ts";
import type { IpvsConfig, SyncConfig } from "../config/model.ts";
import type { SyncStatus } from "../control/status.ts";
import type { FactEntry } from "../ipc/messages.ts";
import {
  followPhase,
  NEVER_MASTER,
  type SyncDaemon,
  type SyncOperation,
  type SyncPhase,
  type SyncRole,
  syncDaemons,
  syncOperations,
  wantedRoles,
} from "../ipvs/sync.ts";
import type { Alarm, AlarmFactory, Clock } from "../ports/clock.ts";
import type { EventFacts, LogEntry, Logger } from "../ports/logger.ts";
import type { IpvsKernel } from "./ipvs-kernel.ts";
import { type CheckerFact, instanceKey, SYNC_KEY } from "./messages.ts";
import type { SyncSysctls } from "./sysctl-needs.ts";

/** What the kernel runs is looked at this often: others may have stopped it, and what was refused may work now. */
const LOOK_US = 10_000_000;

export interface SyncKeeperCollaborators {
  readonly clock: Clock;
  readonly alarms: AlarmFactory;
  readonly logger: Logger;
  openKernel(): Result<IpvsKernel, DirectorError>;
  /** null = there is no such interface. An interface that was deleted and made again has another index. */
  interfaceIndex(name: string): number | null;
  applySysctls(): SyncSysctls;
  publish(key: string, state: SyncStatus | null): void;
}

/**
 * Runs the kernel's connection synchronisation in step with an instance: nothing else in holdfast starts or stops its
 * daemons. Without a configuration it touches nothing. What cannot be done is told, and tried again.
 */
export class SyncKeeper {
  readonly #with: SyncKeeperCollaborators;
  readonly #look: Alarm;
  /** When the master daemon has told the last. */
  readonly #lingered: Alarm;
  #config: SyncConfig | null = null;
  #kernel: IpvsKernel | null = null;
  /** Instances that are master, by key; bounded by the configured ones. */
  readonly #masters = new Set<string>();
  #phase: SyncPhase = NEVER_MASTER;
  /** Index of the interface that the daemons were started on; null = they were not, or it is not known. */
  #index: number | null = null;
  #sysctlProblem = "";
  /** What was told last: the same is not told again. */
  #problem = "";
  #published = "";

  constructor(collaborators: SyncKeeperCollaborators) {
    this.#with = collaborators;
    this.#look = collaborators.alarms.create(() => void this.#make());
    this.#lingered = collaborators.alarms.create(() => void this.#make());
  }

  /** Takes a configuration. @returns one line for each daemon that was started or stopped */
  configure(config: SyncConfig | null): readonly string[] {
    const before = this.#config;
    this.#config = config;
    if (config === null) return before === null ? [] : this.#end();
    this.#follow();
    return this.#makeWithSysctls();
  }

  /** Hears which instances are master. */
  hear(entries: readonly FactEntry<CheckerFact>[]): void {
    for (const [key, fact] of entries) {
      if (fact?.phase === "master") this.#masters.add(key);
      else this.#masters.delete(key);
    }
    const before = this.#phase;
    this.#follow();
    if (this.#phase.isMaster !== before.isMaster) this.#make();
  }

  /** Something about an interface changed: it may be there again. */
  interfaceChanged(name: string): void {
    if (name === this.#config?.interface) this.#make();
  }

  /** Compares with the kernel and repairs what differs. @returns one line for each daemon that was started or stopped */
  reconcile(): readonly string[] {
    return this.#config === null ? [] : this.#makeWithSysctls();
  }

  /**
   * Ends. With `remove`, the daemons go when the last connections have been told, a few seconds after the instance ceased to
   * be master; with `keep` they stay, as the table does, and the next start goes on with them.
   */
  async stop(onStop: IpvsConfig["onStop"]): Promise<void> {
    if (this.#config === null) return;
    this.#look.disarm();
    if (onStop === "keep") {
      this.#lingered.disarm();
      this.#say("notice", "the kernel's daemons stay (ipvs.onStop: keep)");
      return;
    }
    const { clock, alarms } = this.#with;
    this.#phase = followPhase(this.#phase, false, clock.nowUs());
    const untilUs = this.#phase.lingersUntilUs;
    if (untilUs !== null && untilUs > clock.nowUs()) {
      this.#lingered.disarm();
      await new Promise<void>((resolve) => alarms.create(resolve).arm(untilUs));
    }
    this.#config = null;
    this.#end();
  }

  #follow(): void {
    const isMaster = this.#config !== null && this.#masters.has(instanceKey(this.#config.instance));
    this.#phase = followPhase(this.#phase, isMaster, this.#with.clock.nowUs());
    const { lingersUntilUs } = this.#phase;
    if (lingersUntilUs === null) this.#lingered.disarm();
    else this.#lingered.arm(lingersUntilUs);
  }

  /** What holdfast started goes. */
  #end(): readonly string[] {
    for (const alarm of [this.#look, this.#lingered]) alarm.disarm();
    this.#phase = NEVER_MASTER;
    this.#index = null;
    this.#problem = "";
    this.#published = "";
    this.#with.publish(SYNC_KEY, null);
    const kernel = this.#kernel;
    if (kernel === null) return [];
    const present = kernel.syncDaemons();
    if (!present.ok) {
      this.#say(
        "error",
        `the kernel's daemons could not be stopped: ${present.error.message}. ${present.error.remedy}`,
      );
      return [];
    }
    const { lines, problem } = this.#carryOut(
      kernel,
      syncOperations(present.value, []),
      "it is not configured any more",
    );
    if (problem !== "") this.#say("error", problem);
    return lines;
  }

  #makeWithSysctls(): readonly string[] {
    // The settings are there when the module is loaded.
    const kernel = this.#open();
    if (kernel.ok) {
      const { entries, problem } = this.#with.applySysctls();
      for (const entry of entries) this.#with.logger.log(entry);
      this.#sysctlProblem = problem ?? "";
    }
    return this.#make();
  }

  /** Makes the kernel's daemons the wanted ones and tells what runs. */
  #make(): readonly string[] {
    const config = this.#config;
    if (config === null) return [];
    this.#look.arm(this.#with.clock.nowUs() + LOOK_US);
    const read = this.#read();
    if (!read.ok) {
      this.#tell(config, [], `${read.error.message}. ${read.error.remedy}`);
      return [];
    }
    const { kernel, present } = read.value;
    const index = this.#with.interfaceIndex(config.interface);
    const isStale = this.#index !== null && this.#index !== index;
    // Without the interface they would be refused, and what runs there reaches nobody.
    const wanted = index === null ? [] : syncDaemons(config, wantedRoles(this.#phase, this.#with.clock.nowUs()));
    const operations = syncOperations(present, wanted, isStale);
    const { lines, problem } = this.#carryOut(kernel, operations, this.#why(config, isStale));
    this.#index = index;
    const after = kernel.syncDaemons();
    const missing = `there is no interface ${config.interface}; create it, or correct sync.interface`;
    this.#tell(config, after.ok ? after.value : [], index === null ? missing : problem);
    return lines;
  }

  #open(): Result<IpvsKernel, DirectorError> {
    if (this.#kernel !== null) return ok(this.#kernel);
    const opened = this.#with.openKernel();
    if (opened.ok) this.#kernel = opened.value;
    return opened;
  }

  #read(): Result<{ readonly kernel: IpvsKernel; readonly present: readonly SyncDaemon[] }, DirectorError> {
    const kernel = this.#open();
    if (!kernel.ok) return kernel;
    const present = kernel.value.syncDaemons();
    return present.ok ? ok({ kernel: kernel.value, present: present.value }) : present;
  }

  #why({ instance }: SyncConfig, isStale: boolean): string {
    if (isStale) return "its interface is another one now";
    if (this.#phase.isMaster) return `${instance} is master`;
    return `${instance} is not master`;
  }

  #carryOut(
    kernel: IpvsKernel,
    operations: readonly SyncOperation[],
    why: string,
  ): { readonly lines: readonly string[]; readonly problem: string } {
    const done: SyncOperation[] = []; // these two bounded by the operations, four at most
    const problems: string[] = [];
    for (const operation of operations) {
      const outcome = kernel.applySync(operation);
      if (!outcome.ok) problems.push(`${outcome.error.message}. ${outcome.error.remedy}`);
      else if (outcome.value !== null) problems.push(outcome.value);
      else done.push(operation);
    }
    for (const operation of done) this.#say("info", `${describe(operation)} (${why})`, eventOf(operation, why));
    return {
      lines: done.map((operation) => `connection sync: ${describe(operation)}`),
      problem: problems.join("; "),
    };
  }

  /** Publishes what runs, and logs a problem when it appears and when it is gone. */
  #tell(config: SyncConfig, present: readonly SyncDaemon[], problem: string): void {
    if (problem !== this.#problem) {
      const [from, to] = problem === "" ? ["failing", "working"] : ["working", "failing"];
      const event: EventFacts = { type: "sync", subject: "connection sync", from, to, cause: problem };
      if (problem !== "") this.#say("error", `${problem} (tried again every 10 s)`, event);
      else this.#say("notice", "it works again", { ...event, cause: `no more: ${this.#problem}` });
      this.#problem = problem;
    }
    const { instance, interface: device, id } = config;
    const note = [problem, this.#sysctlProblem].filter((part) => part !== "").join("; ");
    const status: SyncStatus = { instance, interface: device, id, role: roleOf(present), note };
    const text = JSON.stringify(status);
    if (text === this.#published) return;
    this.#published = text;
    this.#with.publish(SYNC_KEY, status);
  }

  #say(level: LogEntry["level"], message: string, event?: EventFacts): void {
    const entry = { level, source: "checker", message: `connection sync: ${message}` };
    this.#with.logger.log(event === undefined ? entry : { ...entry, event });
  }
}

function describe(operation: SyncOperation): string {
  if (operation.type === "stopDaemon") return `${operation.role} daemon stopped`;
  const { role, interface: device, id, group, port } = operation.daemon;
  return `${role} daemon started on ${device}, id ${id}, ${group}:${port}`;
}

function eventOf(operation: SyncOperation, cause: string): EventFacts {
  const isStart = operation.type !== "stopDaemon";
  const role = isStart ? operation.daemon.role : operation.role;
  const [from, to] = isStart ? ["stopped", "running"] : ["running", "stopped"];
  return { type: "sync", subject: `connection sync ${role} daemon`, from, to, cause };
}

function roleOf(present: readonly SyncDaemon[]): SyncStatus["role"] {
  const has = (role: SyncRole) => present.some((daemon) => daemon.role === role);
  if (has("master")) return has("backup") ? "master+backup" : "master";
  return has("backup") ? "backup" : "none";
}

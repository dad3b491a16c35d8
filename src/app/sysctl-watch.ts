import type { IpvsConfig, ServiceConfig } from "../config/model.ts";
import type { Alarm, AlarmFactory, Clock } from "../ports/clock.ts";
import type { SysctlReport } from "./sysctl-needs.ts";

/** Others may change a setting, and a person mends it: seen within this long. Reading the few that services need costs nothing. */
const LOOK_US = 10_000_000;

export interface SysctlWatchCollaborators {
  readonly clock: Clock;
  readonly alarms: AlarmFactory;
  /** Compares the settings that the services need with the kernel's, and sets them if told to. */
  apply(services: readonly ServiceConfig[], manage: boolean): SysctlReport;
  /** @param isAsked a person has just given a configuration */
  onSeen(report: SysctlReport, isAsked: boolean): void;
}

/** Looks whether the kernel has the settings that services need: when a configuration is taken, and on a period. */
export class SysctlWatch {
  readonly #with: SysctlWatchCollaborators;
  readonly #alarm: Alarm;
  #services: readonly ServiceConfig[] = [];
  /** Whether what somebody changes is set back. */
  #isRepairing = false;

  constructor(collaborators: SysctlWatchCollaborators) {
    this.#with = collaborators;
    this.#alarm = collaborators.alarms.create(() => this.look());
  }

  configure(
    services: readonly ServiceConfig[],
    { manageSysctls, drift }: Pick<IpvsConfig, "manageSysctls" | "drift">,
  ): void {
    this.#services = services;
    this.#isRepairing = manageSysctls && drift === "repair";
    this.#with.onSeen(this.#with.apply(services, manageSysctls), true);
    this.#later();
  }

  /** Looks now; the table is being repaired. */
  look(): void {
    this.#with.onSeen(this.#with.apply(this.#services, this.#isRepairing), false);
    this.#later();
  }

  stop(): void {
    this.#alarm.disarm();
  }

  #later(): void {
    if (this.#services.length > 0) this.#alarm.arm(this.#with.clock.nowUs() + LOOK_US);
    else this.#alarm.disarm();
  }
}

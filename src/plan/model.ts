/** A plan as people and programs get it: what making the kernel as configured would change. Times are not part of it. */
export const PLAN_VERSION = 1;

export interface KernelPlan {
  readonly version: typeof PLAN_VERSION;
  /** Where what is known about the servers comes from, as a sentence. */
  readonly basis: string;
  readonly groups: readonly PlanGroup[];
  /** What a reload would change in the daemon's own configuration, one clause each; empty without a daemon. */
  readonly configuration: readonly string[];
  readonly summary: PlanSummary;
}

export interface PlanGroup {
  readonly section: "services" | "addresses" | "sysctls" | "sync";
  /** `service web, tcp://192.0.2.10:80`. */
  readonly title: string;
  readonly steps: readonly PlanStep[];
  /** What is worth knowing and changes nothing, one clause each. */
  readonly notes: readonly string[];
}

/** One change to one object of the kernel. */
export interface PlanStep {
  readonly type: "add" | "change" | "remove";
  /** `server 10.0.0.11:80`, within the group. */
  readonly subject: string;
  /** How it is; null = absent. */
  readonly from: string | null;
  /** How it is to be; null = absent. */
  readonly to: string | null;
  /** Connections that a removal cuts; null for everything else. */
  readonly cuts: Connections | null;
  /** A clause for the operator; empty if there is nothing to say. */
  readonly remark: string;
}

/** Connections that the kernel counts. */
export interface Connections {
  /** Active ones. */
  readonly established: number;
  /** Those that begin or end, and those without a state. */
  readonly other: number;
}

export interface PlanSummary {
  readonly add: number;
  readonly change: number;
  readonly remove: number;
  readonly cuts: Connections;
  /** Whether anything would change, in the kernel or in the daemon's configuration. */
  readonly hasChanges: boolean;
}

export const NO_CONNECTIONS: Connections = { established: 0, other: 0 };

export function addConnections(a: Connections, b: Connections): Connections {
  return { established: a.established + b.established, other: a.other + b.other };
}

/** @param groups those without steps and notes are left out */
export function joinPlan(
  groups: readonly PlanGroup[],
  { basis, configuration = [] }: { readonly basis: string; readonly configuration?: readonly string[] },
): KernelPlan {
  const steps = groups.flatMap((group) => group.steps);
  const count = (type: PlanStep["type"]) => steps.filter((step) => step.type === type).length;
  const cuts = steps.reduce((sum, step) => addConnections(sum, step.cuts ?? NO_CONNECTIONS), NO_CONNECTIONS);
  return {
    version: PLAN_VERSION,
    basis,
    groups: groups.filter((group) => group.steps.length + group.notes.length > 0),
    configuration,
    summary: {
      add: count("add"),
      change: count("change"),
      remove: count("remove"),
      cuts,
      hasChanges: steps.length + configuration.length > 0,
    },
  };
}

/** A step by what it leads from and to. */
export function stepOf(
  subject: string,
  from: string | null,
  to: string | null,
  extra: { readonly cuts?: Connections; readonly remark?: string } = {},
): PlanStep {
  const type = from === null ? "add" : to === null ? "remove" : "change";
  return { type, subject, from, to, cuts: extra.cuts ?? null, remark: extra.remark ?? "" };
}

import type { IpText } from "../base/ip.ts";
import type { InstanceConfig } from "../config/model.ts";

/** The states as operators know them (RFC 9568 says Active for Master); `fault` is Initialize with a reason. */
export type Phase = "initialize" | "backup" | "master" | "fault";

/** What the state machine reads of the configuration. */
export type InstanceParameters = Pick<InstanceConfig, "priority" | "advertIntervalUs" | "preempt">;

/** The other router that was last heard as master. */
export interface HeardMaster {
  readonly address: IpText;
  readonly priority: number;
  readonly atUs: number;
}

/**
 * Why a master resigns: `stop` = the instance ends, `rest` = a person asked for it, `follow` = another member of its group
 * was taken over by a peer.
 */
export type ResignPurpose = "stop" | "rest" | "follow";

/** A resignation under way: the master has said priority 0 and serves on until it hears its successor. */
export interface Handover {
  readonly purpose: ResignPurpose;
  readonly sinceUs: number;
  /** How often priority 0 was sent, 1–3. */
  readonly releasesSent: number;
  /** When it is said again, or when the wait ends. */
  readonly deadlineUs: number;
}

/** After a handover: neighbours are told where the addresses are now, and a copy on the loopback serves what still arrives. */
export interface Farewell {
  readonly successor: IpText;
  readonly sinceUs: number;
  readonly deadlineUs: number;
}

/** A drill: this router, which was master, plays dead. */
export interface Silence {
  readonly sinceUs: number;
  /** Who was heard as master since; null = nobody yet. */
  readonly successor: IpText | null;
  /** Where nobody is heard by then, this router serves again. */
  readonly servedByUs: number;
  /** The dead man's return: nobody has ended the silence by then. */
  readonly untilUs: number;
}

/** Plain and serialisable; times are monotonic microseconds, null = not running. */
export interface InstanceState {
  readonly phase: Phase;
  readonly sinceUs: number;
  /** Why the instance is in this phase, as one clause. */
  readonly reason: string;
  /** Own primary address on the interface, the source of adverts; null while unknown. */
  readonly source: IpText | null;
  /** Master_Adver_Interval: the own one until a master was heard. */
  readonly masterAdvertUs: number;
  /** Active_Down_Timer, in backup. */
  readonly downDeadlineUs: number | null;
  /** Adver_Timer, in master. */
  readonly advertDeadlineUs: number | null;
  /** When an advert was last sent, in master. */
  readonly lastAdvertUs: number | null;
  /** The second burst of gratuitous ARPs, in master. */
  readonly announceDeadlineUs: number | null;
  /** The next try after the kernel refused: to install addresses in master, to remove them elsewhere. */
  readonly retryDeadlineUs: number | null;
  /** With `preempt: { delay }`: until then a living lower master is left alone. */
  readonly preemptDeadlineUs: number | null;
  /** When a burst last went out because somebody else spoke up; bounds such bursts. */
  readonly lastDefenceUs: number | null;
  /** When a lost address was last put back, in master; bounds a quarrel with whoever removes it. */
  readonly lastRestoreUs: number | null;
  /** Resigning, in master. */
  readonly handover: Handover | null;
  /** The rest of a handover, in every phase but master. */
  readonly farewell: Farewell | null;
  /** Asked to rest: leaves any living master alone, whatever its priority, until it is needed. */
  readonly isResting: boolean;
  /** Asked to take the address back from a lower master, whatever `preempt` says; in backup. */
  readonly isReclaiming: boolean;
  /** Playing dead for a drill, in fault. */
  readonly silence: Silence | null;
  /** The down timer fired long after its time and was started once more, to hear what was missed. */
  readonly isSecondLook: boolean;
  readonly heard: HeardMaster | null;
}

/** Why an instance cannot serve, as one clause: its interface, something tracked, or another member of its group. */
export type Fault = string;

/** Why the interface cannot be used; null = it can. */
export type InterfaceFault =
  | "interface is missing"
  | "interface is down"
  | "interface has no IPv4 address"
  | "interface cannot be opened";

export type InstanceEvent =
  /** The instance is configured and the interface's state is known. */
  | {
      readonly type: "start";
      readonly nowUs: number;
      /** The addresses are still there from a run that ended so short a time ago that no peer can have taken over. */
      readonly resumes: boolean;
      /** A run before was asked to rest, and still did when it was killed. */
      readonly isResting: boolean;
      readonly fault: Fault | null;
      readonly source: IpText | null;
    }
  /** End at once, without waiting for a successor. */
  | { readonly type: "shutdown"; readonly nowUs: number }
  /** Make way for a peer; a master goes on serving until it hears one. */
  | { readonly type: "resign"; readonly nowUs: number; readonly purpose: ResignPurpose }
  /** A drill: fall silent as if dead. Nothing happens unless it is master. */
  | { readonly type: "silence"; readonly nowUs: number; readonly forUs: number }
  /** Take the address back: the end of a silence and of a rest. */
  | { readonly type: "reclaim"; readonly nowUs: number; readonly preempts: boolean }
  /** Another member of the group became master: this one does as well. */
  | { readonly type: "join"; readonly nowUs: number; readonly reason: string }
  /** A deadline may have passed. */
  | { readonly type: "tick"; readonly nowUs: number }
  /** A valid advert of another router for this virtual router. */
  | {
      readonly type: "advert";
      readonly nowUs: number;
      readonly source: IpText;
      readonly priority: number;
      /** Advertised interval, microseconds; not read when the priority is 0. */
      readonly intervalUs: number;
    }
  /** The interface, something tracked or the group changed. */
  | {
      readonly type: "condition";
      readonly nowUs: number;
      readonly fault: Fault | null;
      readonly source: IpText | null;
    }
  /** Parameters or addresses changed while running; `step` is given the new ones. */
  | { readonly type: "reconfigured"; readonly nowUs: number; readonly addressesChanged: boolean }
  /** The kernel refused what a hold or release action asked for. */
  | { readonly type: "addressesRefused"; readonly nowUs: number }
  /** An address that is held was removed by somebody else. */
  | { readonly type: "addressLost"; readonly nowUs: number };

export type InstanceAction =
  /** Send one advert with this priority (0 = leaving). */
  | { readonly type: "sendAdvert"; readonly priority: number }
  /** Make the configured virtual addresses, and no other of this instance, present on the interface. Idempotent. */
  | { readonly type: "holdAddresses" }
  /** Remove the virtual addresses that holdfast made. Idempotent. */
  | { readonly type: "releaseAddresses" }
  /** Send a burst of gratuitous ARPs for every virtual address. */
  | { readonly type: "announce" }
  /** Keep copies of the addresses where they answer no ARP, so that frames on their way are still served. Idempotent. */
  | { readonly type: "shadowAddresses" }
  /** Remove those copies. Idempotent. */
  | { readonly type: "unshadowAddresses" }
  /** Send one gratuitous ARP for every virtual address in the name of the successor. */
  | { readonly type: "announceFor"; readonly successor: IpText }
  /** A resignation ended. With `successor` null nobody was heard, or something else came between, as `reason` says. */
  | {
      readonly type: "handoverEnded";
      readonly purpose: ResignPurpose;
      readonly successor: IpText | null;
      readonly tookUs: number;
      readonly reason: string;
    }
  /** A silent master hears who took over; with `successor` null the silence ended and nobody had been heard. */
  | {
      readonly type: "silenceAnswered";
      readonly successor: IpText | null;
      readonly tookUs: number;
      readonly reason: string;
    }
  /** The phase changed; logged and counted. */
  | ({ readonly type: "transition"; readonly from: Phase; readonly to: Phase } & TransitionCause)
  /** Something an operator should know that is no transition. */
  | { readonly type: "warn"; readonly code: WarningCode; readonly message: string };

/** Why a phase changed; stable, used as counter names in status. */
export type TransitionCode =
  /** The instance begins, or can serve again. */
  | "started"
  | "recovered"
  /** To master: it owns the address; a run before was master a moment ago. */
  | "owner"
  | "resumed"
  /** To master: nobody was ever heard; the master said goodbye, was of lower rank, or is not heard any more. */
  | "no_master"
  | "master_resigned"
  | "preempts"
  | "master_silent"
  /** To master: another member of the group became it. */
  | "group"
  /** From master: a peer wins; this process stood still; a successor was asked for and heard. */
  | "outranked"
  | "stalled"
  | "handed_over"
  /** It plays dead for a drill, or is back from that. */
  | "drill"
  /** It cannot serve, or is not to serve any more. */
  | "fault"
  | "stopped";

/** The same for counting and for people. */
export interface TransitionCause {
  readonly code: TransitionCode;
  readonly reason: string;
}

/** Stable, used as counter names in status. */
export const WARNING_CODES = ["split_brain", "address_lost", "stalled"] as const;

export type WarningCode = (typeof WARNING_CODES)[number];

export interface StepResult {
  readonly state: InstanceState;
  readonly actions: readonly InstanceAction[];
}

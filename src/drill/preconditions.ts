import type { DrillKind } from "./model.ts";

/** How an instance that is to be drilled stands, as its own process told last. */
export interface Standing {
  readonly name: string;
  readonly phase: "initialize" | "backup" | "master" | "fault";
  readonly reason: string;
  readonly isHandingOver: boolean;
  readonly addresses: readonly string[];
  /** Who was heard as master last. */
  readonly heard: { readonly address: string } | null;
}

export interface Situation {
  readonly kind: DrillKind;
  readonly instance: string;
  /** The instance and every other of its group that is known now. */
  readonly members: readonly Standing[];
  /** What keeps the director from being healthy. */
  readonly problems: readonly string[];
  /** Name of the instance of a drill under way. */
  readonly underWay: string | null;
}

/**
 * Why a drill is not to be begun: one sentence each, none = it may begin. That the address is served and that a peer is there
 * shows later, when the probe and the peer answer.
 */
export function objections({ instance, members, problems, underWay }: Situation): readonly string[] {
  if (underWay !== null) return [`a drill of ${underWay} is under way`];
  if (!members.some(({ name }) => name === instance))
    return [`there is no instance ${instance}, or its process is not running`];
  const found = members.flatMap((member) => objectionTo(member));
  if (problems.length > 0) found.push(`the director is degraded: ${problems.join("; ")}`);
  return found;
}

/** Whether another director is master of all of them, as far as is known: then the drill is for that one. */
export function isForPeer(members: readonly Standing[]): boolean {
  return members.length > 0 && members.every(({ phase }) => phase === "backup");
}

function objectionTo({ name, phase, reason, isHandingOver, heard }: Standing): string[] {
  if (isHandingOver) return [`instance ${name} is handing over`];
  if (phase === "master") return [];
  if (phase !== "backup") return [`instance ${name} is not master here but ${phase}: ${reason}`];
  const there = heard === null ? "on its master" : `on the master, ${heard.address}`;
  return [`instance ${name} is not master here but backup: run the drill ${there}`];
}

import type { IpText } from "../base/ip.ts";
import { compareIp } from "../base/ip.ts";
import { PRIORITY_RELEASE } from "./advert.ts";
import type { Fault, HeardMaster, Phase } from "./instance-model.ts";

/**
 * A member that heard nothing for this many of its master's intervals, in quarters, takes it for gone when another member had
 * to take over: the master advertises once an interval, and half of one is for lateness.
 */
const SILENT_QUARTERS = 6;
/** A member that gave way and found no successor serves on, and tries again after this long, or when it hears somebody. */
export const FOLLOW_RETRY_US = 60_000_000;

/** What the group looks at in one of its instances. */
export interface GroupMember {
  readonly name: string;
  readonly phase: Phase;
  /** When it entered that phase. */
  readonly sinceUs: number;
  /** Its own fault, without the group's. */
  readonly fault: Fault | null;
  readonly isHandingOver: boolean;
  readonly isResting: boolean;
  /** Whether it takes the addresses from a living master of lower rank at once (`preempt: true`). */
  readonly isPreempting: boolean;
  /** Effective priority and source of its adverts: its rank. */
  readonly priority: number;
  readonly source: IpText | null;
  /** The master it heard last; of a master, the one before it. */
  readonly heard: HeardMaster | null;
  readonly masterAdvertUs: number;
  /** When it last heard any advert, in whatever phase. */
  readonly heardUs: number | null;
  /** When it last gave way to follow the group and nobody succeeded. */
  readonly unfollowedUs: number | null;
}

export type GroupOrder =
  /** Become master. */
  | { readonly type: "join"; readonly member: string; readonly reason: string }
  /** Hand over: the group is master elsewhere. */
  | { readonly type: "follow"; readonly member: string };

/**
 * Why a member cannot serve although nothing is wrong with itself: another member cannot.
 * @returns the fault of the first other member that has one, or null
 */
export function groupFault(group: string, members: readonly GroupMember[], name: string): Fault | null {
  const faulty = members.find((member) => member.name !== name && member.fault !== null);
  return faulty === undefined ? null : `group ${group}: ${faulty.name}: ${faulty.fault}`;
}

/**
 * What the members are to be told, from where they stand now. The first member leads: its virtual router decides by the rules
 * of VRRP which director is master, and the others are to be master on the same one. Were every member to decide, two that
 * are decided differently (other priorities, addresses that break ties differently, a cable that only one of them uses) would
 * pull each other to and fro.
 *
 * Telling a member what it was told before changes nothing, and each order leads away from what caused it, so that looking
 * again until there are no more orders ends.
 * @param members in the order of the configuration, the leader first
 */
export function groupOrders(group: string, members: readonly GroupMember[], nowUs: number): readonly GroupOrder[] {
  const [leader] = members;
  if (leader === undefined || members.length === 1) return [];
  const serving = members.find(({ phase, isHandingOver }) => phase === "master" && !isHandingOver);
  if (leader.phase === "backup" && (serving === undefined || !canJoin(leader, serving, leader, nowUs)))
    return members
      .filter((member) => mustFollow(member, leader, nowUs))
      .map(({ name }) => ({ type: "follow", member: name }));
  if (serving === undefined) return [];
  return members
    .filter((member) => canJoin(member, serving, leader, nowUs))
    .map(({ name }) => ({
      type: "join",
      member: name,
      reason: `group ${group}: ${serving.name} is master here`,
    }));
}

/** Whether a backup may become master at once because another member is. */
function canJoin(member: GroupMember, serving: GroupMember, leader: GroupMember, nowUs: number): boolean {
  const { heard } = member;
  if (member.phase !== "backup") return false;
  if (heard === null || heard.priority === PRIORITY_RELEASE) return true;
  if (nowUs - heard.atUs >= (member.masterAdvertUs * SILENT_QUARTERS) / 4) return true;
  // A peer that released one member releases all; of this one the release may not have come through.
  if (serving.heard?.priority === PRIORITY_RELEASE && heard.atUs <= serving.sinceUs) return true;
  // Its master lives and would be outranked. The leader only preempts as it is configured.
  return outranks(member, heard) && (serving === leader || (member.isPreempting && !member.isResting));
}

function outranks(member: GroupMember, heard: HeardMaster): boolean {
  if (member.priority !== heard.priority) return member.priority > heard.priority;
  return member.source !== null && compareIp(member.source, heard.address) > 0;
}

/** Whether a master must make way because the leader accepts a master elsewhere, of which it has heard since. */
function mustFollow(member: GroupMember, leader: GroupMember, nowUs: number): boolean {
  const { heard } = leader;
  if (member.phase !== "master" || member.isHandingOver) return false;
  if (heard === null || heard.priority === PRIORITY_RELEASE || heard.atUs < member.sinceUs) return false;
  if (leader.isPreempting && !leader.isResting && outranks(leader, heard)) return false;
  const { unfollowedUs, heardUs } = member;
  if (unfollowedUs === null || nowUs - unfollowedUs >= FOLLOW_RETRY_US) return true;
  return heardUs !== null && heardUs > unfollowedUs;
}

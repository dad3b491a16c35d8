import type { GroupConfig, InstanceConfig } from "../config/model.ts";
import type { Clock } from "../ports/clock.ts";
import { groupFault, groupOrders } from "../vrrp/group.ts";
import { sharedTrackers, trackersOf } from "../vrrp/track.ts";
import type { InstancePlace } from "./instance-standing.ts";
import type { VrrpInstance } from "./vrrp-instance.ts";

/** What one order makes of a group is looked at again at once, this often at most: what is left over waits for the next event. */
const GROUP_ROUNDS_MAX = 10;

export interface GroupsConfig {
  readonly instances: readonly InstanceConfig[];
  /** Absent = none. */
  readonly groups?: readonly GroupConfig[];
}

export interface GroupsCollaborators {
  readonly clock: Clock;
  /** @returns undefined = it has not begun, or is leaving */
  running(name: string): VrrpInstance | undefined;
}

/** The groups of instances: who belongs together, and what members are told to do when something happened to one of them. */
export class InstanceGroups {
  readonly #with: GroupsCollaborators;
  #config: GroupsConfig = { instances: [] };
  /** While instances are told something, and whether something happened meanwhile. */
  #isSettling = false;
  #isUnsettled = false;

  constructor(collaborators: GroupsCollaborators) {
    this.#with = collaborators;
  }

  configure(config: GroupsConfig): void {
    this.#config = config;
  }

  /** Names of an instance and all others of its group, in the order of the group. */
  membersWith(name: string): readonly string[] {
    return this.#groupOf(name)?.instances ?? [name];
  }

  /** The members of the group that are configured, by the configuration: also those that have not begun or have not left yet. */
  placeOf({ name, track }: InstanceConfig): InstancePlace {
    const group = this.#groupOf(name);
    const own = trackersOf(name, track);
    if (group === undefined) return { trackers: sharedTrackers(own, [own]), group: null };
    const members = group.instances.flatMap((member) => this.#config.instances.filter((each) => each.name === member));
    return {
      trackers: sharedTrackers(
        own,
        members.map((member) => trackersOf(member.name, member.track)),
      ),
      group: { name: group.name, isLeader: group.instances[0] === name },
    };
  }

  /** Something happened to an instance that the others of its group may have to know. */
  changed(name: string): void {
    if (this.#groupOf(name) !== undefined) this.together(() => undefined);
  }

  /** Groups are looked at when everything that belongs together has been told. */
  together(tell: () => void): void {
    const isOutermost = !this.#isSettling;
    this.#isSettling = true;
    this.#isUnsettled = true;
    try {
      tell();
      for (let round = 0; isOutermost && this.#isUnsettled && round < GROUP_ROUNDS_MAX; round += 1) {
        this.#isUnsettled = false;
        for (const group of this.#config.groups ?? []) this.#settle(group);
      }
    } finally {
      if (isOutermost) this.#isSettling = false;
    }
  }

  #groupOf(name: string): GroupConfig | undefined {
    return this.#config.groups?.find(({ instances }) => instances.includes(name));
  }

  #settle(group: GroupConfig): void {
    const members = group.instances.flatMap((name) => this.#with.running(name) ?? []);
    if (members.length < 2) {
      for (const instance of members) instance.groupChanged(null);
      return;
    }
    const seen = members.map((instance) => instance.member());
    members.forEach((instance, index) => {
      instance.groupChanged(groupFault(group.name, seen, seen[index]?.name ?? ""));
    });
    const now = members.map((instance) => instance.member());
    for (const order of groupOrders(group.name, now, this.#with.clock.nowUs())) {
      const instance = members.find(({ config }) => config.name === order.member);
      if (order.type === "join") instance?.join(order.reason);
      else void instance?.resign("follow");
    }
  }
}

import { unreachable } from "../base/assert.ts";
import { type Cidr, formatCidr, type IpText } from "../base/ip.ts";
import type { KeyBytes } from "../config/keys.ts";
import type { InstanceConfig } from "../config/model.ts";
import type { InstanceStatus } from "../control/status.ts";
import type { Alarm, AlarmFactory, Clock } from "../ports/clock.ts";
import type { Logger } from "../ports/logger.ts";
import type { ReceivedPacket } from "../ports/packet-socket.ts";
import type { AdvertSlot } from "../sys/advert-memory.ts";
import { PRIORITY_RELEASE } from "../vrrp/advert.ts";
import type { GroupMember } from "../vrrp/group.ts";
import { nextDeadlineUs, step } from "../vrrp/instance.ts";
import type { Fault, InstanceAction, InstanceEvent, InstanceState, ResignPurpose } from "../vrrp/instance-model.ts";
import { dueTimers } from "../vrrp/lateness.ts";
import { csToUs } from "../vrrp/timing.ts";
import type { TrackFacts } from "../vrrp/track.ts";
import { initialState } from "../vrrp/transitions.ts";
import { AdvertExchange } from "./advert-exchange.ts";
import { InstanceAddresses } from "./instance-addresses.ts";
import type { HandoverReport, InstanceIo } from "./instance-io.ts";
import { type InstancePlace, InstanceStanding } from "./instance-standing.ts";
import { InstanceTally } from "./instance-tally.ts";
import { InstanceVoice } from "./instance-voice.ts";
import { Succession } from "./succession.ts";

export interface InstanceCollaborators {
  readonly clock: Clock;
  readonly alarms: AlarmFactory;
  readonly logger: Logger;
  readonly io: InstanceIo;
  /** Where the last advert is remembered beyond the end of this process. */
  readonly memory: AdvertSlot;
  readonly facts: TrackFacts;
  /** Called when there is something new to tell. */
  publish(status: InstanceStatus): void;
  /** Called when something happened that the others of its group may have to know. */
  changed(): void;
  /** Called once, when nothing is left to do after `resign("stop")`. */
  ended(): void;
}

/** How an instance goes on after a run that was killed. */
type StartAfter = Pick<Extract<InstanceEvent, { readonly type: "start" }>, "resumes" | "isResting">;

/** Runs the pure state machine of one instance on a real clock and interface. */
export class VrrpInstance {
  #config: InstanceConfig;
  readonly #standing: InstanceStanding;
  #state: InstanceState;
  /** Whether an event is being performed: the group is told when it has been. */
  #isFeeding = false;
  #source: IpText | null = null;
  #heardUs: number | null = null;
  readonly #with: InstanceCollaborators;
  readonly #alarm: Alarm;
  readonly #adverts: AdvertExchange;
  readonly #addresses: InstanceAddresses;
  readonly #succession: Succession;
  /** Source of the last advert: what a leaving master still says goodbye with when its address is gone. */
  #lastSource: IpText | null = null;
  #sinceWallMs: number;
  readonly #tally = new InstanceTally();
  readonly #voice: InstanceVoice;
  #isLeaving = false;
  /** Waiting packets are being fed before a tick. */
  #isLooking = false;
  #isShutDown = false;

  constructor(config: InstanceConfig, place: InstancePlace, collaborators: InstanceCollaborators) {
    this.#config = config;
    this.#standing = new InstanceStanding(config, place, collaborators.facts);
    this.#with = collaborators;
    this.#state = initialState(config, collaborators.clock.nowUs());
    this.#sinceWallMs = collaborators.clock.wallMs();
    this.#voice = new InstanceVoice(config, collaborators);
    this.#alarm = collaborators.alarms.create(() => this.#due());
    const { clock, io, memory } = collaborators;
    this.#adverts = new AdvertExchange(config, { clock, io, memory, tally: this.#tally, voice: this.#voice });
    this.#addresses = new InstanceAddresses(config, { io, voice: this.#voice });
    this.#succession = new Succession({ tally: this.#tally, voice: this.#voice });
  }

  get config(): InstanceConfig {
    return this.#config;
  }

  get phase(): InstanceState["phase"] {
    return this.#state.phase;
  }

  /** Whether nothing of a stopped instance is left to do. */
  get hasEnded(): boolean {
    return this.#state.phase === "initialize" && this.#state.farewell === null;
  }

  /** @param after what became of a run before */
  start(fault: Fault | null, source: IpText | null, after: StartAfter = { resumes: false, isResting: false }): void {
    this.#standing.interfaceFault = fault;
    this.#source = source;
    this.#judge();
    this.#feed({ type: "start", nowUs: this.#with.clock.nowUs(), ...after, fault: this.#standing.fault, source });
  }

  /** Tells peers, on behalf of a run that was killed, that nobody here serves: one takes over at once. */
  sayGone(): void {
    // One that owns the address serves it again already.
    if (this.#state.phase !== "master") this.#send(PRIORITY_RELEASE);
  }

  /** The interface changed. */
  conditionChanged(fault: Fault | null, source: IpText | null): void {
    this.#standing.interfaceFault = fault;
    this.#source = source;
    this.#tellCondition();
  }

  /** Something tracked may have changed. */
  factsChanged(): void {
    this.moved(this.#standing.place);
  }

  /** The others of the group can serve, or one of them cannot. */
  groupChanged(fault: Fault | null): void {
    if (this.#standing.groupChanged(fault)) this.#tellCondition();
  }

  /** Another group, or other things that count for it. */
  moved(place: InstancePlace): void {
    const before = this.#standing.fault;
    this.#standing.move(this.#config, place);
    this.#judge();
    if (this.#standing.fault !== before) this.#tellCondition();
  }

  #judge(): void {
    const news = this.#standing.judge();
    if (news === null) return;
    const { from, to, arithmetic } = news;
    this.#voice.say("notice", `effective priority ${from} -> ${to} = ${arithmetic}`, {
      from: `priority ${from}`,
      to: `priority ${to}`,
      cause: arithmetic,
    });
  }

  #tellCondition(): void {
    this.#feed({
      type: "condition",
      nowUs: this.#with.clock.nowUs(),
      fault: this.#standing.fault,
      source: this.#source,
    });
  }

  /** As the group sees it. */
  member(): GroupMember {
    const { phase, sinceUs, handover, isResting, source, heard, masterAdvertUs } = this.#state;
    return {
      name: this.#config.name,
      phase,
      sinceUs,
      fault: this.#standing.ownFault,
      isHandingOver: handover !== null,
      isResting,
      isPreempting: this.#config.preempt.mode === "always",
      priority: this.#standing.priority,
      source,
      heard,
      masterAdvertUs,
      heardUs: this.#heardUs,
      unfollowedUs: this.#succession.unfollowedUs,
    };
  }

  /** Another member of the group became master. */
  join(reason: string): void {
    this.#feed({ type: "join", nowUs: this.#with.clock.nowUs(), reason });
  }

  /**
   * Makes way for a peer, serving until one is heard.
   * @returns how it ended; at once where this instance is not master
   */
  resign(purpose: ResignPurpose): Promise<HandoverReport> {
    this.#isLeaving ||= purpose === "stop";
    if (this.#state.phase !== "master") {
      this.#feed({ type: "resign", nowUs: this.#with.clock.nowUs(), purpose });
      return Promise.resolve({ successor: null, tookUs: 0, reason: `it is not master here but ${this.#state.phase}` });
    }
    const ended = this.#succession.outcome();
    this.#feed({ type: "resign", nowUs: this.#with.clock.nowUs(), purpose });
    return ended;
  }

  /** Whether it can play dead for a drill: it serves, and is not about to hand over. */
  get canFallSilent(): boolean {
    return this.#state.phase === "master" && this.#state.handover === null;
  }

  /**
   * Plays dead for a drill; to be asked only where it can.
   * @param forUs the longest that it stays so, whoever forgets to end it
   * @returns who took over, or that the silence ended without anybody
   */
  fallSilent(forUs: number): Promise<HandoverReport> {
    const answered = this.#succession.outcome();
    this.#feed({ type: "silence", nowUs: this.#with.clock.nowUs(), forUs });
    return answered;
  }

  /** Ends a silence and a rest, and takes the address back from a lower master. */
  reclaim(): void {
    const { group } = this.#standing.place;
    const preempts = group === null || group.isLeader;
    this.#feed({ type: "reclaim", nowUs: this.#with.clock.nowUs(), preempts });
  }

  /** Ends a rest, and no more. Told at once: the next process starts at rest if this one did when it was last heard of. */
  wake(): void {
    this.#feed({ type: "reclaim", nowUs: this.#with.clock.nowUs(), preempts: false });
    this.#with.publish(this.status());
  }

  /** Whether this instance should serve an address that is not there, whoever put it there before. */
  servesMoreThan(isPresent: (address: Cidr) => boolean): boolean {
    return this.#addresses.servesMoreThan(isPresent);
  }

  addressLost(): void {
    this.#feed({ type: "addressLost", nowUs: this.#with.clock.nowUs() });
  }

  /** The bytes of the keys that the configuration names; it may name others in the same turn. */
  rekey(keys: readonly KeyBytes[]): void {
    this.#adverts.rekey(keys);
  }

  reconfigure(config: InstanceConfig, place: InstancePlace): void {
    const before = JSON.stringify({ ...this.#config, hmac: null });
    this.#config = config;
    this.#voice.reconfigure(config);
    this.#adverts.configure(config);
    const addressesChanged = this.#addresses.configure(config);
    this.moved(place);
    // How adverts are signed is nothing to the state machine: no timer starts anew and no advert goes out of turn.
    if (JSON.stringify({ ...config, hmac: null }) === before) return;
    this.#feed({ type: "reconfigured", nowUs: this.#with.clock.nowUs(), addressesChanged });
  }

  /** Leaves at once; afterwards nothing of the instance is left on the interface. */
  shutdown(): void {
    this.#isLeaving = false;
    this.#isShutDown = true;
    this.#feed({ type: "shutdown", nowUs: this.#with.clock.nowUs() });
    this.#with.io.release();
    this.#with.io.unshadow();
    this.#alarm.close();
  }

  receive(packet: ReceivedPacket): void {
    const nowUs = this.#with.clock.nowUs();
    const advert = this.#adverts.receive(packet, this.#state.source, this.#standing.priority);
    if (advert === null) return;
    this.#heardUs = nowUs;
    const { priority, intervalCs } = advert;
    this.#feed({ type: "advert", nowUs, source: packet.source, priority, intervalUs: csToUs(intervalCs) });
  }

  status(): InstanceStatus {
    const { clock } = this.#with;
    const { heard } = this.#state;
    const agoMs = (atUs: number) => (clock.nowUs() - atUs) / 1000;
    return {
      name: this.#config.name,
      interface: this.#config.interface,
      vrid: this.#config.vrid,
      transport: this.#config.transport.type,
      isSigned: this.#adverts.isSigning,
      phase: this.#state.phase,
      since: new Date(this.#sinceWallMs).toISOString(),
      reason: this.#state.reason,
      priority: this.#standing.priority,
      basePriority: this.#config.priority,
      priorityText: this.#standing.arithmetic,
      track: this.#standing.parts,
      group: this.#standing.place.group?.name ?? null,
      advertIntervalUs: this.#config.advertIntervalUs,
      isResting: this.#state.isResting,
      isHandingOver: this.#state.handover !== null,
      isSilent: this.#state.silence !== null,
      source: this.#state.source,
      addresses: this.#config.addresses.map(formatCidr),
      held: this.#addresses.held,
      refused: this.#addresses.refused,
      heard:
        heard === null
          ? null
          : {
              address: heard.address,
              priority: heard.priority,
              at: new Date(clock.wallMs() - agoMs(heard.atUs)).toISOString(),
            },
      counters: this.#tally.counters(this.#with.io.strayPackets()),
      lateness: this.#tally.lateness(),
    };
  }

  #due(): void {
    if (this.#isLooking) return;
    const due = dueTimers(this.#state, this.#with.clock.nowUs());
    for (const [kind, us] of due) this.#tally.late(kind, us);
    const lateUs = Math.max(0, ...due.map(([, us]) => us));
    // After a stalled callback an advert may already wait: one that forbids a takeover, or one of whoever took over from us.
    const { phase, handover, silence } = this.#state;
    const isAboutToTakeOver = phase === "backup" || handover !== null || silence !== null;
    const mustLook = isAboutToTakeOver || lateUs >= this.#config.advertIntervalUs;
    const looked = mustLook ? this.#with.io.drain() : undefined;
    if (looked === undefined) {
      this.#tick();
      return;
    }
    this.#isLooking = true;
    void looked.then(() => {
      this.#isLooking = false;
      if (!this.#isShutDown) this.#tick();
    });
  }

  #tick(): void {
    this.#feed({ type: "tick", nowUs: this.#with.clock.nowUs() });
  }

  #feed(event: InstanceEvent): void {
    const isOutermost = !this.#isFeeding;
    this.#isFeeding = true;
    this.#advance(event);
    if (!isOutermost) return;
    this.#isFeeding = false;
    this.#with.changed();
  }

  #advance(event: InstanceEvent): void {
    const before = this.#state;
    const { state, actions } = step(this.#standing.parameters(before.phase), before, event);
    this.#state = state;
    if (state.source !== null) this.#lastSource = state.source;
    if (state.phase !== before.phase) this.#voice.stateChanged();
    else if (state.heard?.address !== before.heard?.address) this.#voice.masterChanged();
    for (const action of actions) this.#perform(action);
    if (state.phase !== "master") this.#with.memory.forget();
    if (state.phase !== before.phase) this.#with.publish(this.status());
    if (this.#isLeaving && this.hasEnded) {
      this.#isLeaving = false;
      this.#with.ended();
      return;
    }
    const deadlineUs = nextDeadlineUs(this.#state);
    if (deadlineUs === undefined) this.#alarm.disarm();
    else this.#alarm.arm(deadlineUs);
  }

  #perform(action: InstanceAction): void {
    const addresses = this.#addresses;
    switch (action.type) {
      case "sendAdvert":
        this.#send(action.priority);
        break;
      case "holdAddresses":
        if (!addresses.hold()) this.#addressesRefused();
        break;
      case "releaseAddresses":
        if (!addresses.release()) this.#addressesRefused();
        break;
      case "announce":
        addresses.announce();
        break;
      case "shadowAddresses":
        addresses.shadow();
        break;
      case "unshadowAddresses":
        addresses.unshadow();
        break;
      case "announceFor":
        addresses.announceFor(action.successor);
        break;
      case "handoverEnded":
        this.#succession.handoverEnded(action, this.#state.phase, this.#with.clock.nowUs());
        break;
      case "silenceAnswered":
        this.#succession.silenceAnswered(action);
        break;
      case "warn":
        this.#tally.event(action.code);
        this.#voice.warning(action);
        break;
      case "transition":
        this.#sinceWallMs = this.#with.clock.wallMs();
        this.#tally.transition(action);
        this.#voice.transition(action);
        break;
      default:
        unreachable(action);
    }
  }

  #send(priority: number): void {
    const source = this.#state.source ?? this.#lastSource;
    if (source === null) return;
    const errno = this.#adverts.send(priority, source);
    // The next advert repairs it; on a dead interface a goodbye cannot be sent and need not be.
    if (errno !== 0 && this.#state.phase === "master")
      this.#voice.once(
        "send",
        "warning",
        `an advert could not be sent (errno ${errno}); the next one is tried as usual`,
      );
  }

  #addressesRefused(): void {
    this.#feed({ type: "addressesRefused", nowUs: this.#with.clock.nowUs() });
  }
}

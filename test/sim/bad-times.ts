import assert from "node:assert/strict";
import { DirectorError } from "../../src/base/director-error.ts";
import { VRRP_GROUP_IPV4 } from "../../src/vrrp/advert.ts";
import { usToCs } from "../../src/vrrp/timing.ts";
import type { VirtualDirector } from "../support/virtual-director.ts";
import { resignUs } from "./bounds.ts";
import { Forger } from "./forger.ts";
import { type Scene, settle, VIP_CIDR } from "./scene.ts";

/** Directors are cut, flapped, stopped and so on this often before everything is whole again. */
const FAULTS = 30;
const FAREWELL_US = 1_000_000;
/** A way this much longer than it was a moment ago turns the order of frames round. */
const JITTER_US = 40_000;

/** What may befall; what matters most stands here more than once. */
const KINDS = [
  "loss",
  "duplicate",
  "jitter",
  "one-way",
  "cut",
  "flap",
  "crash",
  "stop",
  "stop",
  "stop-at-once",
  "stall",
  "stall",
  "new-device",
  "lost-address",
  "refuse",
  "reload",
  "move",
  "handover",
  "handover",
  "handover",
  "forge",
  "forge",
  "mend",
] as const;
type Fault = (typeof KINDS)[number];

/** A handover or a stop that was asked for, and must have ended by a certain time. */
interface Promised {
  readonly director: VirtualDirector;
  readonly isStop: boolean;
  dueUs: number;
  hasEnded: boolean;
}

/** Everything that may go wrong, one thing after another, and in the end everything whole again. */
export class BadTimes {
  readonly #scene: Scene;
  readonly #forger: Forger;
  /** Processes that do not run. */
  readonly #down = new Set<VirtualDirector>();
  /** As many as there were handovers and stops at most. */
  #promised: Promised[] = [];

  constructor(scene: Scene) {
    this.#scene = scene;
    this.#forger = new Forger(scene.dice, [scene.baseUs, 2 * scene.baseUs, 10_000].map(usToCs));
  }

  async run(): Promise<void> {
    const { dice, time, directors, baseUs } = this.#scene;
    for (const director of directors) {
      time.advance(dice.between(0, baseUs));
      this.#scene.boot(director);
    }
    for (let fault = 0; fault < FAULTS; fault += 1) {
      this.#befall(dice.pick(KINDS), dice.pick(directors));
      await settle();
      time.advance(dice.roll() < 0.3 ? dice.between(0, 30_000) : dice.between(0, 3 * baseUs));
      if (this.#scene.hasSilences && dice.roll() < 0.4) this.#playDead(dice.pick(directors));
      await settle();
      this.#takeStock();
    }
    this.#heal();
    await settle();
  }

  #befall(kind: Fault, director: VirtualDirector): void {
    const { dice, time } = this.#scene;
    const { name } = director;
    this.#scene.tell(`${kind} ${name}`);
    if (kind === "loss") this.#scene.lossPercent = dice.pick([0, 10, 40]);
    else if (kind === "duplicate") this.#scene.duplicatePercent = dice.pick([0, 30]);
    else if (kind === "jitter") this.#scene.jitterUs = dice.pick([0, JITTER_US]);
    else if (kind === "one-way") this.#scene.blocked.add(`${name}>${dice.pick(this.#scene.directors).name}`);
    else if (kind === "mend") this.#scene.blocked.clear();
    else if (kind === "cut") director.cable = !director.cable;
    else if (kind === "flap" && director.hasLink) director.setLink({ isUp: dice.roll() < 0.5 });
    else if (kind === "flap") director.setLink({ isUp: true, index: director.nextIndex() });
    else if (kind === "crash") this.#crash(director);
    else if (kind === "new-device") this.#newDevice(director);
    else if (kind === "lost-address") director.loseAddress(VIP_CIDR);
    else if (kind === "refuse") this.#refuse(director);
    else if (kind === "forge") this.#forge(director);
    else if (kind === "stall" && director.isStalled) this.#resume(director);
    else if (kind === "stall") director.stall();
    else if (director.isStalled || this.#down.has(director)) this.#scene.tell(`${name} cannot hear`);
    else if (kind === "stop") this.#stop(director);
    else if (kind === "stop-at-once") this.#stopAtOnce(director);
    else if (kind === "handover") this.#handover(director, time.nowUs() + resignUs(this.#scene.slowestUs));
    else if (this.#isStopping(director)) this.#scene.tell(`${name} is about to end`);
    else if (kind === "move" && this.#scene.hasMoves)
      this.#scene.reload(director, { vrid: 103 - this.#scene.configOf(director).vrid });
    else this.#scene.reload(director, this.#scene.draw());
  }

  /** A drill begins, or somebody ends one; whoever is not master cannot begin. */
  #playDead(director: VirtualDirector): void {
    const { dice, baseUs } = this.#scene;
    if (director.isStalled || this.#down.has(director) || this.#isStopping(director)) return;
    const isEnd = dice.roll() < 0.3;
    this.#scene.tell(`${isEnd ? "reclaim" : "silence"} ${director.name}`);
    const refused = (error: unknown) => assert.ok(error instanceof DirectorError && error.code === "CONTROL_REFUSED");
    if (!isEnd) void director.act((router) => router.silence("web4", dice.between(baseUs, 12 * baseUs))).catch(refused);
    else {
      try {
        director.act((router) => router.reclaim("web4"));
      } catch (error) {
        refused(error);
      }
    }
  }

  #crash(director: VirtualDirector): void {
    if (this.#down.delete(director)) this.#scene.boot(director);
    else this.#gone(director);
  }

  #gone(director: VirtualDirector): void {
    director.crash();
    this.#down.add(director);
    this.#promised = this.#promised.filter((promised) => promised.director !== director);
  }

  #resume(director: VirtualDirector): void {
    const { time, dice } = this.#scene;
    this.#scene.conductOf(director).excuse(this.#scene.configOf(director).advertIntervalUs);
    // Everything of its own is as much later as it stood still; at most the whole time anew.
    for (const promised of this.#promised) {
      if (promised.director === director) promised.dueUs = time.nowUs() + this.#boundUs(promised.isStop);
    }
    director.resume(dice.roll() < 0.5);
  }

  #boundUs(isStop: boolean): number {
    const { slowestUs, time } = this.#scene;
    return resignUs(slowestUs) + (isStop ? FAREWELL_US : 0) + 8 * time.alarmLateUs;
  }

  #handover(director: VirtualDirector, dueUs: number): void {
    const promised = this.#promise(director, false);
    promised.dueUs = dueUs + 8 * this.#scene.time.alarmLateUs;
    void director
      .act((router) => router.handover("web4"))
      .then(
        () => {
          promised.hasEnded = true;
        },
        (error) => {
          // A node that stops, or moves to another virtual router, has no such instance just now.
          promised.hasEnded = error instanceof DirectorError && error.code === "CONTROL_REFUSED";
        },
      );
  }

  /** Make before break; asked again, at once. */
  #stop(director: VirtualDirector): void {
    if (this.#isStopping(director)) {
      this.#stopAtOnce(director);
      return;
    }
    const promised = this.#promise(director, true);
    void director
      .act((router) => router.stop())
      .then(() => {
        promised.hasEnded = true;
      });
  }

  #stopAtOnce(director: VirtualDirector): void {
    director.act((router) => router.shutdown());
    this.#ended(director);
  }

  #ended(director: VirtualDirector): void {
    // What the kernel would not remove is left for the next start.
    if (!director.refuseRemoval) this.#scene.assertNothingLeft(director);
    this.#gone(director);
  }

  #promise(director: VirtualDirector, isStop: boolean): Promised {
    const dueUs = this.#scene.time.nowUs() + this.#boundUs(isStop);
    const promised: Promised = { director, isStop, dueUs, hasEnded: false };
    this.#promised.push(promised);
    return promised;
  }

  #isStopping(director: VirtualDirector): boolean {
    return this.#promised.some((promised) => promised.director === director && promised.isStop);
  }

  #takeStock(): void {
    const nowUs = this.#scene.time.nowUs();
    for (const { director, isStop, dueUs, hasEnded } of this.#promised) {
      const what = isStop ? "stop" : "handover";
      assert.ok(hasEnded || director.isStalled || nowUs <= dueUs, `the ${what} of ${director.name} does not end`);
      if (hasEnded && isStop) this.#ended(director);
    }
    this.#promised = this.#promised.filter(({ hasEnded }) => !hasEnded);
  }

  #newDevice(director: VirtualDirector): void {
    const kind = this.#scene.dice.pick(["deleted", "renamed", "replaced"]);
    if (kind === "deleted") director.setLink(null);
    else if (kind === "renamed") director.rename();
    else director.setLink({ index: director.nextIndex() });
  }

  #refuse(director: VirtualDirector): void {
    const { dice } = this.#scene;
    director.refuseAddresses = dice.roll() < 0.4;
    director.refuseSockets = dice.roll() < 0.3;
  }

  /** Some packets at once, as a flood comes. */
  #forge(director: VirtualDirector): void {
    const { dice, directors } = this.#scene;
    for (let count = dice.between(1, 5); count > 0; count -= 1) {
      const packet = this.#forger.forge(dice.pick(directors).address);
      this.#scene.tell(
        `to ${director.name} from ${packet.source} ttl ${packet.ttl}: ${packet.message.toString("hex")}`,
      );
      assert.ok(packet.destination === VRRP_GROUP_IPV4 || packet.ttl === 255);
      director.arrive(packet);
    }
  }

  #heal(): void {
    const scene = this.#scene;
    scene.tell("whole again");
    scene.lossPercent = 0;
    scene.duplicatePercent = 0;
    scene.jitterUs = 0;
    scene.blocked.clear();
    for (const director of scene.directors) {
      director.cable = true;
      director.refuseAddresses = false;
      director.refuseSockets = false;
      director.setLink(director.hasLink ? { isUp: true } : { isUp: true, index: director.nextIndex() });
      if (director.isStalled) this.#resume(director);
      if (this.#isStopping(director)) this.#stopAtOnce(director);
      if (this.#down.delete(director)) scene.boot(director);
      if (scene.configOf(director).vrid !== 51) scene.reload(director, { vrid: 51 });
      if (director.states.get("instance/web4")?.isSilent === true) director.act((router) => router.reclaim("web4"));
    }
  }
}

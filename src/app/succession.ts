import type { InstanceAction, Phase } from "../vrrp/instance-model.ts";
import type { HandoverReport } from "./instance-io.ts";
import type { InstanceTally } from "./instance-tally.ts";
import type { InstanceVoice } from "./instance-voice.ts";

type HandoverEnded = Extract<InstanceAction, { readonly type: "handoverEnded" }>;
type SilenceAnswered = Extract<InstanceAction, { readonly type: "silenceAnswered" }>;

export interface SuccessionCollaborators {
  readonly tally: InstanceTally;
  readonly voice: InstanceVoice;
}

/** Who follows an instance that makes way, or plays dead: who waits to hear of it, and what is said where nobody does. */
export class Succession {
  readonly #with: SuccessionCollaborators;
  /** Bounded by the commands under way. */
  #awaiting: ((report: HandoverReport) => void)[] = [];
  #unfollowedUs: number | null = null;

  constructor(collaborators: SuccessionCollaborators) {
    this.#with = collaborators;
  }

  /** When nobody last followed, although the group is master elsewhere; null = that has not been. */
  get unfollowedUs(): number | null {
    return this.#unfollowedUs;
  }

  /** How the resignation or the silence that begins now ends. */
  outcome(): Promise<HandoverReport> {
    return new Promise((resolve) => this.#awaiting.push(resolve));
  }

  /** @param phase what the instance is after it */
  handoverEnded({ purpose, successor, tookUs, reason }: HandoverEnded, phase: Phase, nowUs: number): void {
    const { tally, voice } = this.#with;
    tally.handovers += successor === null ? 0 : 1;
    if (successor === null && purpose === "rest")
      voice.say("warning", `handover failed, this node serves on: ${reason}`, {
        from: "handing over",
        to: "master",
        cause: `handover failed, this node serves on: ${reason}`,
      });
    if (successor === null && purpose === "follow" && phase === "master") {
      this.#unfollowedUs = nowUs;
      const sentence = `its group is master elsewhere, but ${reason}; this node serves on`;
      voice.repeat("unfollowed", "warning", sentence, { from: "handing over", to: "master", cause: sentence });
    }
    this.#answer({ successor, tookUs, reason });
  }

  silenceAnswered({ successor, tookUs, reason }: SilenceAnswered): void {
    if (successor === null) this.#with.voice.say("warning", `drill: no successor: ${reason}`);
    else this.#with.voice.say("notice", `drill: ${reason}`);
    this.#answer({ successor, tookUs, reason });
  }

  #answer(report: HandoverReport): void {
    const waiting = this.#awaiting;
    this.#awaiting = [];
    for (const tell of waiting) tell(report);
  }
}

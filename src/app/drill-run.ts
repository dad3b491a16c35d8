import { type DrillAction, type DrillEvent, type DrillState, initialDrill, stepDrill } from "../drill/drill.ts";
import type { DrillSettings, Sample } from "../drill/model.ts";
import { parseProbeLine } from "../drill/probe-lines.ts";
import type { ReplyOutcome } from "../ipc/messages.ts";
import type { Alarm, AlarmFactory, Clock } from "../ports/clock.ts";
import type { ProbeRun, ProbeSource } from "./drill-probe.ts";
import type { HandoverReply, VrrpCommands } from "./messages.ts";

/** More would be an hour at a millisecond: no drill takes that long. */
const MAX_SAMPLES = 200_000;
/** How often a drill is looked at when nothing happens. */
const TICK_US = 50_000;

export interface DrillRunCollaborators {
  readonly clock: Clock;
  readonly alarms: AlarmFactory;
  readonly source: ProbeSource;
  command<Name extends keyof VrrpCommands>(name: Name, argument: VrrpCommands[Name]): Promise<ReplyOutcome>;
  /** How often in sum this director has become master of the members, as was told last; null = it is not master of all now. */
  masterships(): number | null;
}

/** What a drill left to be judged. */
export interface DrillOutcome {
  readonly state: DrillState;
  readonly samples: readonly Sample[];
}

/** Runs one drill: performs what the pure course asks for, and tells it what became of it. */
export class DrillRun {
  readonly #settings: DrillSettings;
  readonly #with: DrillRunCollaborators;
  readonly #alarm: Alarm;
  /** Bounded by MAX_SAMPLES. */
  readonly #samples: Sample[] = [];
  readonly #finished: Promise<DrillOutcome>;
  #finish: (outcome: DrillOutcome) => void = () => undefined;
  #state: DrillState;
  #probe: ProbeRun | null = null;
  #isAsking = false;
  /** When the address was last given away. */
  #mastershipsBefore = 0;

  constructor(settings: DrillSettings, collaborators: DrillRunCollaborators) {
    this.#settings = settings;
    this.#with = collaborators;
    this.#state = initialDrill(collaborators.clock.nowUs());
    this.#finished = new Promise((resolve) => {
      this.#finish = resolve;
    });
    this.#alarm = collaborators.alarms.create(() => this.#tick());
  }

  run(): Promise<DrillOutcome> {
    this.#feed({ type: "begin", nowUs: this.#nowUs() });
    this.#tick();
    return this.#finished;
  }

  get phase(): DrillState["phase"] {
    return this.#state.phase;
  }

  /** The state of an instance changed. */
  standingChanged(): void {
    // News of having the address may be older than the order to give it away: a new mastership counts.
    const masterships = this.#with.masterships();
    const isMaster = masterships !== null && masterships > this.#mastershipsBefore;
    this.#feed({ type: "standing", nowUs: this.#nowUs(), isMaster });
  }

  /** The director stops, or the vrrp process is gone. */
  abort(reason: string): void {
    this.#feed({ type: "abort", nowUs: this.#nowUs(), reason });
  }

  #nowUs(): number {
    return this.#with.clock.nowUs();
  }

  #tick(): void {
    this.#feed({ type: "tick", nowUs: this.#nowUs() });
    if (this.phase !== "done") this.#alarm.arm(this.#nowUs() + TICK_US);
  }

  #feed(event: DrillEvent): void {
    const { state, actions } = stepDrill(this.#settings, this.#state, event);
    this.#state = state;
    for (const action of actions) this.#perform(action);
  }

  #perform(action: DrillAction): void {
    const { instance, probe } = this.#settings;
    switch (action.type) {
      case "startProbe":
        this.#isAsking = true;
        this.#probe = this.#with.source.start(probe, {
          onLine: (line) => this.#read(line),
          onEnd: (reason) => this.#probeEnded(reason),
        });
        break;
      case "endProbe":
        if (this.#isAsking) this.#probe?.end();
        else this.#feed({ type: "probeEnded", nowUs: this.#nowUs(), reason: "it had ended" });
        break;
      case "handOver":
        this.#mastershipsBefore = this.#with.masterships() ?? 0;
        void this.#move(this.#with.command("handover", instance));
        break;
      case "fallSilent":
        this.#mastershipsBefore = this.#with.masterships() ?? 0;
        void this.#move(this.#with.command("silence", { instance, forUs: action.forUs }));
        break;
      case "reclaim":
        // Where nobody takes the command, the course notices that the address does not come back.
        void this.#with.command("reclaim", instance).then(() => this.standingChanged());
        break;
      case "finish":
        this.#alarm.close();
        this.#probe?.kill();
        this.#finish({ state: this.#state, samples: this.#samples });
        break;
    }
  }

  async #move(command: Promise<ReplyOutcome>): Promise<void> {
    const outcome = await command;
    const nowUs = this.#nowUs();
    // It was called off meanwhile, too early to ask for the address back.
    if (this.phase === "done") void this.#with.command("reclaim", this.#settings.instance);
    else if (outcome.ok) this.#feed({ type: "moved", nowUs, moves: outcome.value as HandoverReply });
    else if (outcome.code === "CONTROL_REFUSED") this.#feed({ type: "notMoved", nowUs, reason: outcome.message });
    // It may have begun: whoever did not answer is not known to have done nothing.
    else this.#feed({ type: "abort", nowUs, reason: outcome.message });
  }

  #read(text: string): void {
    const line = parseProbeLine(text);
    if (!line.ok) {
      this.#probeEnded(line.error);
      this.#probe?.kill();
      return;
    }
    if (line.value.type !== "sample") return;
    if (this.#samples.length >= MAX_SAMPLES) {
      this.abort(`more than ${MAX_SAMPLES} questions were asked`);
      return;
    }
    const { id, sentUs, tookUs, reason } = line.value;
    const sample = { id, sentUs, tookUs, reason };
    this.#samples.push(sample);
    this.#feed({ type: "samples", nowUs: this.#nowUs(), samples: [sample] });
  }

  #probeEnded(reason: string): void {
    if (!this.#isAsking) return;
    this.#isAsking = false;
    this.#feed({ type: "probeEnded", nowUs: this.#nowUs(), reason });
  }
}

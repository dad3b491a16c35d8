import { formatDurationUs } from "../base/duration.ts";
import type { ProbeSettings } from "../drill/model.ts";
import type { Viewpoint } from "../drill/report.ts";
import { type LineProcessEvents, startLineProcess } from "../sys/line-process.ts";

/** Where the questions of a drill come from. */
export interface ProbeSource {
  readonly viewpoint: Viewpoint;
  start(settings: ProbeSettings, events: LineProcessEvents): ProbeRun;
}

/** A probe that asks. */
export interface ProbeRun {
  /** Ask nothing more: the answers that are still to come, and then the end, are told as before. */
  end(): void;
  /** Nobody listens any more. */
  kill(): void;
}

/** A program that is run without a shell, with the words of `holdfast probe` behind its own. */
export function programSource(command: readonly [string, ...string[]], viewpoint: Viewpoint): ProbeSource {
  return {
    viewpoint,
    start: ({ target, everyUs, timeoutUs }, events) => {
      const pace = ["--every", formatDurationUs(everyUs), "--timeout", formatDurationUs(timeoutUs)];
      return startLineProcess([...command, target, ...pace, "--until-eof"], events);
    },
  };
}

/** Asked by this director itself. */
export function localSource(program: string): ProbeSource {
  return programSource([process.execPath, program, "probe"], { from: "this host", isLocal: true });
}

/** Lines that somebody else brings, through the control socket; bounded by how long it may say nothing. */
export class BroughtLines implements ProbeSource {
  readonly viewpoint: Viewpoint;
  readonly #silentAfterMs: number;
  #events: LineProcessEvents | null = null;
  #isWanted = true;
  #patience: NodeJS.Timeout | undefined;

  constructor(viewpoint: Viewpoint, silentAfterMs: number) {
    this.viewpoint = viewpoint;
    this.#silentAfterMs = silentAfterMs;
  }

  start(_settings: ProbeSettings, events: LineProcessEvents): ProbeRun {
    this.#events = events;
    this.#wait();
    return {
      end: () => {
        this.#isWanted = false;
      },
      kill: () => this.#finish(null),
    };
  }

  /**
   * @param ended how the prober ended, null = it goes on
   * @returns whether more is wanted
   */
  bring(lines: readonly string[], ended: string | null): boolean {
    for (const line of lines) this.#events?.onLine(line);
    if (ended !== null) this.#finish(ended);
    else this.#wait();
    return this.#isWanted && this.#events !== null;
  }

  #wait(): void {
    clearTimeout(this.#patience);
    this.#patience = setTimeout(() => this.#finish("whoever brought its lines fell silent"), this.#silentAfterMs);
  }

  #finish(reason: string | null): void {
    clearTimeout(this.#patience);
    const events = this.#events;
    this.#events = null;
    if (reason !== null) events?.onEnd(reason);
  }
}

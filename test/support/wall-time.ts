const { Date: RealDate, setTimeout: realSetTimeout, clearTimeout: realClearTimeout } = globalThis;

interface Waiting {
  readonly dueMs: number;
  readonly run: () => void;
}

/** The wall clock and setTimeout of whatever runs in this process, moved by hand: for a library that knows no other clock. */
export class WallTime {
  #nowMs: number;
  /** Bounded by what the test starts. */
  readonly #waiting = new Map<object, Waiting>();

  constructor(iso: string) {
    this.#nowMs = RealDate.parse(iso);
    const now = () => this.#nowMs;
    class FakeDate extends RealDate {
      constructor(...args: readonly unknown[]) {
        super(...((args.length === 0 ? [now()] : args) as [number]));
      }
      static override now(): number {
        return now();
      }
    }
    globalThis.Date = FakeDate as DateConstructor;
    globalThis.setTimeout = ((run: () => void, ms = 0) => {
      const handle = { unref: () => handle, ref: () => handle };
      this.#waiting.set(handle, { dueMs: this.#nowMs + Math.max(1, ms), run });
      return handle;
    }) as unknown as typeof setTimeout;
    globalThis.clearTimeout = ((handle: object) => {
      if (!this.#waiting.delete(handle) && handle instanceof Object) realClearTimeout(handle as NodeJS.Timeout);
    }) as typeof clearTimeout;
  }

  /** Everybody gets turns in between, as while a process runs. */
  async pass(ms: number): Promise<void> {
    const endMs = this.#nowMs + ms;
    for (;;) {
      const [next] = [...this.#waiting].sort(([, a], [, b]) => a.dueMs - b.dueMs);
      if (next === undefined || next[1].dueMs > endMs) break;
      this.#waiting.delete(next[0]);
      this.#nowMs = Math.max(this.#nowMs, next[1].dueMs);
      next[1].run();
      for (let turn = 0; turn < 3; turn += 1) await new Promise((resolve) => setImmediate(resolve));
    }
    this.#nowMs = endMs;
  }

  /** The process gets no turn until then. */
  jump(iso: string): void {
    this.#nowMs = RealDate.parse(iso);
  }

  end(): void {
    globalThis.Date = RealDate;
    globalThis.setTimeout = realSetTimeout;
    globalThis.clearTimeout = realClearTimeout;
  }
}

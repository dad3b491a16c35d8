import { createContext, Script } from "node:vm";

/** Regular expressions see at most this much of a body. */
export const MAX_PATTERN_BYTES = 65_536;

/** An honest pattern needs far less on 64 KiB; one that backtracks without end would stop every other check. */
const MAX_MATCH_MS = 50;
/** A pattern that ran away rests for this many times what it cost: it takes at most one part in a hundred of a core. */
const REST_FACTOR = 100;

/**
 * V8 can interrupt a running regular expression, but only when it runs under a script's timeout: 70 µs per match, so
 * all of a process's patterns share one context and pay that only when a body is matched.
 */
const sandbox: { pattern: RegExp; text: string } = { pattern: /(?:)/, text: "" };
const context = createContext(sandbox);
const script = new Script("pattern.test(text)");

export type MatchResult = "found" | "absent" | "slow";

/** What a match runs on; tests put their own in its place. */
export interface PatternEngine {
  /** @throws when it takes longer than `limitMs` by the clock on the wall */
  run(pattern: RegExp, text: string, limitMs: number): boolean;
  /** Processor time that this process has used, milliseconds. */
  cpuMs(): number;
}

const ENGINE: PatternEngine = {
  run(pattern, text, limitMs) {
    sandbox.pattern = pattern;
    sandbox.text = text;
    try {
      return script.runInContext(context, { timeout: limitMs }) as boolean;
    } finally {
      sandbox.text = "";
    }
  },
  cpuMs() {
    const { user, system } = process.cpuUsage();
    return (user + system) / 1_000;
  },
};

/** A match that was cut short while this process did not get to run is tried again, so many times in all. */
const MAX_TRIES = 3;
/** Using less than this part of the time that passed, the process was waiting for a processor, not matching. */
const BUSY_PART = 0.8;

/** A regular expression from the configuration, safe to run on what a server sent. Share one per pattern text. */
export class BodyPattern {
  readonly source: string;
  readonly #pattern: RegExp;
  readonly #engine: PatternEngine;
  #restsUntilMs = 0;

  /** @throws SyntaxError for a bad pattern; the configuration has compiled it before */
  constructor(source: string, engine: PatternEngine = ENGINE) {
    this.source = source;
    this.#pattern = new RegExp(source);
    this.#engine = engine;
  }

  /** @param nowMs monotonic; a pattern that ran away is not tried again for a while and counts as slow */
  test(text: string, nowMs = performance.now()): MatchResult {
    if (nowMs < this.#restsUntilMs) return "slow";
    for (let tries = 1; tries <= MAX_TRIES; tries += 1) {
      const startedMs = this.#engine.cpuMs();
      try {
        return this.#engine.run(this.#pattern, text, MAX_MATCH_MS) ? "found" : "absent";
      } catch {
        // On a machine that stalls, time passes without us: that is no fault of the pattern, and none of the server.
        if (this.#engine.cpuMs() - startedMs >= MAX_MATCH_MS * BUSY_PART) break;
      }
    }
    this.#restsUntilMs = nowMs + MAX_MATCH_MS * REST_FACTOR;
    return "slow";
  }
}

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

/** A regular expression from the configuration, safe to run on what a server sent. Share one per pattern text. */
export class BodyPattern {
  readonly source: string;
  readonly #pattern: RegExp;
  #restsUntilMs = 0;

  /** @throws SyntaxError for a bad pattern; the configuration has compiled it before */
  constructor(source: string) {
    this.source = source;
    this.#pattern = new RegExp(source);
  }

  /** @param nowMs monotonic; a pattern that ran away is not tried again for a while and counts as slow */
  test(text: string, nowMs = performance.now()): MatchResult {
    if (nowMs < this.#restsUntilMs) return "slow";
    sandbox.pattern = this.#pattern;
    sandbox.text = text;
    try {
      return script.runInContext(context, { timeout: MAX_MATCH_MS }) ? "found" : "absent";
    } catch {
      this.#restsUntilMs = nowMs + MAX_MATCH_MS * REST_FACTOR;
      return "slow";
    } finally {
      sandbox.text = "";
    }
  }
}

import assert from "node:assert/strict";
import { setTimeout as sleep } from "node:timers/promises";
import { inspect } from "node:util";

export interface WaitOptions<Seen> {
  /** Fails after this time. */
  readonly withinMs: number;
  /** Pause between two looks. */
  readonly everyMs?: number;
  /** How the last look is described when the time is over. */
  readonly show?: (seen: Seen) => string;
}

/** What was seen in the end, and how long it took from the call. */
export interface Waited<Seen> {
  readonly seen: Seen;
  readonly tookMs: number;
}

/**
 * Looks again and again until what is seen is good.
 * @throws AssertionError after `withinMs`, with what was awaited and what was seen last
 */
export async function waitFor<Seen>(
  what: string,
  look: () => Seen | Promise<Seen>,
  isGood: (seen: Seen) => boolean,
  { withinMs, everyMs = 20, show = (seen) => inspect(seen, { depth: 6 }) }: WaitOptions<Seen>,
): Promise<Waited<Seen>> {
  const started = performance.now();
  for (;;) {
    const seen = await look();
    const tookMs = performance.now() - started;
    if (isGood(seen)) return { seen, tookMs };
    assert.ok(tookMs < withinMs, `waited ${Math.round(tookMs)} ms for: ${what}. Last seen:\n${show(seen)}`);
    await sleep(everyMs);
  }
}

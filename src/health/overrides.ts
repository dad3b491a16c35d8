import type { Decision } from "./weights.ts";

interface OverrideCommon {
  /** When it was ordered; wall clock, as every instant here: overrides outlive the process. Milliseconds since 1970. */
  readonly sinceMs: number;
  /** When it ends by itself; null = when somebody takes it off. */
  readonly untilMs: number | null;
  /** In the words of whoever ordered it. */
  readonly reason: string | null;
  /** Who ordered it: `root`, `schedule nightly`. */
  readonly by: string;
}

/** No new connections; out of the table once those that it has are over, or at the deadline. */
export interface DrainOverride extends OverrideCommon {
  readonly type: "drain";
  /** null = it waits as long as it takes. */
  readonly deadlineMs: number | null;
  /** null = connections are still awaited. */
  readonly drained: Drained | null;
}

export interface Drained {
  readonly atMs: number;
  /** Connections that the deadline cut; 0 = all were over. */
  readonly cut: number;
}

/** Treated at once as one whose checks fail. */
export interface DisableOverride extends OverrideCommon {
  readonly type: "disable";
}

/** Another weight than the configured one, or than that of its scripts, while its checks pass. */
export interface WeightOverride extends OverrideCommon {
  readonly type: "weight";
  /** 0–65535. */
  readonly weight: number;
}

/** What a person, or a schedule, decided about one server of one service, over what its checks say. */
export type Override = DrainOverride | DisableOverride | WeightOverride;

/** What the kernel's table said about a draining server. */
export interface DrainCount {
  /** `sinceMs` of the drain that it belongs to. */
  readonly sinceMs: number;
  /** Connections that the kernel counts as active, over all endpoints of the service. */
  readonly active: number;
  /** Looks in a row that found the server with weight 0 and without one. */
  readonly emptyLooks: number;
}

/**
 * A handshake under way when the weight became 0 is not yet counted as active, and becomes a connection a moment later:
 * the second look sees it.
 */
export const EMPTY_LOOKS = 2;

export type DrainEvent =
  | { readonly type: "counted"; readonly nowMs: number; readonly count: DrainCount }
  /** @param lastActive what was counted last; 0 if nothing was */
  | { readonly type: "tick"; readonly nowMs: number; readonly lastActive: number };

/** From draining to drained, once and for good. @returns the same object when nothing changed */
export function stepDrain(drain: DrainOverride, event: DrainEvent): DrainOverride {
  if (drain.drained !== null) return drain;
  const { nowMs } = event;
  if (event.type === "counted") {
    const { sinceMs, emptyLooks } = event.count;
    // A count of an earlier drain may still be on its way.
    if (sinceMs !== drain.sinceMs || emptyLooks < EMPTY_LOOKS) return drain;
    return { ...drain, drained: { atMs: nowMs, cut: 0 } };
  }
  if (drain.deadlineMs === null || nowMs < drain.deadlineMs) return drain;
  return { ...drain, drained: { atMs: nowMs, cut: event.lastActive } };
}

/** What stands after a new order: a server that is drained already does not return to be drained again. */
export function supersede(before: Override | null, order: Override): Override {
  if (order.type !== "drain" || before?.type !== "drain" || before.drained === null) return order;
  return { ...order, drained: before.drained };
}

/** The next instant at which an override changes by itself; null = never. */
export function overrideDueMs(override: Override): number | null {
  const { untilMs } = override;
  const deadlineMs = override.type === "drain" && override.drained === null ? override.deadlineMs : null;
  if (untilMs === null || deadlineMs === null) return untilMs ?? deadlineMs;
  return Math.min(untilMs, deadlineMs);
}

export function isExpired({ untilMs }: Override, nowMs: number): boolean {
  return untilMs !== null && nowMs >= untilMs;
}

/**
 * What the table should hold for a server, given what its checks say. No override brings a server into the table that its
 * checks keep out of it.
 * @param onDown what the service's servers become that are not up
 * @param active connections that a draining server was last seen to have; null = nobody has looked yet
 */
export function overrule(
  decision: Decision,
  override: Override | null,
  onDown: "remove" | "quiesce",
  active: number | null,
): Decision {
  if (override === null) return decision;
  const why = `${describeOverride(override, active)}; ${decision.why}`;
  switch (override.type) {
    case "weight":
      if (decision.verdict !== "up") return { ...decision, why };
      return { ...decision, weight: override.weight, why };
    case "disable":
      return { ...decision, present: onDown === "quiesce", weight: 0, why };
    case "drain":
      return { ...decision, present: override.drained === null && decision.present, weight: 0, why };
  }
}

/** Whether clients may depend on a server although its weight is 0: its connections go on. */
export function letsConnectionsEnd(override: Override | null): boolean {
  if (override?.type === "drain") return override.drained === null;
  return override?.type === "weight" && override.weight === 0;
}

/** `draining, 12 connections left, by root (new kernel)`. */
export function describeOverride(override: Override, active: number | null): string {
  const { by, reason } = override;
  return `${describeState(override, active)} by ${by}${reason === null ? "" : ` (${reason})`}`;
}

function describeState(override: Override, active: number | null): string {
  if (override.type === "weight") return `weight ${override.weight} set`;
  if (override.type === "disable") return "disabled";
  if (override.drained === null) return `draining,${active === null ? "" : ` ${countConnections(active)} left,`}`;
  return override.drained.cut === 0 ? "drained" : `drained, ${countConnections(override.drained.cut)} cut,`;
}

/** One word for what it does now, `weight 5`; the same word = nobody needs to be told. */
export function overrideState(override: Override): string {
  if (override.type === "weight") return `weight ${override.weight}`;
  if (override.type === "disable") return "disabled";
  return override.drained === null ? "draining" : "drained";
}

export function countConnections(count: number): string {
  return `${count} connection${count === 1 ? "" : "s"}`;
}

/**
 * The same override after the clock was set: what was said as a length of time keeps its length, what was said as an instant
 * stays where it is.
 * @param byMs how much later the clock is than it would have been
 * @param isUntilLength whether the end was said as a length of time
 */
export function moveWithClock<One extends Override>(override: One, byMs: number, isUntilLength: boolean): One {
  const untilMs = override.untilMs !== null && isUntilLength ? override.untilMs + byMs : override.untilMs;
  const moved = { ...override, sinceMs: override.sinceMs + byMs, untilMs };
  if (moved.type === "drain" && moved.deadlineMs !== null) return { ...moved, deadlineMs: moved.deadlineMs + byMs };
  return moved;
}

import { MICROSECONDS_PER_MILLISECOND } from "../base/duration.ts";
import type { OverrideOrder, OverrideStatus } from "../control/overrides.ts";
import { describeOverride, type Override, overrideState } from "../health/overrides.ts";

/** The override that an order other than `enable` asks for. */
export function overrideOf(order: OverrideOrder, nowMs: number): Override {
  const { type, until, deadlineUs, reason, by } = order;
  const untilMs = until === null ? null : until.type === "at" ? until.atMs : nowMs + msOf(until.us);
  const common = { sinceMs: nowMs, untilMs, reason, by };
  if (type === "weight") return { ...common, type, weight: order.weight ?? 0 };
  if (type !== "drain") return { ...common, type: "disable" };
  return { ...common, type, deadlineMs: deadlineUs === null ? null : nowMs + msOf(deadlineUs), drained: null };
}

/** @param active connections that were counted last; null = not counted */
export function overrideStatus(override: Override, active: number | null): OverrideStatus {
  const { type, sinceMs, untilMs, reason, by } = override;
  const deadlineMs = deadlineOf(override);
  return {
    type,
    state: overrideState(override),
    weight: type === "weight" ? override.weight : null,
    since: isoOf(sinceMs),
    until: untilMs === null ? null : isoOf(untilMs),
    deadline: deadlineMs === null ? null : isoOf(deadlineMs),
    connections: active,
    cut: type === "drain" ? (override.drained?.cut ?? null) : null,
    reason,
    by,
  };
}

/** `draining, by root (new kernel), at the latest 2026-11-26T18:00:00.000Z`: what an event says about an order. */
export function describeOrder(override: Override): string {
  const deadlineMs = deadlineOf(override);
  const limit = deadlineMs === null ? "" : `, at the latest ${isoOf(deadlineMs)}`;
  const end = override.untilMs === null ? "" : `, until ${isoOf(override.untilMs)}`;
  return `${describeOverride(override, null)}${limit}${end}`;
}

export function isoOf(ms: number): string {
  return new Date(ms).toISOString();
}

function deadlineOf(override: Override): number | null {
  return override.type === "drain" ? override.deadlineMs : null;
}

/** Rounded up: never earlier than ordered. */
function msOf(us: number): number {
  return Math.ceil(us / MICROSECONDS_PER_MILLISECOND);
}

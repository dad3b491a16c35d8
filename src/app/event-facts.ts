import type { IpvsChange } from "../ipvs/changes.ts";
import type { EventFacts } from "../ports/logger.ts";

/** @param to null = nothing changed but is worth an entry */
export function processEvent(name: string, from: string | null, to: string | null, cause: string): EventFacts {
  return { type: "process", subject: `process ${name}`, from, to, cause };
}

export function daemonEvent(node: string, from: string | null, to: string, cause: string): EventFacts {
  return { type: "daemon", subject: `daemon on ${node}`, from, to, cause };
}

export function reloadEvent(
  to: "applied" | "confirmed" | "failed" | "incomplete" | "on trial" | "refused" | "unchanged" | "undone",
  cause: string,
): EventFacts {
  return { type: "reload", subject: "configuration", from: null, to, cause };
}

/** What somebody else did to the kernel's table, or what was done about it. */
export function driftEvent({ service, server, from, to }: IpvsChange, cause: string): EventFacts {
  const subject = server === null ? `service ${service}` : `service ${service} server ${server}`;
  return { type: "drift", subject, from, to, cause };
}

export function scheduleEvent(name: string, to: string, cause: string): EventFacts {
  return { type: "schedule", subject: `schedule ${name}`, from: null, to, cause };
}

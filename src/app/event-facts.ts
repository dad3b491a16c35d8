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

/**
 * What somebody else did to the kernel's table, or what was done about it.
 * @param name of the service in the configuration, by which other events call it; null = it is not configured any more
 */
export function driftEvent({ service, server, from, to }: IpvsChange, name: string | null, cause: string): EventFacts {
  const which = `service ${name ?? service}`;
  const subject = server === null ? which : `${which} server ${server}`;
  return { type: "drift", subject, from, to, cause };
}

export function scheduleEvent(name: string, to: string, cause: string): EventFacts {
  return { type: "schedule", subject: `schedule ${name}`, from: null, to, cause };
}

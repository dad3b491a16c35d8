import type { MetricsConfig } from "../config/model.ts";
import type { EventSource } from "../control/event-stream.ts";
import { MAX_EVENTS_PER_PAGE } from "../control/events.ts";
import type { DirectorStatus } from "../control/status.ts";
import { MetricsEndpoint } from "../metrics/endpoint.ts";
import { EventCounts } from "../metrics/event-counts.ts";
import type { Exposed, Exposition } from "../metrics/exposition.ts";
import type { MetricsSnapshot, ProcessUsage } from "../metrics/snapshot.ts";
import type { Logger } from "../ports/logger.ts";
import { readProcessUsage } from "../sys/process-usage.ts";
import type { ChildKeeper } from "./child-keeper.ts";
import type { StatusBoard } from "./status-board.ts";

/** A child, as far as its use of the machine goes. */
export type MeasuredChild = Pick<ChildKeeper<unknown, unknown, unknown>, "status" | "messages">;

export interface MetricsCollaborators {
  readonly logger: Logger;
  readonly board: Pick<StatusBoard, "serviceTraffic" | "serverTraffic">;
  readonly children: () => readonly MeasuredChild[];
  status(): DirectorStatus;
}

/** The numbers that Prometheus reads: put together in the supervisor from what is known there. */
export class Metrics {
  readonly #with: MetricsCollaborators;
  readonly #events = new EventCounts(() => Date.now());
  #exposition: Promise<Exposition> | null = null;
  readonly #endpoint: MetricsEndpoint;

  constructor(collaborators: MetricsCollaborators) {
    this.#with = collaborators;
    const expose = (accept: string | undefined) => this.expose(accept);
    this.#endpoint = new MetricsEndpoint({ logger: collaborators.logger, expose });
  }

  /** Why they are not where the configuration wants them. */
  get problems(): readonly string[] {
    return this.#endpoint.problem === null ? [] : [this.#endpoint.problem];
  }

  /** A logger whose changes of state are counted on their way. */
  tee(logger: Logger): Logger {
    return this.#events.tee(logger);
  }

  /** What earlier runs of the daemon left: when the last drills were. */
  recall(events: EventSource): void {
    this.#events.recall(
      events.page({ after: null, limit: MAX_EVENTS_PER_PAGE, types: ["drill"], sinceMs: null }).events,
    );
  }

  configure(config: MetricsConfig | null): Promise<void> {
    return this.#endpoint.configure(config?.listen ?? null);
  }

  async expose(accept: string | undefined): Promise<Exposed> {
    // With the first scrape: the library costs a tenth of a second, which the first advert does not have to wait for.
    this.#exposition ??= import("../metrics/exposition.ts").then(
      (loaded) => new loaded.Exposition({ snapshot: () => this.#snapshot(), nowMs: () => performance.now() }),
      (thrown: unknown) => {
        // What could not be loaded may be there for the next one.
        this.#exposition = null;
        throw thrown;
      },
    );
    return (await this.#exposition).expose(accept);
  }

  close(): void {
    this.#endpoint.close();
  }

  #snapshot(): MetricsSnapshot {
    const { board, children, status } = this.#with;
    const own: ProcessUsage = { name: "supervisor", usage: readProcessUsage(process.pid), messages: null };
    return {
      status: status(),
      serviceTraffic: (service) => board.serviceTraffic(service),
      serverTraffic: (service, server) => board.serverTraffic(service, server),
      events: this.#events,
      processes: [own, ...children().map(usageOf)],
    };
  }
}

function usageOf(child: MeasuredChild): ProcessUsage {
  const { name, pid } = child.status();
  return { name, usage: pid === null ? null : readProcessUsage(pid), messages: child.messages() };
}

import type { Decision } from "../health/weights.ts";
import type { Alarm, AlarmFactory, Clock } from "../ports/clock.ts";
import type { CheckRunner, ServerSnapshot } from "./check-runner.ts";
import { statusOf } from "./checked-server.ts";
import { type CheckedServer, serverKey } from "./messages.ts";

/**
 * The servers' last attempts are told in turn, a part every second: what `status` shows of them is half a minute old at most,
 * of a few seconds ago where there are few. Verdicts are told when they change.
 */
const REFRESH_US = 1_000_000;
const REFRESH_PARTS = 30;
const MIN_REFRESHED_AT_ONCE = 20;

export interface ServerNewsCollaborators {
  readonly clock: Clock;
  readonly alarms: AlarmFactory;
  readonly runner: Pick<CheckRunner, "servers" | "snapshotServer" | "snapshotPart">;
  /** What counts of what the checks say: an override may stand over it. */
  rule(service: string, server: string, found: Decision): Decision;
  publish(key: string, state: CheckedServer | null): void;
}

/** Tells what is known of servers: what changed when the turn ends, and the rest bit by bit at a bounded price. */
export class ServerNews {
  readonly #with: ServerNewsCollaborators;
  readonly #refresh: Alarm;
  #refreshFrom = 0;
  /** To tell about when the turn ends, by decisionKey; bounded by the configuration. */
  readonly #changed = new Map<string, { readonly service: string; readonly server: string }>();

  constructor(collaborators: ServerNewsCollaborators) {
    this.#with = collaborators;
    this.#refresh = collaborators.alarms.create(() => this.#tellSome());
  }

  /** There are servers to tell about from now on. */
  begin(): void {
    this.#refresh.arm(this.#with.clock.nowUs());
  }

  stop(): void {
    this.#refresh.disarm();
  }

  /** Told with the next `tell`. */
  changed(service: string, server: string): void {
    this.#changed.set(`${service} ${server}`, { service, server });
  }

  /** No longer configured. */
  gone(service: string, server: string): void {
    this.#with.publish(serverKey(service, server), null);
  }

  /** The turn ends. */
  tell(): void {
    for (const { service, server } of this.#changed.values()) this.tellNow(service, server);
    this.#changed.clear();
  }

  tellNow(service: string, server: string): void {
    const snapshot = this.#with.runner.snapshotServer(service, server);
    if (snapshot !== undefined) this.#publish(snapshot);
  }

  #tellSome(): void {
    const { runner, clock } = this.#with;
    const count = Math.max(MIN_REFRESHED_AT_ONCE, Math.ceil(runner.servers / REFRESH_PARTS));
    const { servers, next } = runner.snapshotPart(this.#refreshFrom, count);
    for (const snapshot of servers) this.#publish(snapshot);
    this.#refreshFrom = next;
    this.#refresh.arm(clock.nowUs() + REFRESH_US);
  }

  #publish(snapshot: ServerSnapshot): void {
    const { service, server } = snapshot;
    const decision = this.#with.rule(service, server, snapshot.decision);
    this.#with.publish(serverKey(service, server), statusOf({ ...snapshot, decision }, this.#with.clock));
  }
}

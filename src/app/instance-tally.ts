import { Histogram } from "../base/histogram.ts";
import type { ChecksumForm } from "../config/model.ts";
import type { InstanceStatus, TransitionCount } from "../control/status.ts";
import type { RejectReason } from "../vrrp/accept.ts";
import type { DifferenceCode } from "../vrrp/differences.ts";
import type { InstanceAction, WarningCode } from "../vrrp/instance-model.ts";
import type { TimerKind } from "../vrrp/lateness.ts";

/** What an instance counts, from its start on. */
export class InstanceTally {
  advertsSent = 0;
  advertsReceived = 0;
  sendErrors = 0;
  becameMaster = 0;
  handovers = 0;
  readonly #lateness: Readonly<Record<TimerKind, Histogram>> = {
    advert: new Histogram(),
    down: new Histogram(),
    other: new Histogram(),
  };
  /** Bounded by the reject reasons, the forms and the codes. */
  readonly #rejected = new Map<RejectReason, number>();
  readonly #forms = new Map<ChecksumForm, number>();
  /** Bounded by the phases and the codes. */
  readonly #transitions = new Map<string, TransitionCount>();
  readonly #events = new Map<DifferenceCode | WarningCode, number>();

  /** @param lateUs how long after its time a timer ran out */
  late(kind: TimerKind, lateUs: number): void {
    this.#lateness[kind].record(lateUs);
  }

  transition({ from, to, code }: Extract<InstanceAction, { readonly type: "transition" }>): void {
    if (to === "master") this.becameMaster += 1;
    const key = `${from} ${to} ${code}`;
    const count = (this.#transitions.get(key)?.count ?? 0) + 1;
    this.#transitions.set(key, { from, to, reason: code, count });
  }

  rejected(reason: RejectReason): void {
    increment(this.#rejected, reason);
  }

  checksumForm(form: ChecksumForm): void {
    increment(this.#forms, form);
  }

  event(code: DifferenceCode | WarningCode): void {
    increment(this.#events, code);
  }

  /** @param strayPackets counted by the interface */
  counters(strayPackets: number): InstanceStatus["counters"] {
    const { advertsSent, advertsReceived, sendErrors, becameMaster, handovers } = this;
    return {
      advertsSent,
      advertsReceived,
      sendErrors,
      becameMaster,
      handovers,
      strayPackets,
      transitions: [...this.#transitions.values()],
      rejected: Object.fromEntries(this.#rejected),
      checksumForms: Object.fromEntries(this.#forms),
      events: Object.fromEntries(this.#events),
    };
  }

  lateness(): InstanceStatus["lateness"] {
    const { advert, down, other } = this.#lateness;
    return { advert: advert.spread(), down: down.spread(), other: other.spread() };
  }
}

function increment<Key>(counts: Map<Key, number>, key: Key): void {
  counts.set(key, (counts.get(key) ?? 0) + 1);
}

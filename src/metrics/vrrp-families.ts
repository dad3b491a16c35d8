import { SPREAD_TIERS_US } from "../base/histogram.ts";
import type { InstanceStatus } from "../control/status.ts";
import { REJECT_REASONS } from "../vrrp/accept.ts";
import { DIFFERENCE_CODES } from "../vrrp/differences.ts";
import { WARNING_CODES } from "../vrrp/instance-model.ts";
import { TIMER_KINDS } from "../vrrp/lateness.ts";
import { type Family, family, histogram, type Row, seconds, secondsOf, truth } from "./family.ts";
import type { MetricsSnapshot } from "./snapshot.ts";

/**
 * Not `instance`: Prometheus has that label for the scraped daemon. Counters are the vrrp process's own and begin at 0 with
 * it. Those that alerts watch are there from the start, so that the first occurrence is an increase.
 */
const INSTANCE = "vrrp_instance";

const PHASES: readonly InstanceStatus["phase"][] = ["initialize", "backup", "master", "fault"];

/** What is said of each VRRP instance. */
export const VRRP_FAMILIES: readonly Family[] = [
  family(
    "gauge",
    "holdfast_vrrp_instance_info",
    [INSTANCE, "interface", "vrid", "transport"],
    "Always 1: where the instance speaks.",
    each(({ name, interface: device, vrid, transport }) => [[name, device, String(vrid), transport, 1]]),
  ),
  family(
    "gauge",
    "holdfast_vrrp_state",
    [INSTANCE, "state"],
    "1 for the state that the instance is in, 0 for the others: initialize, backup, master, fault.",
    each(({ name, phase }) => PHASES.map((state) => [name, state, truth(state === phase)])),
  ),
  family(
    "gauge",
    "holdfast_vrrp_state_since_timestamp_seconds",
    [INSTANCE],
    "When it came into that state, seconds since 1970.",
    each(({ name, since }) => [[name, secondsOf(since)]]),
  ),
  family(
    "counter",
    "holdfast_vrrp_transitions_total",
    [INSTANCE, "from", "to", "reason"],
    "Changes of state, by reason: started, recovered, owner, resumed, no_master, master_resigned, preempts, master_silent, group, outranked, stalled, handed_over, drill, fault, stopped.",
    each(({ name, counters }) =>
      counters.transitions.map(({ from, to, reason, count }) => [name, from, to, reason, count]),
    ),
  ),
  family(
    "counter",
    "holdfast_vrrp_became_master_total",
    [INSTANCE],
    "Times that it became master, for whatever reason.",
    each(({ name, counters }) => [[name, counters.becameMaster]]),
  ),
  family(
    "counter",
    "holdfast_vrrp_handovers_total",
    [INSTANCE],
    "Planned handovers in which a successor was heard.",
    each(({ name, counters }) => [[name, counters.handovers]]),
  ),
  family(
    "gauge",
    "holdfast_vrrp_priority",
    [INSTANCE],
    "The priority that it advertises now, with what is tracked.",
    each(({ name, priority }) => [[name, priority]]),
  ),
  family(
    "gauge",
    "holdfast_vrrp_base_priority",
    [INSTANCE],
    "The configured priority.",
    each(({ name, basePriority }) => [[name, basePriority]]),
  ),
  family(
    "gauge",
    "holdfast_vrrp_advert_interval_seconds",
    [INSTANCE],
    "The configured time between adverts.",
    each(({ name, advertIntervalUs }) => [[name, seconds(advertIntervalUs)]]),
  ),
  family(
    "gauge",
    "holdfast_vrrp_resting",
    [INSTANCE],
    "1 if it was handed over and leaves whoever serves alone.",
    each(({ name, isResting }) => [[name, truth(isResting)]]),
  ),
  family(
    "gauge",
    "holdfast_vrrp_addresses",
    [INSTANCE],
    "Configured virtual addresses.",
    each(({ name, addresses }) => [[name, addresses.length]]),
  ),
  family(
    "gauge",
    "holdfast_vrrp_addresses_held",
    [INSTANCE],
    "Virtual addresses that holdfast has on the interface now.",
    each(({ name, held }) => [[name, held.length]]),
  ),
  family(
    "gauge",
    "holdfast_vrrp_addresses_refused",
    [INSTANCE, "change"],
    "Virtual addresses that the kernel refuses to add (a master lacks them) or to remove (two serve them).",
    each(({ name, refused }) =>
      (["add", "remove"] as const).map((change) => [
        name,
        change,
        refused.filter((one) => one.change === change).length,
      ]),
    ),
  ),
  family(
    "gauge",
    "holdfast_vrrp_tracked_ok",
    [INSTANCE, "tracked"],
    "1 if what it tracks is well: `interface eth1`, `script disk`, `service web`.",
    each(({ name, track }) => track.map(({ what, isPassing }) => [name, what, truth(isPassing)])),
  ),
  family(
    "gauge",
    "holdfast_vrrp_heard_timestamp_seconds",
    [INSTANCE],
    "When another master was last heard, seconds since 1970; absent if none was.",
    each(({ name, heard }) => (heard === null ? [] : [[name, secondsOf(heard.at)]])),
  ),
  family(
    "counter",
    "holdfast_vrrp_adverts_sent_total",
    [INSTANCE],
    "Adverts sent.",
    each(({ name, counters }) => [[name, counters.advertsSent]]),
  ),
  family(
    "counter",
    "holdfast_vrrp_adverts_received_total",
    [INSTANCE],
    "Adverts of others that were accepted.",
    each(({ name, counters }) => [[name, counters.advertsReceived]]),
  ),
  family(
    "counter",
    "holdfast_vrrp_send_errors_total",
    [INSTANCE],
    "Adverts that the kernel did not send.",
    each(({ name, counters }) => [[name, counters.sendErrors]]),
  ),
  family(
    "counter",
    "holdfast_vrrp_packets_rejected_total",
    [INSTANCE, "reason"],
    `Packets that were dropped, by reason: ${Object.keys(REJECT_REASONS).join(", ")}.`,
    each(({ name, counters }) => counted(name, Object.keys(REJECT_REASONS), counters.rejected)),
  ),
  family(
    "counter",
    "holdfast_vrrp_stray_packets_total",
    [INSTANCE],
    "Packets on its interface for a VRID that nobody here speaks.",
    each(({ name, counters }) => [[name, counters.strayPackets]]),
  ),
  family(
    "counter",
    "holdfast_vrrp_anomalies_total",
    [INSTANCE, "kind"],
    "Times that something was noticed that should not be: two masters (split_brain), a virtual address removed by somebody else (address_lost), a standstill of this process (stalled), and adverts that differ from this node's (the rest).",
    each(({ name, counters }) => counted(name, [...WARNING_CODES, ...DIFFERENCE_CODES], counters.events)),
  ),
  histogram(
    "holdfast_vrrp_timer_lateness_seconds",
    [INSTANCE, "timer"],
    "How long after their instant timers were acted upon: advert (sending), down (taking over), other.",
    function* ({ status }) {
      for (const { name, lateness } of status.instances) {
        for (const timer of TIMER_KINDS) {
          const { within, count, sumUs } = lateness[timer];
          yield {
            labels: { [INSTANCE]: name, timer },
            within: SPREAD_TIERS_US.map((us, tier) => [seconds(us), within[tier] ?? 0] as const),
            count,
            sum: seconds(sumUs),
          };
        }
      }
    },
  ),
  family(
    "gauge",
    "holdfast_vrrp_timer_lateness_max_seconds",
    [INSTANCE, "timer"],
    "The greatest of these since the vrrp process started.",
    each(({ name, lateness }) => TIMER_KINDS.map((timer) => [name, timer, seconds(lateness[timer].maxUs)])),
  ),
];

function each(rows: (instance: InstanceStatus) => readonly Row[]): (snapshot: MetricsSnapshot) => Iterable<Row> {
  return ({ status }) => status.instances.flatMap(rows);
}

/** Every known word, with 0 where nothing was counted yet. */
function counted(name: string, words: readonly string[], counts: Readonly<Record<string, number>>): readonly Row[] {
  return words.map((word) => [name, word, counts[word] ?? 0]);
}

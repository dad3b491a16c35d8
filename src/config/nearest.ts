/**
 * Edit distance with transpositions (optimal string alignment): how many letters to insert, delete, change or swap.
 * @param limit distances above it are reported as limit + 1
 */
export function editDistance(a: string, b: string, limit: number): number {
  if (Math.abs(a.length - b.length) > limit) return limit + 1;
  let before: number[] = [];
  let previous = Array.from({ length: b.length + 1 }, (_, index) => index);
  for (let i = 1; i <= a.length; i += 1) {
    const row = [i];
    for (let j = 1; j <= b.length; j += 1) {
      const isSame = a[i - 1] === b[j - 1];
      let cost = Math.min((previous[j] ?? 0) + 1, (row[j - 1] ?? 0) + 1, (previous[j - 1] ?? 0) + (isSame ? 0 : 1));
      if (i > 1 && j > 1 && a[i - 1] === b[j - 2] && a[i - 2] === b[j - 1])
        cost = Math.min(cost, (before[j - 2] ?? 0) + 1);
      row.push(cost);
    }
    before = previous;
    previous = row;
  }
  return Math.min(previous[b.length] ?? 0, limit + 1);
}

/** Words of other programs, and what holdfast calls the same thing. */
const OTHER_NAMES: Readonly<Record<string, string>> = {
  virtual_router_id: "vrid",
  virtual_router: "vrid",
  advert_int: "advertise",
  advert: "advertise",
  nic: "interface",
  iface: "interface",
  dev: "interface",
  device: "interface",
  virtual_ipaddress: "addresses",
  vips: "addresses",
  vip: "addresses",
  ips: "addresses",
  nopreempt: "preempt",
  preempt_delay: "preempt",
  lb_algo: "scheduler",
  lvs_sched: "scheduler",
  algorithm: "scheduler",
  balance: "scheduler",
  lb_kind: "forward",
  lvs_method: "forward",
  method: "forward",
  persistence_timeout: "persistence",
  persistent: "persistence",
  real_servers: "servers",
  real_server: "servers",
  backends: "servers",
  members: "servers",
  upstream: "servers",
  bind: "listen",
  virtual_server: "listen",
  healthchecks: "checks",
  health_check: "checks",
  healthcheck: "checks",
  monitor: "checks",
  monitors: "checks",
  retry: "fall",
  retries: "fall",
  up: "rise",
  down: "fall",
  delay_loop: "interval",
  connect_timeout: "timeout",
  url: "path",
  uri: "path",
  digest: "expect",
  status_code: "status",
  sni: "serverName",
  servername: "serverName",
  masq: "nat",
  masquerade: "nat",
  gate: "dr",
  gatewaying: "dr",
  route: "dr",
  direct: "dr",
  tunnel: "tun",
  ipip: "tun",
  roundrobin: "rr",
  leastconn: "lc",
  source: "sh",
  warn: "warning",
  verbose: "debug",
  instance: "instances",
  service: "services",
  virtual_servers: "services",
  vrrp_instance: "instances",
  vrrp_instances: "instances",
};

/**
 * The accepted word that was most probably meant.
 * @returns undefined when nothing is near enough to be worth proposing
 */
export function nearest(word: string, accepted: Iterable<string>): string | undefined {
  const wanted = word.toLowerCase();
  const other = OTHER_NAMES[wanted.replaceAll("-", "_")];
  const limit = wanted.length <= 2 ? 1 : wanted.length <= 5 ? 2 : 3;
  let best: string | undefined;
  let bestDistance = limit + 1;
  for (const candidate of accepted) {
    const folded = candidate.toLowerCase();
    if (candidate === other) return candidate;
    // A distance as long as the word itself would be a different word.
    const distance = editDistance(wanted, folded, limit);
    if (distance < bestDistance && distance < Math.max(wanted.length, folded.length)) {
      best = candidate;
      bestDistance = distance;
    }
  }
  return best;
}

/** Names that a sentence offers at most. */
const MAX_OFFERED = 5;

/**
 * What to write instead of a name that does not exist, for the end of a sentence: `did you mean web?`, or `there are web, mail`.
 * @param known the names that exist
 */
export function offerFor(name: string, known: readonly string[]): string {
  const near = nearest(name, known);
  if (near !== undefined) return `did you mean ${near}?`;
  if (known.length === 0) return "none is configured";
  if (known.length === 1) return `there is only ${known[0]}`;
  const more = known.length > MAX_OFFERED ? ` and ${known.length - MAX_OFFERED} more` : "";
  return `there are ${known.slice(0, MAX_OFFERED).join(", ")}${more}`;
}

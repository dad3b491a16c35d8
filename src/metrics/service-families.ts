import type { CheckStatus, ServerStatus, ServiceStatus } from "../control/status.ts";
import type { ServerTraffic, Traffic } from "../ipvs/traffic.ts";
import { type Family, family, type Row, seconds, summary, truth } from "./family.ts";
import type { MetricsSnapshot } from "./snapshot.ts";

const SERVER = ["service", "server"] as const;
const CHECK = [...SERVER, "check"] as const;
const VERDICTS: readonly ServerStatus["verdict"][] = ["up", "down", "unknown"];
const KERNEL =
  "The kernel's own count: it begins when the kernel gets the service or server, and goes on when holdfast restarts";

/** What is said of services, their servers and the checks of these. */
export const SERVICE_FAMILIES: readonly Family[] = [
  family(
    "gauge",
    "holdfast_service_servers",
    ["service", "verdict"],
    "Servers of the service by verdict: up, down, unknown (no attempt has ended yet).",
    eachService(({ name, servers }) =>
      VERDICTS.map((verdict) => [name, verdict, servers.filter((server) => server.verdict === verdict).length]),
    ),
  ),
  family(
    "gauge",
    "holdfast_service_servers_serving",
    ["service"],
    "Servers that get new connections: they are in the kernel's table with a weight above 0.",
    eachService(({ name, servers }) => [[name, servers.filter((server) => weightOf(server) > 0).length]]),
  ),
  family(
    "counter",
    "holdfast_service_connections_total",
    ["service", "listen"],
    `Connections that the service was given. ${KERNEL}.`,
    eachServiceTraffic((traffic) => [[traffic.connections]]),
  ),
  family(
    "counter",
    "holdfast_service_packets_total",
    ["service", "listen", "direction"],
    "Packets from clients (in) and to them (out; with nat only, otherwise answers do not come by). The kernel's own count.",
    eachServiceTraffic(({ packetsIn, packetsOut }) => directions(packetsIn, packetsOut)),
  ),
  family(
    "counter",
    "holdfast_service_bytes_total",
    ["service", "listen", "direction"],
    "Bytes from clients (in) and to them (out; with nat only). The kernel's own count.",
    eachServiceTraffic(({ bytesIn, bytesOut }) => directions(bytesIn, bytesOut)),
  ),
  family(
    "gauge",
    "holdfast_server_up",
    SERVER,
    "1 if the server is up by its checks, 0 if it is down; absent as long as no attempt has ended.",
    eachServer(({ verdict }) => (verdict === "unknown" ? [] : [[truth(verdict === "up")]])),
  ),
  family(
    "gauge",
    "holdfast_server_weight",
    SERVER,
    "The weight that the kernel was given; 0 if it gets no new connections or is not in the table, also because the kernel refuses it.",
    eachServer((server) => [[weightOf(server)]]),
  ),
  family(
    "gauge",
    "holdfast_server_override",
    [...SERVER, "type"],
    "Always 1: somebody ordered over what the checks say: drain, disable, weight; absent without an order.",
    eachServer(({ override }) => (override === null ? [] : [[override.type, 1]])),
  ),
  family(
    "gauge",
    "holdfast_server_open_connections",
    [...SERVER, "listen", "state"],
    "Connections that the kernel holds now: active (established), inactive (the rest).",
    eachServerTraffic(({ active, inactive }) => [
      ["active", active],
      ["inactive", inactive],
    ]),
  ),
  family(
    "counter",
    "holdfast_server_connections_total",
    [...SERVER, "listen"],
    `Connections that the server was given. ${KERNEL}.`,
    eachServerTraffic(({ connections }) => [[connections]]),
  ),
  family(
    "counter",
    "holdfast_server_packets_total",
    [...SERVER, "listen", "direction"],
    "Packets to the server (in) and from it (out; with nat only). The kernel's own count.",
    eachServerTraffic(({ packetsIn, packetsOut }) => directions(packetsIn, packetsOut)),
  ),
  family(
    "counter",
    "holdfast_server_bytes_total",
    [...SERVER, "listen", "direction"],
    "Bytes to the server (in) and from it (out; with nat only). The kernel's own count.",
    eachServerTraffic(({ bytesIn, bytesOut }) => directions(bytesIn, bytesOut)),
  ),
  family(
    "gauge",
    "holdfast_check_up",
    CHECK,
    "1 if the check says up, 0 if it says down; absent as long as no attempt has ended.",
    eachCheck(({ verdict }) => (verdict === "unknown" ? [] : [[truth(verdict === "up")]])),
  ),
  family(
    "counter",
    "holdfast_check_attempts_total",
    [...CHECK, "outcome"],
    "Attempts of the check: passed, failed, not_run (this director could not make it). Told each half minute at least; begins at 0 with the checker process.",
    eachCheck(({ attempts, failed, notRun }) => [
      ["passed", attempts - failed],
      ["failed", failed],
      ["not_run", notRun],
    ]),
  ),
  summary(
    "holdfast_check_duration_seconds",
    CHECK,
    "How long attempts took, passed and failed ones; sum and count give the mean over any time.",
    function* ({ status }) {
      for (const { name: service, servers } of status.services)
        for (const { server, checks } of servers)
          for (const { name: check, attempts, latencySumUs } of checks)
            yield { labels: { service, server, check }, within: [], count: attempts, sum: seconds(latencySumUs) };
    },
  ),
  family(
    "gauge",
    "holdfast_sync_daemon_running",
    ["daemon"],
    "1 if the kernel's connection synchronisation runs: master sends, backup takes; absent without `sync:`.",
    ({ status: { sync } }) =>
      sync === null ? [] : ["master", "backup"].map((daemon) => [daemon, truth(sync.role.split("+").includes(daemon))]),
  ),
];

function weightOf({ present, weight }: ServerStatus): number {
  return present ? weight : 0;
}

function directions(incoming: number, outgoing: number | null): readonly Row[] {
  return outgoing === null
    ? [["in", incoming]]
    : [
        ["in", incoming],
        ["out", outgoing],
      ];
}

type Rows = (snapshot: MetricsSnapshot) => Iterable<Row>;

function eachService(rows: (service: ServiceStatus) => readonly Row[]): Rows {
  return ({ status }) => status.services.flatMap(rows);
}

function eachServiceTraffic(rows: (traffic: Traffic) => readonly Row[]): Rows {
  return function* ({ status, serviceTraffic }) {
    for (const { name } of status.services)
      for (const traffic of serviceTraffic(name)) yield* below([name, traffic.listen], rows(traffic));
  };
}

function eachServer(rows: (server: ServerStatus) => readonly Row[]): Rows {
  return function* ({ status }) {
    for (const { name, servers } of status.services)
      for (const server of servers) yield* below([name, server.server], rows(server));
  };
}

function eachServerTraffic(rows: (traffic: ServerTraffic) => readonly Row[]): Rows {
  return function* ({ status, serverTraffic }) {
    for (const { name, servers } of status.services)
      for (const { server } of servers)
        for (const traffic of serverTraffic(name, server)) yield* below([name, server, traffic.listen], rows(traffic));
  };
}

function eachCheck(rows: (check: CheckStatus) => readonly Row[]): Rows {
  return function* ({ status }) {
    for (const { name, servers } of status.services)
      for (const { server, checks } of servers)
        for (const check of checks) yield* below([name, server, check.name], rows(check));
  };
}

/** Rows with the labels of what they belong to in front. */
function* below(labels: readonly string[], rows: readonly Row[]): Iterable<Row> {
  for (const row of rows) yield [...labels, ...row];
}

import { type PlannedService, planTable, servicesYaml } from "../plan.ts";

const CHECK_INTERVAL_MS = 100;

/**
 * Two configurations take turns that differ in everything a reload has to follow: services, servers, checks, an instance. Few servers
 * come and go: each tells an event, and those that are kept would be all that is seen to grow.
 */
function planOf(turn: number): readonly PlannedService[] {
  const [last, ...others] = planTable(5, 20).toReversed();
  if (last === undefined || turn % 2 === 0) return others;
  return [...others, { ...last, servers: last.servers.slice(0, 1) }];
}

function timeoutMsOf(turn: number): number {
  return turn % 2 === 1 ? CHECK_INTERVAL_MS : CHECK_INTERVAL_MS - 10;
}

export function yamlOf(turn: number): string {
  const odd = turn % 2;
  const instance = `{ interface: eth0, vrid: 51, priority: ${150 + odd}, advertise: 1s, addresses: [10.80.0.${10 + odd}/24] }`;
  const second = `{ interface: eth0, vrid: 52, priority: 150, advertise: 100ms, addresses: [10.80.0.20/24] }`;
  const instances = `    web: ${instance}\n${odd === 1 ? `    more: ${second}\n` : ""}`;
  const checks = `interval: ${CHECK_INTERVAL_MS}ms, timeout: ${timeoutMsOf(turn)}ms`;
  const services = servicesYaml(planOf(turn), "tcp").replace("interval: 1s, timeout: 1s", checks);
  return `node: leak\nlog: { level: warning }\nvrrp:\n  instances:\n${instances}${services}`;
}

import assert from "node:assert/strict";
import { setTimeout as sleep } from "node:timers/promises";
import type { Dice } from "../../sim/dice.ts";
import { statusOf } from "./daemon.ts";
import { type Role, type Service, trySignal } from "./service.ts";
import type { Topology } from "./topology.ts";
import { waitFor } from "./wait.ts";

const FROZEN_MS = 10_000;
/** What is good is looked at once more after this long. */
const SETTLED_MS = 1_000;

/** What happens to whom. */
export interface Round {
  readonly signal: "SIGKILL" | "SIGSTOP";
  readonly target: Role | "all";
  /** lb1 is the master, lb2 the backup. */
  readonly node: 1 | 2;
}

/** Every case once, in an order that the dice draw, then further ones. */
export function drawRounds(count: number, dice: Dice): Round[] {
  const cases = (["SIGKILL", "SIGSTOP"] as const).flatMap((signal) =>
    (["supervisor", "vrrp", "checker", "all"] as const).flatMap((target) =>
      ([1, 2] as const).map((node): Round => ({ signal, target, node })),
    ),
  );
  const drawn: Round[] = [];
  const left = [...cases];
  while (drawn.length < count) {
    const next = left.length > 0 ? left.splice(dice.between(0, left.length - 1), 1)[0] : dice.pick(cases);
    if (next !== undefined) drawn.push(next);
  }
  return drawn;
}

export function describeRound({ signal, target, node }: Round): string {
  const who = target === "all" ? "all processes" : `the ${target}`;
  return `${signal} for ${who} on the ${node === 1 ? "master" : "backup"}`;
}

/** Processes that were hit, with the pids that they had. */
export interface Stricken {
  readonly roles: readonly Role[];
  readonly pids: readonly number[];
}

/** Sends the round's signal. */
export function strike(service: Service, { signal, target }: Round): Stricken {
  const roles: readonly Role[] = target === "all" ? ["supervisor", "vrrp", "checker"] : [target];
  const pids = roles.map((role) => service.pid(role) ?? assert.fail(`the ${role} process does not run`));
  for (const pid of pids) trySignal(pid, signal);
  return { roles, pids };
}

/**
 * Waits until what was killed has been replaced, or lets what was frozen go on after ten seconds. The kernel serves on
 * meanwhile: without this, nothing would have to come back.
 */
export async function outlive(
  service: Service,
  { signal }: Round,
  { roles, pids }: Stricken,
  withinMs: number,
): Promise<void> {
  if (signal === "SIGSTOP") {
    await sleep(FROZEN_MS);
    for (const pid of pids) trySignal(pid, "SIGCONT");
    return;
  }
  await waitFor(
    `new ${roles}`,
    () => roles.map((role) => service.pid(role)),
    (now) => now.every((pid) => pid !== undefined && !pids.includes(pid)),
    { withinMs },
  );
}

/** Every address but the hosts' own, whether ARP is answered as usual, and what the daemons say: one line to compare. */
export async function stateOf(topology: Topology, services: readonly Service[]): Promise<string> {
  const addresses = await Promise.all(
    topology.directors.map(async (host, index) => {
      const { stdout } = await host.execAsync(["ip", "-j", "-4", "address"]);
      const own = ["127.0.0.1", topology.plan.directors[index]];
      return addressesIn(stdout)
        .filter(({ address }) => !own.includes(address))
        .map(({ device, address }) => `${host.name} ${device} ${address}`)
        .sort();
    }),
  );
  const quiet = topology.directors.map((host) =>
    host.tryExec(["sysctl", "-n", "net.ipv4.conf.eth0.arp_ignore"]).stdout.trim(),
  );
  const healths = await Promise.all(
    services.map(({ director }) =>
      statusOf(director).then(
        ({ problems, instances }) => `${instances.map(({ phase }) => phase)} ${problems.join("; ")}`.trim(),
        () => "no answer",
      ),
    ),
  );
  return [...addresses.flat(), `arp_ignore ${quiet}`, ...healths].join(", ");
}

function addressesIn(json: string): { readonly device: string; readonly address: string }[] {
  const links = JSON.parse(json || "[]") as { ifname: string; addr_info: { local?: string }[] }[];
  return links.flatMap(({ ifname, addr_info }) =>
    addr_info.flatMap(({ local }) => (local === undefined ? [] : [{ device: ifname, address: local }])),
  );
}

/** Waits until what is seen is good, and sees it so again a while later. */
export async function becomes(
  good: string,
  look: () => Promise<string>,
  services: readonly Service[],
  { withinMs, everyMs }: { readonly withinMs: number; readonly everyMs: number },
): Promise<void> {
  const lastLines = () =>
    services.flatMap(({ director, swept }) => [
      `-- ${director.host.name}`,
      ...director.lines.slice(-15),
      ...swept.slice(-5),
    ]);
  await waitFor("both are whole", look, (seen) => seen === good, {
    withinMs,
    everyMs,
    show: (seen) => [seen, `wanted: ${good}`, ...lastLines()].join("\n"),
  });
  await sleep(SETTLED_MS);
  assert.equal(await look(), good, lastLines().join("\n"));
}

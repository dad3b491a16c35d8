import { type Director, type PairOptions, startDirector, vrrpYaml } from "./director.ts";
import { startWeb, type WebServer } from "./servers.ts";
import { type Method, Topology, type TopologyOptions } from "./topology.ts";
import { waitFor } from "./wait.ts";
import { weights } from "./witness.ts";

/** The configuration of a director in front of one weighted web service: the usual case, for the demo and for people. */
export function webYaml(topology: Topology, number: 1 | 2, forward: Method, options: PairOptions = {}): string {
  const { check = "{ interval: 1s, timeout: 1s, rise: 2, fall: 2 }" } = options;
  const servers = topology.servers.map(
    ({ address }, index) => `      - { address: ${address}:80, weight: ${index + 1} }\n`,
  );
  return `${vrrpYaml(topology, number, options)}defaults:
  check: ${check}
services:
  web:
    listen: ${topology.plan.vip}:80
    scheduler: wrr
    forward: ${forward}
    checks: [{ http: { path: /healthz } }]
    servers:
${servers.join("")}`;
}

/** Two directors of this project in front of web servers, up and serving. */
export interface Pair {
  readonly topology: Topology;
  readonly directors: readonly Director[];
  readonly web: readonly WebServer[];
}

/** What the directors said last, for the message of a failure. */
export function lastWords(directors: readonly Director[]): string {
  return directors.map((director) => `-- ${director.host.name}\n${director.lines.slice(-12).join("\n")}`).join("\n");
}

/** Waits until lb1 alone holds the VIP and both tables have this many servers. */
export async function serving({ topology, directors }: Pair, servers: number, withinMs = 120_000): Promise<void> {
  const { vip } = topology.plan;
  try {
    await waitFor(
      `lb1 holds ${vip} and both tables have ${servers} servers`,
      async () => {
        const tables = await Promise.all(topology.directors.map((host) => weights(host, vip, 80)));
        return { holders: topology.holders(), servers: tables.map((table) => table.size) };
      },
      (seen) => {
        const ended = directors.find((director) => director.program.hasEnded);
        if (ended !== undefined) throw new Error(`the director on ${ended.host.name} ended`);
        return seen.holders.join() === "lb1" && seen.servers.every((count) => count === servers);
      },
      // Each look starts four programs: in a guest, looking more often would slow down what is looked at.
      { withinMs, everyMs: 500 },
    );
  } catch (error) {
    const states = await Promise.all(directors.map((director) => director.command(["status"])));
    const status = states.map(({ stdout, stderr }) => `${stdout}${stderr}`).join("\n");
    throw new Error(`${(error as Error).message}\n${lastWords(directors)}\n${status}`);
  }
}

/** Builds the topology, starts web servers and both directors, and returns when clients are served. */
export async function startPair(options: TopologyOptions & PairOptions & { readonly forward?: Method }): Promise<Pair> {
  const topology = new Topology({ servers: 3, directors: 2, ...options });
  try {
    const web = await startWeb(
      topology.servers.map((server) => server.host),
      topology.dir,
    );
    const forward = options.forward ?? topology.method ?? "dr";
    const directors = ([1, 2] as const).map((number) =>
      startDirector(topology, topology.lb(number), webYaml(topology, number, forward, options)),
    );
    const pair = { topology, directors, web };
    await serving(pair, topology.servers.length);
    return pair;
  } catch (error) {
    await topology.close();
    throw error;
  }
}

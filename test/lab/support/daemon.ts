import { mkdirSync, writeFileSync } from "node:fs";
import { request } from "node:http";
import { join } from "node:path";
import type { EventPage, JournalEvent } from "../../../src/control/events.ts";
import type { OverrideAnswer } from "../../../src/control/overrides.ts";
import type { DirectorStatus, ReloadReport } from "../../../src/control/status.ts";
import type { KernelPlan } from "../../../src/plan/model.ts";
import { assertIsEvent, assertIsStatus } from "../../support/json-schema.ts";
import type { Running } from "./commands.ts";
import { Director, PROGRAM } from "./director.ts";
import type { Host } from "./hosts.ts";
import { waitFor } from "./wait.ts";

export interface DaemonOptions {
  readonly yaml: string;
  readonly environment?: Readonly<Record<string, string>>;
  /** Command line in front of the daemon's, such as `setpriv --reuid 65534`. */
  readonly wrapper?: readonly string[];
  readonly program?: string;
}

export interface DaemonPlace {
  readonly file: string;
  readonly runDir: string;
  readonly stateDir: string;
}

/** Where a daemon that lives in `home` keeps its files; the folders exist afterwards. */
export function placeIn(home: string): DaemonPlace {
  const place = { file: join(home, "holdfast.yaml"), runDir: join(home, "run"), stateDir: join(home, "state") };
  for (const dir of [place.runDir, place.stateDir]) mkdirSync(dir, { recursive: true });
  return place;
}

/** Starts `holdfast run` with everything in `home`, in an environment and under a wrapper of the caller's choice. */
export function startDaemon(host: Host, home: string, options: DaemonOptions): Director {
  const { file, runDir, stateDir } = placeIn(home);
  writeFileSync(file, options.yaml);
  const { wrapper = [], program = PROGRAM, environment = {} } = options;
  const argv = [process.execPath, program, "run", file, "--run-dir", runDir, "--state-dir", stateDir];
  const running = host.start([...wrapper, ...argv], { name: `holdfast in ${home}`, environment });
  return new Director(host, running, file, runDir);
}

/**
 * Asks the control socket: in a guest that takes a hundredth of the time of the program's own commands, which have tests
 * of their own. Sockets in the file system are the same in every network namespace.
 */
function ask(
  director: Director,
  method: "GET" | "POST",
  path: string,
  body?: unknown,
): Promise<{ status: number; body: unknown }> {
  return new Promise((resolve, reject) => {
    const socketPath = join(director.file, "../run/control.sock");
    const asked = request({ socketPath, method, path, timeout: 60_000 }, async (response) => {
      let text = "";
      for await (const chunk of response) text += chunk;
      resolve({ status: response.statusCode ?? 0, body: JSON.parse(text) });
    });
    asked.once("error", reject);
    asked.once("timeout", () => asked.destroy(new Error(`${path} was not answered within 60 s`)));
    asked.end(body === undefined ? undefined : JSON.stringify(body));
  });
}

/** Every status that a scenario looks at is held against the JSON Schema. */
export async function statusOf(director: Director): Promise<DirectorStatus> {
  const { body } = await ask(director, "GET", "/v1/status");
  assertIsStatus(body);
  return body as DirectorStatus;
}

export async function planOf(director: Director): Promise<KernelPlan> {
  const { status, body } = await ask(director, "GET", "/v1/plan");
  if (status !== 200) throw new Error(`plan: ${JSON.stringify(body)}`);
  return body as KernelPlan;
}

/** What happened, the newest last; of some types only. */
export async function eventsOf(director: Director, ...types: readonly string[]): Promise<readonly JournalEvent[]> {
  const query = types.map((type) => `&type=${type}`).join("");
  const { events } = (await ask(director, "GET", `/v1/events?limit=1000${query}`)).body as EventPage;
  for (const event of events) assertIsEvent(event);
  return events;
}

/** Orders something about a server, over what its checks say. @param body as the control API takes it */
export async function orderTo(director: Director, body: Readonly<Record<string, unknown>>): Promise<OverrideAnswer> {
  const answer = await ask(director, "POST", "/v1/overrides", body);
  if (answer.status !== 200) throw new Error(`order: ${JSON.stringify(answer.body)}`);
  return answer.body as OverrideAnswer;
}

/** Writes another configuration and has it taken. @returns what changed */
export async function applyYaml(director: Director, yaml: string): Promise<readonly string[]> {
  writeFileSync(director.file, yaml);
  const { status, body } = await ask(director, "POST", "/v1/reload");
  if (status !== 200) throw new Error(`reload: ${JSON.stringify(body)}`);
  return (body as ReloadReport).changes;
}

/** Waits until both children took their configuration. */
export async function isRunning(director: Director, withinMs = 60_000): Promise<DirectorStatus> {
  const { seen } = await waitFor(
    "both children run",
    async () => (director.program.hasEnded ? null : await statusOf(director).catch(() => null)),
    (status) => director.program.hasEnded || status?.processes.every(({ state }) => state === "running") === true,
    { withinMs, everyMs: 100, show: () => director.lines.slice(-20).join("\n") },
  );
  if (seen === null) throw new Error(`the director ended:\n${director.lines.slice(-20).join("\n")}`);
  return seen;
}

export async function childPid(director: Director, name: "vrrp" | "checker"): Promise<number> {
  const pid = (await statusOf(director)).processes.find((child) => child.name === name)?.pid;
  if (pid === undefined || pid === null) throw new Error(`the ${name} process has no pid`);
  return pid;
}

/** Receives what a program tells the service manager, one line a datagram, its lines joined by `|`. Perl is on every Debian. */
export async function startNotifyWitness(host: Host, path: string): Promise<Running> {
  const script =
    'socket(S, AF_UNIX, SOCK_DGRAM, 0) and bind(S, sockaddr_un($ARGV[0])) or die "$!"; $| = 1; print "listening\\n"; while (1) { recv(S, $b, 65536, 0); $b =~ s/\\n(?=.)/|/g; $b =~ s/\\n//g; print "$b\\n" }';
  const witness = host.start(["perl", "-MSocket", "-e", script, path], { name: "service manager" });
  await witness.line(/listening/);
  return witness;
}

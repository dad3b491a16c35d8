// lab-needs: ipvs
// What a failing server, a weighing script, a hung script and an endless body do to the table, as ipvsadm sees it.
import assert from "node:assert/strict";
import { readFileSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import type { Outcome, Running } from "./support/commands.ts";
import { type Director, startDirector, vrrpYaml } from "./support/director.ts";
import { makeCertificate, startEndless, startWeb, type WebServer } from "./support/servers.ts";
import { Topology } from "./support/topology.ts";
import { waitFor } from "./support/wait.ts";
import { curl, weights } from "./support/witness.ts";

const INTERVAL_MS = 2000;
const TIMEOUT_MS = 1500;
const RISE = 2;
const FALL = 3;

const PLAIN = 80;
const QUIESCED = 81;
const WEIGHED = 82;
const HUNG = 83;
const ENDLESS = 84;
const GUARDED = 85;
const AUTHORIZATION = "Bearer correct-horse-battery-staple";
const SECURE = 443;
const MAX_BODY_BYTES = 64 * 1024;
/** What the two socket buffers of a connection hold on top of what was read: the kernel's maxima are 4 and 6 MiB. */
const SOCKET_BUFFERS_BYTES = 10 << 20;

/** A process is alive unless it is gone or a zombie. */
function isAlive(pid: number): boolean {
  try {
    return !/^State:\s+[ZX]/m.test(readFileSync(`/proc/${pid}/status`, "utf8"));
  } catch {
    return false;
  }
}

describe("health checks and the table", () => {
  let topology: Topology;
  let director: Director;
  let web: WebServer[];
  let endless: Running[];
  const paths = { weight: "", pids: "", token: "" };

  const server = (number: number, port: number): string => `${topology.rs(number).address}:${port}`;
  const servers = (port: number): string => `[${[1, 2, 3].map((number) => server(number, port)).join(", ")}]`;
  const seen = (port: number): Promise<ReadonlyMap<string, number>> => weights(topology.lb(1), topology.plan.vip, port);

  /** Waits for a service to look like this. @returns how long after the call it last did not, for certain */
  async function becomes(port: number, wanted: Readonly<Record<string, number>>, withinMs: number): Promise<number> {
    const started = performance.now();
    let lastOtherMs = 0;
    await waitFor(
      `port ${port} has ${JSON.stringify(wanted)}`,
      async () => {
        const lookedMs = performance.now() - started;
        const now = Object.fromEntries([...(await seen(port))].sort());
        const isThere = JSON.stringify(now) === JSON.stringify(Object.fromEntries(Object.entries(wanted).sort()));
        if (!isThere) lastOtherMs = lookedMs;
        return { isThere, now };
      },
      (look) => look.isThere || director.program.hasEnded,
      { withinMs, show: (look) => `${JSON.stringify(look.now)}\n${director.lines.slice(-15).join("\n")}` },
    );
    assert.ok(!director.program.hasEnded, `the director ended:\n${director.lines.slice(-15).join("\n")}`);
    return lastOtherMs;
  }

  const all = (port: number, weight = 1): Record<string, number> =>
    Object.fromEntries([1, 2, 3].map((number) => [server(number, port), weight]));
  const without2 = (port: number): Record<string, number> => ({ [server(1, port)]: 1, [server(3, port)]: 1 });

  before(async () => {
    topology = new Topology({ method: "dr", servers: 3, directors: 1 });
    const { vip } = topology.plan;
    paths.weight = join(topology.dir, "weight");
    paths.pids = join(topology.dir, "pids");
    paths.token = join(topology.dir, "token");
    writeFileSync(paths.token, `${AUTHORIZATION}\n`, { mode: 0o600 });
    writeFileSync(paths.weight, "weight=7\n");
    writeFileSync(paths.pids, "");
    const weigh = join(topology.dir, "weigh.sh");
    writeFileSync(weigh, `#!/bin/sh\ncat ${paths.weight}\n`, { mode: 0o755 });
    const hang = join(topology.dir, "hang.sh");
    const hanging = `#!/bin/sh\ntrap '' TERM INT HUP\nsleep 1000 &\necho $$ $! >>${paths.pids}\nwhile :; do sleep 1000; done\n`;
    writeFileSync(hang, hanging, { mode: 0o755 });
    const certificate = makeCertificate(topology.dir, "www.example.org");
    web = await startWeb(
      topology.servers.map((entry) => entry.host),
      topology.dir,
      {
        ports: [PLAIN, QUIESCED, WEIGHED, HUNG, GUARDED],
        tlsPorts: [SECURE],
        certificate,
        authorization: AUTHORIZATION,
      },
    );
    endless = await Promise.all([2, 3].map((number) => startEndless(topology.rs(number).host, ENDLESS)));
    const tls = (name: string): string => `tls: { serverName: ${name}, ca: ${certificate.cert} }`;
    director = startDirector(
      topology,
      topology.lb(1),
      `${vrrpYaml(topology, 1)}defaults:
  check: { interval: ${INTERVAL_MS}ms, timeout: ${TIMEOUT_MS}ms, rise: ${RISE}, fall: ${FALL} }
services:
  plain: { listen: ${vip}:${PLAIN}, scheduler: rr, forward: dr, servers: ${servers(PLAIN)}, checks: [{ http: { path: /healthz } }] }
  quiesced: { listen: ${vip}:${QUIESCED}, forward: dr, onDown: quiesce, servers: ${servers(QUIESCED)}, checks: [tcp] }
  weighed: { listen: ${vip}:${WEIGHED}, forward: dr, servers: [${server(1, WEIGHED)}], checks: [{ script: { run: [${weigh}], weight: true } }] }
  hung:
    listen: ${vip}:${HUNG}
    forward: dr
    servers: [{ address: ${server(1, HUNG)}, checks: [tcp] }, { address: ${server(2, HUNG)}, checks: [tcp, { script: { run: [${hang}] } }] }]
  endless:
    listen: ${vip}:${ENDLESS}
    forward: dr
    servers:
      - { address: ${server(3, ENDLESS)}, weight: 1, checks: [{ http: { path: /status-only } }] }
      - { address: ${server(2, ENDLESS)}, checks: [{ http: { path: /, maxBody: ${MAX_BODY_BYTES / 1024}KiB, expect: { body: { contains: never } } } }] }
  guarded: { listen: ${vip}:${GUARDED}, forward: dr, servers: ${servers(GUARDED)}, checks: [{ http: { path: /guarded, headers: { Authorization: { file: ${paths.token} } } } }] }
  secure:
    listen: ${vip}:${SECURE}
    forward: dr
    servers:
      - { address: ${server(1, SECURE)}, checks: [{ https: { path: /healthz, ${tls("www.example.org")} } }] }
      - { address: ${server(2, SECURE)}, checks: [{ https: { path: /healthz, ${tls("other.example.org")} } }] }
      - { address: ${server(3, SECURE)}, checks: [{ https: { path: /healthz, tls: { serverName: www.example.org } } }] }
`,
    );
    await becomes(PLAIN, all(PLAIN), 60_000);
    await becomes(QUIESCED, all(QUIESCED), 30_000);
    await waitFor(
      "lb1 holds the VIP",
      () => topology.holders().length,
      (count) => count === 1,
      { withinMs: 20_000 },
    );
  });

  after(() => topology?.close());

  it("a server whose listener dies leaves within interval × fall + timeout, and returns after rise", async () => {
    const askedMs = performance.now();
    await web[1]?.stop();
    // It died at some time in between.
    const stopMs = performance.now() - askedMs;
    const [leftMs] = await Promise.all([
      becomes(PLAIN, without2(PLAIN), 60_000),
      becomes(QUIESCED, { ...all(QUIESCED), [server(2, QUIESCED)]: 0 }, 60_000),
    ]);
    const boundMs = INTERVAL_MS * FALL + TIMEOUT_MS;
    assert.ok(leftMs <= boundMs, `still there ${leftMs} ms after its end, bound ${boundMs} ms`);
    const mostMs = stopMs + leftMs;
    assert.ok(mostMs >= INTERVAL_MS * (FALL - 1) - TIMEOUT_MS, `gone after ${mostMs} ms, before ${FALL} failures`);
    const answers = await curl(topology.client, `http://${topology.plan.vip}:${PLAIN}/`, 20);
    assert.deepEqual(Object.fromEntries(answers), { rs1: 10, rs3: 10 });

    await web[1]?.start();
    const [backMs] = await Promise.all([becomes(PLAIN, all(PLAIN), 60_000), becomes(QUIESCED, all(QUIESCED), 60_000)]);
    const riseMs = INTERVAL_MS * RISE + TIMEOUT_MS;
    assert.ok(backMs <= riseMs, `still absent ${backMs} ms after its return, bound ${riseMs} ms`);
    console.log(
      `        left after ${Math.round(leftMs)} ms (bound ${boundMs}), back after ${Math.round(backMs)} ms (bound ${riseMs})`,
    );
  });

  it("a script sets the weight, and the table follows", async () => {
    await becomes(WEIGHED, { [server(1, WEIGHED)]: 7 }, 20_000);
    writeFileSync(paths.weight, "weight=23\n");
    const tookMs = await becomes(WEIGHED, { [server(1, WEIGHED)]: 23 }, 20_000);
    assert.ok(tookMs <= INTERVAL_MS + TIMEOUT_MS, `the new weight took ${tookMs} ms`);
  });

  it("a hung script that ignores SIGTERM is gone in time with all it started, and its server is down", async () => {
    await becomes(HUNG, { [server(1, HUNG)]: 1 }, 20_000);
    const attempts = (): number[][] =>
      readFileSync(paths.pids, "utf8")
        .split("\n")
        .filter(Boolean)
        .map((line) => line.split(" ").map(Number));
    const before = attempts().length;
    await waitFor(
      "two more attempts have begun",
      () => attempts().length,
      (count) => count >= before + 2,
      { withinMs: 30_000 },
    );
    // Whatever begins while we look, all attempts but the latest have had their time, and none of them has left a process.
    const survivors = attempts().slice(0, -1).flat().filter(isAlive);
    assert.deepEqual(survivors, []);
  });

  it("an endless body costs a bounded amount, and is not read where only the status counts", async () => {
    await becomes(ENDLESS, { [server(3, ENDLESS)]: 1 }, 30_000);
    for (const program of endless) await program.line(/^taken \d+/, 30_000);
    const taken = endless.flatMap((program) =>
      program.lines.map((line) => Number(/^taken (\d+)/.exec(line)?.[1] ?? 0)),
    );
    assert.ok(
      Math.max(...taken) <= MAX_BODY_BYTES + SOCKET_BUFFERS_BYTES,
      `one connection took ${Math.max(...taken)} bytes`,
    );
    console.log(
      `        ${taken.length} connections ended, the largest took ${Math.round(Math.max(...taken) / 1024)} KiB with the kernel's buffers`,
    );
  });

  it("the secret of a header stands in a file, is read anew with a reload, and is shown nowhere", async () => {
    await becomes(GUARDED, all(GUARDED), 30_000);
    const reload = (): Promise<Outcome> => director.command(["reload"]);
    writeFileSync(paths.token, "Bearer of-yesterday\n");
    const { status, stdout, stderr } = await reload();
    assert.equal(status, 0, stderr);
    assert.match(stdout, /token: contents changed/);
    await becomes(GUARDED, {}, 60_000);
    writeFileSync(paths.token, "two\nlines\n");
    const refused = await reload();
    assert.equal(refused.status, 78);
    assert.match(refused.stderr, /holdfast\.yaml:\d+:\d+: error: the secret file .*token holds more than one line/);
    writeFileSync(paths.token, AUTHORIZATION);
    assert.equal((await reload()).status, 0);
    await becomes(GUARDED, all(GUARDED), 60_000);
    const shown = [await director.command(["status", "--json"]), await director.command(["events", "--json"]), refused];
    const text = [stdout, ...director.lines, ...shown.map((one) => one.stdout + one.stderr)].join("\n");
    assert.doesNotMatch(text, /correct-horse|of-yesterday/);
  });

  it("https: a certificate for another name, or from an unknown authority, is no passing check", async () => {
    await becomes(SECURE, { [server(1, SECURE)]: 1 }, 30_000);
  });
});

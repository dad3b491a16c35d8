// lab-needs: netns
// Metrics of a pair, read by a real Prometheus over the network; what a scrape costs the process that speaks VRRP: nothing.
import assert from "node:assert/strict";
import { copyFileSync, mkdirSync, writeFileSync } from "node:fs";
import { basename, join } from "node:path";
import { shownUnder } from "../support/document-parts.ts";
import type { Running } from "./support/commands.ts";
import { tryRun } from "./support/commands.ts";
import { applyYaml, childPid, statusOf } from "./support/daemon.ts";
import { type Director, startDirector, vrrpYaml } from "./support/director.ts";
import {
  controlScrape,
  METRICS_PORT,
  parseScrape,
  promtoolCheck,
  RULE_TESTS,
  RULES,
  sampleOf,
  scrapeText,
} from "./support/metrics.ts";
import { Topology } from "./support/topology.ts";
import { held } from "./support/vrrp-pair.ts";
import { waitFor } from "./support/wait.ts";
import { adverts, startCapture } from "./support/witness.ts";

const ADVERTISE_MS = 100;
/** Asked one after the other, without a pause. */
const SCRAPES = 20_000;
const PROMETHEUS = "127.0.0.1:9090";
/** As docs/metrics.md calls it. */
const JOB = "holdfast-web";

describe("metrics of a pair", () => {
  let topology: Topology;
  let directors: Director[];
  let prometheus: Running;

  const address = (number: 1 | 2): string => `${topology.plan.directors[number - 1]}:${METRICS_PORT}`;
  const yaml = (number: 1 | 2, listen = address(number)): string =>
    `metrics: { listen: "${listen}" }\n${vrrpYaml(topology, number, { advertise: `${ADVERTISE_MS}ms` })}`;
  const director = (number: 1 | 2): Director => {
    const found = directors[number - 1];
    assert.ok(found !== undefined);
    return found;
  };

  before(async () => {
    topology = new Topology({ directors: 2 });
    directors = [];
    for (const number of [1, 2] as const) {
      directors.push(startDirector(topology, topology.lb(number), yaml(number)));
      await held(topology, ["lb1"], directors);
    }
    await directors[1]?.program.line(/initialize -> backup/);
  });
  after(() => topology?.close());

  it("promtool has nothing against the alert rules, and sees each of them fire in its story", () => {
    for (const argv of [
      ["promtool", "check", "rules", RULES],
      ["promtool", "test", "rules", RULE_TESTS],
    ]) {
      const { status, stdout, stderr } = tryRun(argv);
      assert.equal(status, 0, `${argv.join(" ")}\n${stdout}${stderr}`);
    }
  });

  it("are the same on the control socket and on the address, in both formats, and promtool finds no fault", async () => {
    const text = await controlScrape(director(1));
    assert.equal(promtoolCheck(text), "");
    const names = (of: string) => [...parseScrape(of).keys()].sort();
    assert.deepEqual(names(await scrapeText(topology.client, `http://${address(1)}/metrics`)), names(text));
    const open = ["--header", "Accept: application/openmetrics-text;version=1.0.0,text/plain;q=0.1"];
    const openText = await scrapeText(topology.client, `http://${address(1)}/metrics`, open);
    assert.match(openText, /# EOF\n$/);
    assert.deepEqual(names(openText), names(text));
    assert.equal(sampleOf(parseScrape(text), 'holdfast_vrrp_state{vrrp_instance="outside",state="master"}'), 1);
  });

  it(`${SCRAPES} scrapes without a pause send the vrrp process nothing and delay no advert`, async function () {
    this.timeout(180_000);
    const file = join(topology.dir, "adverts.pcap");
    const url = `http://${address(1)}/metrics`;
    const capture = await startCapture(topology.client, file, "eth0", "vrrp");
    const look = async () => ({ atMs: performance.now(), scrape: parseScrape(await controlScrape(director(1))) });
    const before = await look();
    const loop = topology.client.start(
      [
        "curl",
        "--silent",
        "--fail",
        "--output",
        "/dev/null",
        "--noproxy",
        "*",
        "--write-out",
        "%{http_code}\n",
        `${url}?[1-${SCRAPES}]`,
      ],
      { name: "scrapes" },
    );
    assert.equal(await loop.ended(120_000), 0);
    const after = await look();
    const packets = adverts(await capture.stop());
    assert.equal(loop.lines.filter((line) => line === "200").length, SCRAPES);

    const seconds = (after.atMs - before.atMs) / 1_000;
    const grown = (sample: string) => sampleOf(after.scrape, sample) - sampleOf(before.scrape, sample);
    // Asked each second whether it answers; nothing else.
    const sent = grown('holdfast_process_messages_total{process="vrrp",direction="sent"}');
    assert.ok(sent <= seconds + 2, `${sent} messages to the vrrp process in ${seconds.toFixed(1)} s`);
    const inTime = (le: string) =>
      grown(`holdfast_vrrp_timer_lateness_seconds_bucket{vrrp_instance="outside",timer="advert",le="${le}"}`);
    const gaps = packets.slice(1).map(({ atMs }, index) => atMs - (packets[index]?.atMs ?? 0));
    const worstMs = Math.max(...gaps);
    console.log(
      `        ${SCRAPES} scrapes in ${seconds.toFixed(1)} s; ${sent} messages to vrrp; ${inTime("+Inf")} adverts, ` +
        `${inTime("0.001")} within 1 ms, ${inTime("0.01")} within 10 ms; longest gap ${worstMs.toFixed(1)} ms`,
    );
    assert.ok(packets.length >= 3, `${packets.length} adverts were seen`);
    assert.ok(worstMs < 3 * ADVERTISE_MS, `${worstMs} ms without an advert`);
    assert.ok(
      packets.every(({ source }) => source === topology.plan.directors[0]),
      "and the peer never took over",
    );
  });

  it("a real Prometheus, told of both directors as docs/metrics.md says, reads them and evaluates every rule", async function () {
    this.timeout(120_000);
    const home = join(topology.dir, "prometheus");
    mkdirSync(home);
    const config = join(home, "prometheus.yml");
    copyFileSync(RULES, join(home, basename(RULES)));
    const paces = "global: { scrape_interval: 1s, scrape_timeout: 1s, evaluation_interval: 1s }\n";
    const shown = shownUnder("docs/metrics.md", /^Metrics$/);
    const names = /lb([12])\.example\.net:\d+/g;
    assert.equal(shown.match(names)?.length, 2, shown);
    writeFileSync(config, paces + shown.replace(names, (_, number) => address(number === "1" ? 1 : 2)));
    prometheus = topology.client.start(
      [
        "prometheus",
        `--config.file=${config}`,
        `--storage.tsdb.path=${home}/data`,
        `--web.listen-address=${PROMETHEUS}`,
      ],
      { name: "prometheus" },
    );
    await prometheus.line(/Server is ready to receive web requests/, 60_000);
    const { seen } = await waitFor(
      "both directors are up",
      () => query(`up{job="${JOB}"}`),
      (result) => result.filter(({ value }) => value === 1).length === 2,
      {
        withinMs: 30_000,
        everyMs: 200,
        show: (result) => `${JSON.stringify(result)}\n${prometheus.lines.slice(-5).join("\n")}`,
      },
    );
    assert.deepEqual(seen.map(({ metric }) => metric.instance).sort(), [address(1), address(2)].sort());
    const masters = await query(`holdfast_vrrp_state{state="master"} == 1`);
    assert.deepEqual(
      masters.map(({ metric }) => [metric.instance, metric.vrrp_instance]),
      [[address(1), "outside"]],
    );
    // The scrape is whole: nothing was left out as a double, out of order or malformed.
    const kept = await query("scrape_samples_scraped - scrape_samples_post_metric_relabeling");
    assert.deepEqual(
      kept.map(({ value }) => value),
      [0, 0],
    );
    const rules = await waitFor(
      "every rule was evaluated",
      async () => (await api<RuleGroups>("rules")).groups.flatMap((group) => group.rules),
      (all) => all.length > 20 && all.every(({ health }) => health === "ok"),
      { withinMs: 30_000, everyMs: 200 },
    );
    console.log(`        ${rules.seen.length} rules evaluated without an error`);
  });

  it("a process that dies is an alert in Prometheus, and its counters begin anew", async function () {
    this.timeout(120_000);
    const before = parseScrape(await controlScrape(director(2)));
    process.kill(await childPid(director(2), "vrrp"), "SIGKILL");
    const alert = await waitFor(
      "HoldfastProcessRestarted fires",
      () => query('ALERTS{alertname="HoldfastProcessRestarted", alertstate="firing"}'),
      (result) => result.length > 0,
      { withinMs: 60_000, everyMs: 200 },
    );
    assert.deepEqual(
      alert.seen.map(({ metric }) => [metric.instance, metric.process, metric.severity]),
      [[address(2), "vrrp", "warning"]],
    );
    const after = parseScrape(await controlScrape(director(2)));
    const started = 'holdfast_process_start_time_seconds{process="vrrp"}';
    assert.equal(sampleOf(after, 'holdfast_process_restarts_total{process="vrrp"}'), 1);
    assert.ok(sampleOf(after, started) > sampleOf(before, started));
    const heard = 'holdfast_vrrp_adverts_received_total{vrrp_instance="outside"}';
    assert.ok(sampleOf(after, heard) < sampleOf(before, heard));
  });

  it("move and end with a reload; an address in use is a problem, and nothing ends of it", async () => {
    const local = `127.0.0.1:${METRICS_PORT + 1}`;
    assert.deepEqual(await applyYaml(director(2), yaml(2, local)), ["metrics.listen changed"]);
    await scrapeText(topology.lb(2), `http://${local}/metrics`);
    const closed = await topology.client.execAsync([
      "curl",
      "--silent",
      "--max-time",
      "5",
      `http://${address(2)}/metrics`,
    ]);
    assert.notEqual(closed.status, 0);
    const script = 'require("net").createServer().listen(9652, "127.0.0.1", () => console.log("taken"))';
    const other = topology.lb(2).start([process.execPath, "-e", script], { name: "another program" });
    await other.line(/taken/);
    await applyYaml(director(2), yaml(2, "127.0.0.1:9652"));
    const taken = /metrics are not served on 127\.0\.0\.1:9652: the address is in use/;
    assert.ok((await statusOf(director(2))).problems.some((problem) => taken.test(problem)));
    assert.equal(sampleOf(parseScrape(await controlScrape(director(2))), "holdfast_healthy"), 0);
    await other.stop();
    await waitFor(
      "it is served when the address is free",
      () => statusOf(director(2)),
      ({ problems }) => problems.length === 0,
      { withinMs: 30_000, everyMs: 200 },
    );
    await scrapeText(topology.lb(2), "http://127.0.0.1:9652/metrics");
  });

  interface Sampled {
    readonly metric: Readonly<Record<string, string>>;
    readonly value: number;
  }
  interface RuleGroups {
    readonly groups: readonly { readonly rules: readonly { readonly name: string; readonly health: string }[] }[];
  }

  async function api<Data>(path: string, options: readonly string[] = []): Promise<Data> {
    const text = await scrapeText(topology.client, `http://${PROMETHEUS}/api/v1/${path}`, options);
    return (JSON.parse(text) as { data: Data }).data;
  }

  async function query(expression: string): Promise<readonly Sampled[]> {
    const options = ["--get", "--data-urlencode", `query=${expression}`];
    type Vector = { result: readonly { metric: Record<string, string>; value: readonly [number, string] }[] };
    const { result } = await api<Vector>("query", options);
    return result.map(({ metric, value }) => ({ metric, value: Number(value[1]) }));
  }
});

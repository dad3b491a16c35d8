import assert from "node:assert/strict";
import { Exposition } from "../../src/metrics/exposition.ts";
import { FAMILIES } from "../../src/metrics/families.ts";
import { sampleSnapshot, sampleStatus } from "../support/sample-status.ts";

const OPEN_METRICS = "application/openmetrics-text; version=1.0.0; charset=utf-8";
const TEXT = "text/plain; version=0.0.4; charset=utf-8";

function rig(snapshot = sampleSnapshot()) {
  const state = { nowMs: 0, taken: 0, costMs: 0 };
  const exposition = new Exposition({
    nowMs: () => state.nowMs,
    snapshot: () => {
      state.taken += 1;
      state.nowMs += state.costMs;
      return snapshot;
    },
  });
  const scrape = async (accept?: string) => {
    const { contentType, body } = await exposition.expose(accept);
    return { contentType, lines: body.toString().split("\n") };
  };
  return { state, scrape };
}

describe("metrics as Prometheus reads them", () => {
  it("writes what is known, with the labels of what it belongs to", async () => {
    const { lines } = await rig().scrape();
    for (const line of [
      'holdfast_vrrp_state{vrrp_instance="web4",state="master"} 1',
      'holdfast_vrrp_state{vrrp_instance="web4",state="backup"} 0',
      'holdfast_vrrp_transitions_total{vrrp_instance="web4",from="backup",to="master",reason="no_master"} 2',
      'holdfast_vrrp_packets_rejected_total{vrrp_instance="web4",reason="ttl"} 4',
      'holdfast_vrrp_anomalies_total{vrrp_instance="web4",kind="split_brain"} 1',
      'holdfast_vrrp_tracked_ok{vrrp_instance="web4",tracked="interface eth1"} 0',
      'holdfast_vrrp_timer_lateness_seconds_bucket{vrrp_instance="web4",timer="advert",le="0.0001"} 2',
      'holdfast_vrrp_timer_lateness_seconds_bucket{vrrp_instance="web4",timer="advert",le="0.005"} 3',
      'holdfast_vrrp_timer_lateness_seconds_bucket{vrrp_instance="web4",timer="advert",le="+Inf"} 3',
      'holdfast_vrrp_timer_lateness_seconds_sum{vrrp_instance="web4",timer="advert"} 0.00261',
      'holdfast_vrrp_timer_lateness_seconds_count{vrrp_instance="web4",timer="advert"} 3',
      'holdfast_service_servers{service="web",verdict="down"} 1',
      'holdfast_service_servers_serving{service="web"} 1',
      'holdfast_service_connections_total{service="web",listen="tcp://192.0.2.10:80"} 9',
      'holdfast_server_up{service="web",server="10.0.0.11:80"} 1',
      'holdfast_server_up{service="web",server="10.0.0.12:80"} 0',
      'holdfast_server_weight{service="web",server="10.0.0.11:80"} 3',
      'holdfast_server_weight{service="web",server="10.0.0.12:80"} 0',
      'holdfast_server_open_connections{service="web",server="10.0.0.11:80",listen="tcp://192.0.2.10:80",state="active"} 2',
      'holdfast_server_bytes_total{service="web",server="10.0.0.11:80",listen="tcp://192.0.2.10:80",direction="out"} 500',
      'holdfast_check_attempts_total{service="web",server="10.0.0.11:80",check="tcp",outcome="passed"} 7',
      'holdfast_check_attempts_total{service="web",server="10.0.0.11:80",check="tcp",outcome="failed"} 3',
      'holdfast_check_attempts_total{service="web",server="10.0.0.11:80",check="tcp",outcome="not_run"} 1',
      'holdfast_check_duration_seconds_sum{service="web",server="10.0.0.11:80",check="tcp"} 0.025',
      'holdfast_check_duration_seconds_count{service="web",server="10.0.0.11:80",check="tcp"} 10',
      'holdfast_process_up{process="vrrp"} 1',
      'holdfast_process_up{process="checker"} 0',
      'holdfast_process_cpu_seconds_total{process="supervisor"} 1.5',
      'holdfast_process_messages_total{process="vrrp",direction="sent"} 5',
      'holdfast_sync_daemon_running{daemon="backup"} 1',
      'holdfast_schedule_missed_runs{schedule="monthly drill"} 2',
      'holdfast_schedule_last_run_successful{schedule="monthly drill"} 0',
      "holdfast_healthy 0",
      "holdfast_last_reload_successful 1",
      'holdfast_reloads_total{result="refused"} 0',
    ])
      assert.ok(lines.includes(line), `${line}\n${lines.join("\n")}`);
  });

  it("leaves out what is not known or does not pass here, instead of telling 0", async () => {
    const { lines } = await rig().scrape();
    const none = (start: string) =>
      assert.deepEqual(
        lines.filter((line) => line.startsWith(start)),
        [],
      );
    none('holdfast_server_up{service="web",server="10.0.0.13:80"');
    none('holdfast_service_bytes_total{service="web",listen="tcp://192.0.2.10:80",direction="out"');
    none('holdfast_server_connections_total{service="web",server="10.0.0.12:80"');
    none('holdfast_process_open_fds{process="vrrp"');
    none('holdfast_process_resident_memory_bytes{process="checker"');
    none("holdfast_drill_last_timestamp_seconds{");
  });

  it("says what each name means, once, before its samples, and no sample twice", async () => {
    const { lines } = await rig().scrape();
    for (const { name, type, help } of FAMILIES) {
      assert.equal(lines.filter((line) => line === `# HELP ${name} ${help}`).length, 1, name);
      assert.equal(lines.filter((line) => line === `# TYPE ${name} ${type}`).length, 1, name);
    }
    const samples = lines
      .filter((line) => line !== "" && !line.startsWith("#"))
      .map((line) => line.replace(/ \S+$/, ""));
    assert.equal(new Set(samples).size, samples.length);
    const known = new Set(FAMILIES.flatMap(({ name }) => ["", "_bucket", "_sum", "_count"].map((end) => name + end)));
    for (const sample of samples) assert.ok(known.has(sample.replace(/\{.*$/, "")), sample);
  });

  it("gives every sample the labels that its family declares", async () => {
    const snapshot = sampleSnapshot();
    for (const { name, labels, read } of FAMILIES)
      for (const sample of read(snapshot))
        assert.deepEqual(
          Object.keys(sample.labels).filter((label) => label !== "le"),
          labels,
          name,
        );
  });

  it("names follow the rules: a prefix, base units, _total for counters and for nothing else", () => {
    for (const { name, type, help, labels } of FAMILIES) {
      assert.match(name, /^holdfast_[a-z_]+$/);
      assert.equal(name.endsWith("_total"), type === "counter", name);
      assert.doesNotMatch(name, /_(ms|us|millis\w*|kb|percent)(_|$)/, name);
      assert.match(help, /^[A-Z01].*\.$/, `${name}: a sentence`);
      for (const label of labels) assert.doesNotMatch(label, /^(instance|job|le|quantile)$/, `${name} ${label}`);
    }
  });

  it("a word from outside cannot break the text", async () => {
    const status = sampleStatus();
    const [first] = status.instances;
    assert.ok(first !== undefined);
    const what = 'script "a\\b"\nx';
    const track = [{ what, weight: null, isPassing: true, effect: 0, state: "" }];
    const { lines } = await rig(sampleSnapshot({ ...status, instances: [{ ...first, track }] })).scrape();
    assert.ok(lines.includes('holdfast_vrrp_tracked_ok{vrrp_instance="web4",tracked="script \\"a\\\\b\\"\\nx"} 1'));
  });

  it("speaks OpenMetrics to who prefers it", async () => {
    const { scrape } = rig();
    const accept =
      "application/openmetrics-text;version=1.0.0;escaping=allow-utf-8;q=0.6,text/plain;version=0.0.4;q=0.5,*/*;q=0.2";
    const open = await scrape(accept);
    assert.equal(open.contentType, OPEN_METRICS);
    assert.deepEqual(open.lines.slice(-2), ["# EOF", ""]);
    assert.ok(open.lines.includes("# TYPE holdfast_events counter"));
    assert.ok(open.lines.includes('holdfast_events_total{type="drift"} 0'));
    for (const plain of [
      undefined,
      "*/*",
      "text/plain",
      "text/html, nonsense;q=x;;,",
      "application/openmetrics-text;q=0.1,text/plain",
      "application/openmetrics-text;q=0",
    ])
      assert.equal((await scrape(plain)).contentType, TEXT, plain);
    const text = await scrape();
    assert.ok(text.lines.includes("# TYPE holdfast_events_total counter"));
    const samples = (lines: readonly string[]) => lines.filter((line) => line !== "" && !line.startsWith("#"));
    assert.deepEqual(samples(open.lines), samples(text.lines));
  });

  it("is fresh each time while it is cheap, and takes a tenth of the time at most", async () => {
    const { state, scrape } = rig();
    await scrape();
    await scrape();
    assert.equal(state.taken, 2);
    state.costMs = 100;
    await scrape();
    state.nowMs += 899;
    await scrape();
    assert.equal(state.taken, 3, "the text of 100 ms is good for another 900");
    state.nowMs += 1;
    await scrape();
    assert.equal(state.taken, 4);
  });

  it("of ten thousand servers is written in turns, and reads as if it were not", async () => {
    const [web] = sampleStatus().services;
    const [first] = web?.servers ?? [];
    assert.ok(web !== undefined && first !== undefined);
    const servers = Array.from({ length: 10_000 }, (_, i) => ({ ...first, server: `10.0.${i >> 8}.${i & 255}:80` }));
    const { scrape } = rig(sampleSnapshot({ ...sampleStatus(), services: [{ ...web, servers }] }));
    let turns = 0;
    let isDone = false;
    const count = (): void => {
      turns += 1;
      if (!isDone) setImmediate(count);
    };
    count();
    const { lines } = await scrape();
    isDone = true;
    for (const { name } of FAMILIES) assert.equal(lines.filter((line) => line.startsWith(`# TYPE ${name} `)).length, 1);
    const weights = lines.filter((line) => line.startsWith("holdfast_server_weight{"));
    assert.deepEqual(
      weights,
      servers.map(({ server }) => `holdfast_server_weight{service="web",server="${server}"} 3`),
    );
    const attempts = lines.filter((line) => line.startsWith("holdfast_check_attempts_total{"));
    assert.equal(new Set(attempts).size, 30_000);
    // As many as there are pages of two thousand samples, and then some.
    assert.ok(turns > FAMILIES.length + lines.length / 2_500, `${turns} turns for ${lines.length} lines`);
  });

  it("makes one text for all who ask at the same time", async () => {
    const { state, scrape } = rig();
    const all = await Promise.all([scrape(), scrape(), scrape("application/openmetrics-text"), scrape()]);
    assert.deepEqual([state.taken, all.map(({ lines }) => lines.length > 100)], [2, [true, true, true, true]]);
  });

  it("is whole again after a scrape that failed", async () => {
    let fails = true;
    const exposition = new Exposition({
      nowMs: () => 0,
      snapshot: () => {
        if (fails) throw new Error("boom");
        return sampleSnapshot();
      },
    });
    await assert.rejects(exposition.expose(undefined), /boom/);
    fails = false;
    assert.ok((await exposition.expose(undefined)).body.length > 1_000);
  });
});

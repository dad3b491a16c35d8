import assert from "node:assert/strict";
import { readFileSync } from "node:fs";
import { join } from "node:path";
import { tryRun } from "./commands.ts";
import { type Director, ROOT } from "./director.ts";
import type { Host } from "./hosts.ts";

export const METRICS_PORT = 9650;
export const RULES = join(ROOT, "etc/prometheus/holdfast.rules.yaml");
export const RULE_TESTS = join(ROOT, "test/fixtures/prometheus/rules.test.yaml");

/** What a scrape says, by the sample's name with its labels, as written: `holdfast_healthy`, `…{process="vrrp"}`. */
export type Scrape = ReadonlyMap<string, number>;

export function parseScrape(text: string): Scrape {
  const lines = text.split("\n").filter((line) => line !== "" && !line.startsWith("#"));
  return new Map(
    lines.map((line) => [line.slice(0, line.lastIndexOf(" ")), Number(line.slice(line.lastIndexOf(" ") + 1))]),
  );
}

/** One answer of /metrics as text, read by curl from a host. */
export async function scrapeText(host: Host, url: string, options: readonly string[] = []): Promise<string> {
  const { status, stdout, stderr } = await host.execAsync([
    ...["curl", "--silent", "--show-error", "--fail", "--max-time", "30", "--noproxy", "*"],
    ...options,
    url,
  ]);
  assert.equal(status, 0, `${url}: ${stderr}`);
  return stdout;
}

/** By the control socket, which is the same in every network namespace. */
export function controlScrape(director: Director, options: readonly string[] = []): Promise<string> {
  const socket = join(director.file, "../run/control.sock");
  return scrapeText(director.host, "http://holdfast/metrics", ["--unix-socket", socket, ...options]);
}

export function sampleOf(scrape: Scrape, sample: string): number {
  const value = scrape.get(sample);
  assert.ok(value !== undefined, `no ${sample}`);
  return value;
}

/** promtool's opinion of a text. It complains on standard error, and says nothing if all is well. */
export function promtoolCheck(text: string): string {
  const { stdout, stderr } = tryRun(["promtool", "check", "metrics"], text);
  return `${stdout}${stderr}`.trim();
}

/** Every name that the alert rules and the dashboard ask for. */
export function askedNames(): string[] {
  const files = [RULES, join(ROOT, "etc/grafana/holdfast.json")].map((path) => readFileSync(path, "utf8"));
  return [...new Set(files.flatMap((text) => [...text.matchAll(/\bholdfast_[a-z_]+/g)].map(([name]) => name)))];
}

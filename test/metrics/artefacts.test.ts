import assert from "node:assert/strict";
import { readFileSync } from "node:fs";
import { dirname, resolve } from "node:path";
import { fileURLToPath } from "node:url";
import { parse } from "yaml";
import { FAMILIES } from "../../src/metrics/families.ts";
import type { Family } from "../../src/metrics/family.ts";

const root = resolve(dirname(fileURLToPath(import.meta.url)), "../../..");
const read = (path: string): string => readFileSync(`${root}/${path}`, "utf8");

const RULES = "etc/prometheus/holdfast.rules.yaml";
const RULE_TESTS = "test/fixtures/prometheus/rules.test.yaml";
const DASHBOARD = "etc/grafana/holdfast.json";

interface Rule {
  readonly alert: string;
  readonly expr: string;
  readonly labels: { readonly severity: string };
  readonly annotations: { readonly summary: string; readonly description: string; readonly runbook: string };
}

const rules = (parse(read(RULES)) as { groups: readonly { rules: readonly Rule[] }[] }).groups.flatMap(
  (group) => group.rules,
);

/** What samples may be called, by the family that they belong to. */
const samples = new Map(
  FAMILIES.flatMap((family): [string, Family][] =>
    family.type === "histogram" || family.type === "summary"
      ? ["_bucket", "_sum", "_count"].map((end) => [family.name + end, family])
      : [[family.name, family]],
  ),
);

/** Labels that Prometheus adds itself. */
const ADDED = ["job", "instance"];

/** Every selector of an expression: a metric's name and the labels in the braces behind it. */
function selectors(text: string): { readonly name: string; readonly labels: readonly string[] }[] {
  return [...text.matchAll(/\b(holdfast_[a-z_]+)(?:\{([^}]*)\})?/g)].map(([, name = "", inner = ""]) => ({
    name,
    labels: [...inner.matchAll(/([a-z_]+)\s*(?:=~|!~|!=|=)/g)].map((match) => match[1] ?? ""),
  }));
}

function agree(where: string, text: string): void {
  for (const { name, labels } of selectors(text)) {
    const family = samples.get(name);
    assert.ok(family !== undefined, `${where}: there is no metric ${name}`);
    const known = [...family.labels, ...ADDED, ...(name.endsWith("_bucket") ? ["le"] : [])];
    for (const label of labels) assert.ok(known.includes(label), `${where}: ${name} has no label ${label}`);
  }
}

/** Every string in a JSON value. */
function strings(value: unknown): readonly string[] {
  if (typeof value === "string") return [value];
  return typeof value === "object" && value !== null ? Object.values(value).flatMap(strings) : [];
}

describe("alert rules", () => {
  for (const { alert, expr, labels, annotations } of rules) {
    it(`${alert} asks for what there is, and says what to do`, () => {
      assert.match(alert, /^Holdfast[A-Z]/);
      agree(alert, expr);
      assert.ok(["page", "warning"].includes(labels.severity), labels.severity);
      assert.ok(annotations.summary.length <= 120, "a summary is read on a telephone");
      assert.match(annotations.description, /\.$/);
      const labelsThere = selectors(expr).flatMap(({ name }) => samples.get(name)?.labels ?? []);
      for (const [, label = ""] of `${annotations.summary}${annotations.description}`.matchAll(/\$labels\.(\w+)/g))
        assert.ok([...ADDED, ...labelsThere].includes(label), `$labels.${label}`);
      assert.equal(annotations.runbook, `docs/alerts.md#${alert.toLowerCase()}`);
      assert.match(read("docs/alerts.md"), new RegExp(`^## ${alert}$`, "m"), "docs/alerts.md has a section");
    });

    it(`${alert} is seen to fire by a test for promtool`, () => {
      assert.ok(read(RULE_TESTS).includes(`alertname="${alert}"`));
    });
  }

  it("no two have the same name", () => {
    assert.equal(new Set(rules.map(({ alert }) => alert)).size, rules.length);
  });

  it("their tests tell what a director really tells", () => {
    agree(RULE_TESTS, read(RULE_TESTS).replace(/^ +expr: .*$/gm, ""));
  });
});

describe("the dashboard", () => {
  const dashboard = JSON.parse(read(DASHBOARD)) as { readonly panels: readonly { readonly id: number }[] };

  it("asks for what there is", () => {
    const asked = strings(dashboard).filter((text) => text.includes("holdfast_"));
    assert.ok(asked.length > 30);
    for (const text of asked) agree("dashboard", text);
  });

  it("gives every panel a number of its own", () => {
    const ids = dashboard.panels.map(({ id }) => id);
    assert.equal(new Set(ids).size, ids.length);
  });
});

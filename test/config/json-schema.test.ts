import assert from "node:assert/strict";
import { existsSync, readdirSync, readFileSync } from "node:fs";
import { join } from "node:path";
import { Ajv2020 } from "ajv/dist/2020.js";
import fc from "fast-check";
import { parse } from "yaml";
import { configJsonSchema } from "../../src/config/json-schema.ts";
import { rootSchema } from "../../src/config/schema/root.ts";
import { blocksOf, pages, ROOT, textOf } from "../support/documents.ts";
import { load } from "./support.ts";

const validate = new Ajv2020({
  strict: true,
  allowUnionTypes: true,
  strictTuples: false,
  strictRequired: false,
}).compile(configJsonSchema());
const read = (text: string): unknown => parse(text, { merge: true, prettyErrors: false });

/** Whether an editor would mark nothing in it. */
function assertTaken(value: unknown, what: string): void {
  assert.ok(validate(value), `${what}: ${JSON.stringify(validate.errors?.slice(0, 3))}`);
}

/**
 * Broken files in which JSON Schema finds nothing wrong, and why: what is left for `holdfast check`. The rest of the broken
 * files, as far as they are YAML at all, it must refuse.
 */
const BEYOND_JSON_SCHEMA: Readonly<Record<string, string>> = {
  "address-in-two-instances": "compares instances",
  "dr-with-another-port": "compares a server with its service",
  "hash-on-wrr": "joins two keys",
  "impossible-addresses": "knows what an address means",
  "loopback-server": "knows what an address means",
  "mixed-families": "compares a server with its service",
  "same-listen-twice": "compares services",
  "same-server-twice": "compares servers",
  "same-vrid": "compares instances",
  "schedules-that-mean-nothing": "compares schedules with what they are about",
  "timeout-above-interval": "compares durations",
  "yaml-version": "is about YAML, not about what stands in it",
};

describe("the JSON Schema of the configuration", () => {
  const examples = ["etc", "etc/examples"].flatMap((folder) =>
    readdirSync(join(ROOT, folder))
      .filter((name) => name.endsWith(".yaml"))
      .map((name) => `${folder}/${name}`),
  );

  for (const path of examples) it(`takes ${path}`, () => assertTaken(read(textOf(path)), path));

  it("takes every whole configuration of the documents", () => {
    const whole = pages().flatMap((page) =>
      blocksOf(textOf(page))
        .filter(({ language, text }) => language === "yaml" && load(text).ok)
        .map(({ text }) => ({ page, text })),
    );
    assert.ok(whole.length >= 5, `${whole.length} of them`);
    for (const { page, text } of whole) assertTaken(read(text), `${page}:\n${text}`);
  });

  const fixtures = join(ROOT, "test/fixtures/config");
  const texts = readdirSync(fixtures).flatMap((name) => {
    const file = join(fixtures, name, "holdfast.yaml");
    return existsSync(file) ? [{ name, text: readFileSync(file, "utf8") }] : [];
  });
  for (const { name, text } of texts) {
    let value: unknown;
    try {
      value = read(text);
    } catch {
      // Not even YAML: an editor says so without a schema.
      continue;
    }
    if (load(text).ok) it(`takes the fixture ${name}`, () => assertTaken(value, name));
    else if (name in BEYOND_JSON_SCHEMA)
      it(`leaves the fixture ${name} to check: ${BEYOND_JSON_SCHEMA[name]}`, () => assertTaken(value, name));
    else it(`refuses the fixture ${name}`, () => assert.ok(!validate(value)));
  }

  it("takes whatever the schema takes that reads the file", () => {
    const whole = read(textOf("etc/holdfast.yaml"));
    const paths = leavesOf(whole);
    assert.ok(paths.length > 20);
    const values = fc.oneof(
      fc.jsonValue({ maxDepth: 1 }),
      fc.integer({ min: -2, max: 70_000 }),
      fc.constantFrom(
        ...[
          "1s",
          " 2s ",
          "1.5s",
          "500ms",
          "1h",
          "64KiB",
          "true",
          "nat",
          "wrr",
          "tcp",
          "eth0",
          "/",
          "reload",
          "200-299",
        ],
        ...[
          "10.0.0.1:80",
          "[2001:db8::1]:80",
          "udp://10.0.0.1:53",
          "192.0.2.1/24",
          "2001:db8::1/64",
          "::ffff:10.0.0.1",
        ],
        ...["file:/a", "credential:b", "0 4 * * *", "UTC", "multicast", "quiesce"],
      ),
    );
    let taken = 0;
    fc.assert(
      fc.property(fc.constantFrom(...paths), values, (path, value) => {
        const changed = withValue(whole, path, value);
        if (!rootSchema.safeParse(changed).success) return;
        taken += 1;
        assertTaken(changed, `${path.join(".")} = ${JSON.stringify(value)}`);
      }),
      { numRuns: 400 },
    );
    assert.ok(taken > 5, `${taken} of the changed files were good`);
  });

  it("tells an editor what a key means, what it takes and its default", () => {
    const schema = configJsonSchema() as { properties: { node: { description: string } } };
    assert.equal(
      schema.properties.node.description,
      "Name of this node in logs and status. Takes a name of letters, digits, dots, dashes and underscores, at most 63, that begins with a letter or digit. Default: the host name.",
    );
  });
});

type Path = readonly (string | number)[];

/** The paths of all values inside that hold none themselves. */
function leavesOf(value: unknown, path: Path = []): readonly Path[] {
  if (typeof value !== "object" || value === null) return [path];
  return Object.entries(value).flatMap(([key, inner]) =>
    leavesOf(inner, [...path, Array.isArray(value) ? Number(key) : key]),
  );
}

function withValue(whole: unknown, [first, ...rest]: Path, value: unknown): unknown {
  if (first === undefined) return value;
  const copy = Array.isArray(whole) ? [...(whole as unknown[])] : { ...(whole as Record<string, unknown>) };
  (copy as Record<string | number, unknown>)[first] = withValue(
    (whole as Record<string | number, unknown>)[first],
    rest,
    value,
  );
  return copy;
}

import assert from "node:assert/strict";
import { Ajv2020 } from "ajv/dist/2020.js";
import { EventJournal } from "../../src/app/event-journal.ts";
import { SCHEMA_NAMES } from "../../src/cli/commands/schema.ts";
import { jsonSchemaOf } from "../../src/cli/schema.ts";
import { eventJsonSchema, statusJsonSchema } from "../../src/control/schemas.ts";
import { assertIsEvent, assertIsStatus, eventErrors, statusErrors } from "../support/json-schema.ts";
import { directorStatus, downServer, instanceStatus, serverStatus, serviceStatus } from "../support/status.ts";

const OVERRIDE = {
  type: "drain",
  state: "draining",
  weight: null,
  since: "2026-01-01T00:00:00.000Z",
  until: "2026-01-01T01:00:00.000Z",
  deadline: null,
  connections: 3,
  cut: null,
  reason: "new kernel",
  by: "root",
} as const;

describe("JSON Schemas of what the daemon answers", () => {
  const full = directorStatus({
    instances: [
      instanceStatus({
        track: [
          { what: "interface eth1", weight: -20, isPassing: false, effect: -20, state: "interface eth1 is down" },
        ],
        heard: { address: "192.0.2.3", priority: 0, at: "2026-01-01T00:00:00.000Z" },
        counters: { ...instanceStatus().counters, rejected: { bad_checksum: 3 } },
      }),
    ],
    services: [
      serviceStatus("web", [serverStatus("10.0.0.11:80", { override: OVERRIDE }), downServer("10.0.0.12:80")]),
    ],
    sync: { instance: "web4", interface: "eth1", id: 1, role: "backup", note: "" },
    drift: { mode: "repair", repairs: 1, differences: 0, examples: [], since: null },
  });

  it("take a status, and the parts that may be absent", () => {
    assertIsStatus(full);
    assertIsStatus(directorStatus({ instances: [], services: [] }));
  });

  it("refuse one with a field too few, one too many, or one of another kind", () => {
    const { health, ...less } = full;
    assert.match(statusErrors(less).join(), /required property 'health'/);
    assert.match(statusErrors({ ...full, more: 1 }).join(), /additional.*more/);
    assert.match(statusErrors({ ...full, version: 2 }).join(), /\/version must be equal to constant/);
    assert.match(statusErrors({ ...full, startedAt: "yesterday" }).join(), /\/startedAt must match pattern/);
    const [server] = full.services[0]?.servers ?? [];
    const services = [
      serviceStatus("web", [{ ...server, verdict: health } as unknown as ReturnType<typeof serverStatus>]),
    ];
    assert.match(
      statusErrors({ ...full, services }).join(),
      /\/services\/0\/servers\/0\/verdict must be equal to one of/,
    );
  });

  it("printed for programs, they take fields that are added one day", () => {
    const ajv = new Ajv2020({ strict: true, allowUnionTypes: true, validateFormats: false });
    assert.ok(ajv.compile(statusJsonSchema())({ ...full, more: 1 }));
    assert.ok(!ajv.compile(statusJsonSchema())({ ...full, health: "fine" }));
    assert.ok(!ajv.compile(eventJsonSchema())({}));
  });

  it("take every event as the journal makes it", () => {
    const store = { recover: () => ({ lines: [], problems: [] }), append: async () => ({ written: 0, error: null }) };
    const journal = new EventJournal({ store: { ...store, close: async () => {} }, wallMs: Date.now, say: () => {} });
    const event = { type: "server", subject: "service web", from: null, to: null, cause: "" } as const;
    journal.take({ level: "warning", source: "checker", message: "", event });
    for (const kept of journal.after(0, 10)) assertIsEvent(kept);
    assert.match(eventErrors({ ...journal.after(0, 1)[0], type: "sever" }).join(), /\/type must be equal to one of/);
  });

  it("each is of the draft that it names", () => {
    for (const name of SCHEMA_NAMES) {
      const schema = jsonSchemaOf(name) as { $schema: string; title: string };
      assert.equal(schema.$schema, "https://json-schema.org/draft/2020-12/schema");
      assert.match(schema.title, /holdfast director$/);
      new Ajv2020({
        strict: true,
        allowUnionTypes: true,
        validateFormats: false,
        strictTuples: false,
        strictRequired: false,
      }).compile(schema);
    }
  });
});

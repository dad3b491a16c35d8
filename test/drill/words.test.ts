import assert from "node:assert/strict";
import fc from "fast-check";
import { objections } from "../../src/drill/preconditions.ts";
import { formatProbeLine, type ProbeLine, parseProbeLine } from "../../src/drill/probe-lines.ts";
import { formatTarget, parseTarget } from "../../src/drill/target.ts";

describe("drill: targets", () => {
  it("reads what can be asked, and writes it back", () => {
    for (const text of [
      "icmp://192.0.2.10",
      "icmp://[2001:db8::10]",
      "tcp://192.0.2.10:80",
      "tcp://[2001:db8::10]:443",
      "http://192.0.2.10/",
      "http://192.0.2.10:8080/healthz?a=b",
      "http://[2001:db8::10]/",
    ]) {
      const target = parseTarget(text);
      assert.ok(target.ok, text);
      assert.equal(formatTarget(target.value), text);
    }
    const short = parseTarget("http://192.0.2.10");
    assert.ok(short.ok && formatTarget(short.value) === "http://192.0.2.10/");
  });

  it("refuses the rest", () => {
    for (const text of [
      ...[
        "",
        "192.0.2.10",
        "https://192.0.2.10/",
        "icmp://",
        "icmp://host",
        "icmp://192.0.2.10:1",
        "icmp://[192.0.2.10]",
      ],
      ...["tcp://192.0.2.10", "tcp://192.0.2.10:0", "http://www.example.org/", "http:///", "http://192.0.2.10/a b"],
      ...["http://192.0.2.10/\n", `http://192.0.2.10/${"a".repeat(500)}`, "ICMP://192.0.2.10"],
    ])
      assert.equal(parseTarget(text).ok, false, text);
  });
});

describe("drill: lines of a prober", () => {
  const lines: readonly ProbeLine[] = [
    { type: "start", version: 1, target: "icmp://192.0.2.10", everyUs: 10_000, timeoutUs: 1_000_000 },
    { type: "sample", id: 0, sentUs: 0, tookUs: 180, reason: "" },
    { type: "sample", id: 1, sentUs: 10_000, tookUs: null, reason: "ECONNREFUSED" },
    { type: "end", sent: 2, failed: 1 },
  ];

  it("are read as they were written", () => {
    for (const line of lines)
      assert.deepEqual(parseProbeLine(formatProbeLine(line).trimEnd()), { ok: true, value: line });
  });

  it("of another version, or of another program, are refused with a reason that cannot move the cursor", () => {
    const rows: readonly (readonly [string, RegExp])[] = [
      ['{"type":"start","version":2}', /speaks version 2 and this director 1: use the same holdfast/],
      ["bash: holdfast: command not found", /no JSON: bash: holdfast: command not found/],
      ["\u001b[2Jx", /no JSON: {2}\[2Jx|no JSON: {1,2}\[2Jx/],
      ['{"type":"sample","id":-1,"sentUs":0,"tookUs":0,"reason":""}', /incomplete sample/],
      ['{"type":"sample","id":1,"sentUs":0.5,"tookUs":0,"reason":""}', /incomplete sample/],
      ["null", /no object/],
      ["{}", /no line of a prober/],
      ["x".repeat(2_000), /a line of 2000 characters/],
    ];
    for (const [text, sentence] of rows) {
      const line = parseProbeLine(text);
      assert.ok(!line.ok);
      assert.match(line.error, sentence);
    }
  });

  it("whatever comes, reading does not throw", () => {
    fc.assert(fc.property(fc.oneof(fc.string(), fc.json()), (text) => typeof parseProbeLine(text).ok === "boolean"));
  });
});

describe("drill: preconditions", () => {
  const master = {
    name: "web4",
    phase: "master" as const,
    reason: "",
    isHandingOver: false,
    addresses: ["192.0.2.10/24"],
    heard: null,
  };
  const fine = { kind: "handover" as const, instance: "web4", members: [master], problems: [], underWay: null };

  it("are met by a healthy master", () => assert.deepEqual(objections(fine), []));

  it("each has its sentence", () => {
    const rows = [
      [{ ...fine, underWay: "web6" }, ["a drill of web6 is under way"]],
      [{ ...fine, members: [] }, ["there is no instance web4, or its process is not running"]],
      [
        { ...fine, problems: ["service web: no server can serve"] },
        ["the director is degraded: service web: no server can serve"],
      ],
      [{ ...fine, members: [{ ...master, isHandingOver: true }] }, ["instance web4 is handing over"]],
      [
        {
          ...fine,
          members: [master, { ...master, name: "web6", phase: "fault" as const, reason: "interface is down" }],
        },
        ["instance web6 is not master here but fault: interface is down"],
      ],
      [
        { ...fine, members: [{ ...master, phase: "backup" as const, heard: { address: "192.0.2.3" } }] },
        ["instance web4 is not master here but backup: run the drill on the master, 192.0.2.3"],
      ],
    ] as const;
    for (const [situation, sentences] of rows) assert.deepEqual(objections(situation), sentences);
  });
});

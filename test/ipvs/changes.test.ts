import assert from "node:assert/strict";
import fc from "fast-check";
import { changesOf, describeChange, summarizeChanges } from "../../src/ipvs/changes.ts";
import { diff } from "../../src/ipvs/diff.ts";
import type { VirtualService } from "../../src/ipvs/model.ts";
import { arbitraryTable } from "../support/arbitrary-ipvs.ts";

const WEB: VirtualService = {
  family: 4,
  protocol: "tcp",
  address: "192.0.2.10",
  port: 80,
  scheduler: "sh",
  flags: { fallback: true, port: true },
  persistence: { timeoutS: 300, prefixLength: 24 },
  destinations: [
    { address: "10.0.0.1", port: 80, method: "dr", weight: 3 },
    { address: "10.0.0.2", port: 80, method: "dr", weight: 1 },
    { address: "10.0.0.3", port: 80, method: "dr", weight: 1 },
  ],
};

describe("ipvs/changes", () => {
  it("tells each object once, from before the first operation to after the last", () => {
    const [first] = WEB.destinations;
    assert.ok(first);
    const desired = [{ ...WEB, scheduler: "mh", persistence: null, destinations: [{ ...first, weight: 4 }] }];
    const changes = changesOf([WEB], diff([WEB], desired, new Set()));
    const told = changes.map((change) => describeChange(change, "web"));
    assert.deepEqual(told, [
      "service web (tcp://192.0.2.10:80) changed: sh fallback port persistent 300s/24 -> mh fallback port",
      "service web (tcp://192.0.2.10:80) server 10.0.0.1:80 changed: dr weight 3 -> dr weight 4",
      "service web (tcp://192.0.2.10:80) server 10.0.0.2:80 removed, was: dr weight 1",
      "service web (tcp://192.0.2.10:80) server 10.0.0.3:80 removed, was: dr weight 1",
    ]);
  });

  it("names what drift was found", () => {
    const [first] = WEB.destinations;
    assert.ok(first);
    const drifted = [
      {
        ...WEB,
        extras: ["persistence engine sip"],
        destinations: [{ ...first, method: null, extras: ["forwarding method 4"] }],
      },
    ];
    const desired = [{ ...WEB, destinations: [first] }];
    assert.deepEqual(changesOf(drifted, diff(drifted, desired, new Set())), [
      {
        service: "tcp://192.0.2.10:80",
        server: null,
        from: "sh fallback port persistent 300s/24 (persistence engine sip)",
        to: "sh fallback port persistent 300s/24",
      },
      {
        service: "tcp://192.0.2.10:80",
        server: "10.0.0.1:80",
        from: "foreign weight 3 (forwarding method 4)",
        to: "dr weight 3",
      },
    ]);
  });

  it("services come and go as one line each, servers of a new one with theirs", () => {
    const gone = changesOf([WEB], diff([WEB], [], new Set(["tcp://192.0.2.10:80"])));
    assert.deepEqual(
      gone.map((change) => describeChange(change, null)),
      ["service tcp://192.0.2.10:80 removed, was: sh fallback port persistent 300s/24"],
    );
    assert.equal(changesOf([], diff([], [WEB], new Set())).length, 4);
  });

  it("many servers of a service that change alike are one line of a log, and all others their own", () => {
    const [first] = WEB.destinations;
    assert.ok(first);
    const many = Array.from({ length: 11 }, (_, i) => ({ ...first, address: `10.0.1.${i}` }));
    const nameOf = () => "web";
    const added = changesOf([], diff([], [{ ...WEB, destinations: [...many, { ...first, weight: 9 }] }], new Set()));
    assert.deepEqual(summarizeChanges(added, nameOf), [
      "service web (tcp://192.0.2.10:80) added: sh fallback port persistent 300s/24",
      `service web (tcp://192.0.2.10:80) servers 10.0.1.0:80, 10.0.1.1:80, 10.0.1.2:80, 10.0.1.3:80, 10.0.1.4:80 and 6 more added: dr weight ${first.weight}`,
      "service web (tcp://192.0.2.10:80) server 10.0.0.1:80 added: dr weight 9",
    ]);
    const few = added.slice(0, 10);
    assert.deepEqual(
      summarizeChanges(few, nameOf),
      few.map((change) => describeChange(change, "web")),
    );
  });

  it("there is a change exactly for what differs (property)", () => {
    fc.assert(
      fc.property(arbitraryTable(), arbitraryTable(), (before, after) => {
        const changes = changesOf(before, diff(before, after, new Set()));
        for (const { from, to } of changes) assert.notEqual(from, to);
        assert.equal(new Set(changes.map(({ service, server }) => `${service} ${server}`)).size, changes.length);
      }),
    );
  });
});

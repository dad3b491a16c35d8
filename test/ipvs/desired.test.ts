import assert from "node:assert/strict";
import fc from "fast-check";
import type { ServiceConfig } from "../../src/config/model.ts";
import { DesiredTable, decisionKey, desiredTable, type ServerDecision } from "../../src/ipvs/desired.ts";
import { server, serviceConfig } from "../support/service-config.ts";

function decisions(...list: readonly [string, string, number, ServerDecision][]): Map<string, ServerDecision> {
  return new Map(list.map(([service, address, port, decision]) => [decisionKey(service, { address, port }), decision]));
}

const UP: ServerDecision = { present: true, weight: 5 };

describe("ipvs/desired", () => {
  it("one virtual service per listen endpoint, each with the servers that are present", () => {
    const web = serviceConfig({
      listen: [
        { protocol: "tcp", address: "192.0.2.10", port: 80 },
        { protocol: "udp", address: "192.0.2.10", port: 443 },
      ],
      scheduler: "sh",
      hashFallback: true,
      persistence: { timeoutS: 300, prefixLength: 24 },
    });
    const table = desiredTable(
      [web],
      decisions(["web", "10.0.0.11", 8080, UP], ["web", "10.0.0.12", 8080, { present: false, weight: 9 }]),
    );
    const common = {
      family: 4 as const,
      address: "192.0.2.10",
      scheduler: "sh",
      flags: { fallback: true, port: false },
      persistence: { timeoutS: 300, prefixLength: 24 },
      destinations: [{ address: "10.0.0.11", port: 8080, method: "nat" as const, weight: 5 }],
    };
    assert.deepEqual(table, [
      { ...common, protocol: "tcp", port: 80 },
      { ...common, protocol: "udp", port: 443 },
    ]);
  });

  it("a destination says its tunnel, unless that is plain IP-in-IP", () => {
    const tunnels = [{ type: "ipip" }, { type: "gre" }, { type: "gue", port: 6080 }] as const;
    const said = tunnels.map((tunnel) => {
      const web = serviceConfig({ forward: "tun", tunnel, servers: [server("10.0.0.12", 80)] });
      const decisions = new Map([
        [decisionKey("web", { address: "10.0.0.12", port: 80 }), { present: true, weight: 1 }],
      ]);
      return desiredTable([web], decisions)[0]?.destinations[0]?.tunnel;
    });
    assert.deepEqual(said, [undefined, { type: "gre" }, { type: "gue", port: 6080 }]);
  });

  it("in dr and tun the port of a destination is that of the service; in nat it is the server's", () => {
    for (const [forward, port] of [
      ["dr", 443],
      ["tun", 443],
      ["nat", 8080],
    ] as const) {
      const web = serviceConfig({ forward, listen: [{ protocol: "tcp", address: "2001:db8::1", port: 443 }] });
      const [service] = desiredTable([web], decisions(["web", "10.0.0.12", 8080, UP]));
      assert.equal(service?.family, 6);
      assert.deepEqual(service?.destinations, [{ address: "10.0.0.12", port, method: forward, weight: 5 }]);
    }
  });

  it("a server without a decision is absent, one of another service with the same address does not count", () => {
    const services = [
      serviceConfig(),
      serviceConfig({ name: "mail", listen: [{ protocol: "tcp", address: "192.0.2.10", port: 25 }] }),
    ];
    const [web, mail] = desiredTable(services, decisions(["mail", "10.0.0.11", 8080, { present: true, weight: 0 }]));
    assert.deepEqual(web?.destinations, []);
    assert.deepEqual(mail?.destinations, [{ address: "10.0.0.11", port: 8080, method: "nat", weight: 0 }]);
  });

  it("never lists a service or a destination twice, whatever slipped through validation", () => {
    const web = serviceConfig({ forward: "dr", servers: [server("10.0.0.11", 80), server("10.0.0.11", 81)] });
    const table = desiredTable(
      [web, { ...web, name: "again" }],
      decisions(["web", "10.0.0.11", 80, UP], ["web", "10.0.0.11", 81, UP], ["again", "10.0.0.11", 80, UP]),
    );
    assert.equal(table.length, 1);
    assert.equal(table[0]?.destinations.length, 1);
  });

  it("insists on whole weights up to 65535", () => {
    for (const weight of [-1, 1.5, 65536, Number.NaN]) {
      assert.throws(
        () => desiredTable([serviceConfig()], decisions(["web", "10.0.0.11", 8080, { present: true, weight }])),
        /weight/,
      );
    }
  });
});

describe("ipvs/desired kept between calls", () => {
  const names = ["web", "mail", "dns"];
  const services = names.map((name, i) =>
    serviceConfig({ name, listen: [{ protocol: "tcp", address: "192.0.2.10", port: 80 + i }] }),
  );

  it("is the table built anew, whatever verdicts and reloads came in between", () => {
    const step = fc.record({
      name: fc.constantFrom(...names),
      host: fc.constantFrom(11, 12),
      decision: fc.option(fc.record({ present: fc.boolean(), weight: fc.integer({ min: 0, max: 65_535 }) })),
      reloads: fc.boolean(),
    });
    fc.assert(
      fc.property(fc.array(step, { maxLength: 30 }), (steps) => {
        const kept = new DesiredTable();
        const known = new Map<string, ServerDecision>();
        let configured: readonly ServiceConfig[] = services;
        for (const { name, host, decision, reloads } of steps) {
          if (reloads)
            configured = configured.map((service) => serviceConfig({ ...service, scheduler: "rr" })).reverse();
          const key = decisionKey(name, { address: `10.0.0.${host}`, port: 8080 });
          if (decision === null) known.delete(key);
          else known.set(key, decision);
          kept.touch(name);
          assert.deepEqual(kept.build(configured, known), desiredTable(configured, known));
        }
      }),
    );
  });

  it("keeps the objects of services that nothing touched", () => {
    const kept = new DesiredTable();
    const before = kept.build(services, new Map());
    kept.touch("mail");
    const after = kept.build(services, new Map());
    assert.deepEqual(
      after.map((service, i) => service === before[i]),
      [true, false, true],
    );
  });
});

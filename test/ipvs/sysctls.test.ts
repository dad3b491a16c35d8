import assert from "node:assert/strict";
import { neededSysctls } from "../../src/ipvs/sysctls.ts";
import { serviceConfig } from "../support/service-config.ts";

const V6 = [{ protocol: "tcp" as const, address: "2001:db8::1", port: 80 }];

function commands(...services: Parameters<typeof serviceConfig>[0][]): string[] {
  return neededSysctls(services.map((part) => serviceConfig(part))).map(({ command }) => command);
}

describe("ipvs/sysctls", () => {
  it("nat needs forwarding for its family, dr and tun need nothing", () => {
    assert.deepEqual(commands({ forward: "dr" }, { forward: "tun", listen: V6 }), []);
    assert.deepEqual(commands({ forward: "nat" }), ["sysctl -w net.ipv4.ip_forward=1"]);
    assert.deepEqual(commands({ forward: "nat", listen: V6 }), ["sysctl -w net.ipv6.conf.all.forwarding=1"]);
  });

  it("persistence over servers that stay with weight 0 needs templates that expire", () => {
    const persistence = { timeoutS: 300, prefixLength: 32 };
    assert.deepEqual(commands({ forward: "dr", persistence }), []);
    assert.deepEqual(commands({ forward: "dr", onDown: "quiesce" }), []);
    assert.deepEqual(commands({ forward: "dr", persistence, onDown: "quiesce" }), [
      "sysctl -w net.ipv4.vs.expire_quiescent_template=1",
    ]);
  });

  it("lists each once and names the services, a few of them", () => {
    const [one, ...rest] = neededSysctls(["a", "b", "c", "d", "e"].map((name) => serviceConfig({ name })));
    assert.deepEqual(rest, []);
    assert.equal(one?.wanted, "1");
    assert.match(one?.why ?? "", /^services a, b, c and 2 more: /);
    assert.match(neededSysctls([serviceConfig()])[0]?.why ?? "", /^service web: /);
  });
});

import assert from "node:assert/strict";
import { EXIT, type ExitCode } from "../../src/base/exit-codes.ts";
import type { RealServerOptions } from "../../src/cli/commands/realserver.ts";
import { realServerCommand } from "../../src/cli/realserver.ts";
import { fakeFiles } from "../config/support.ts";
import { FakeRealServer } from "../support/fake-real-server.ts";

const OPTIONS: RealServerOptions = {
  ...{ runDir: "/r", stateDir: "/s", debug: false, action: "up", addresses: ["192.0.2.10"], from: null, name: null },
  ...{ method: "dr", arp: null, tunnel: null, port: null, interface: null, dryRun: false, json: false },
};
const FILE = `
services:
  web: { listen: "192.0.2.10:80", forward: dr, servers: ["192.0.2.21:80"], checks: [] }
  tunnelled: { listen: "192.0.2.11:80", forward: { tun: gue, port: 6081 }, servers: ["192.0.2.21:80"], checks: [] }
  elsewhere: { listen: "192.0.2.12:80", forward: dr, servers: ["192.0.2.22:80"], checks: [] }
  inside: { listen: "192.0.2.13:80", servers: ["192.0.2.21:80"], checks: [] }
`;

async function run(change: Partial<RealServerOptions>, host = new FakeRealServer(), isRoot = true) {
  const printed = { out: "", err: "" };
  const output = (name: "out" | "err") => ({
    write: (text: string) => {
      printed[name] += text;
    },
    isTerminal: false,
  });
  const terminal = { out: output("out"), err: output("err"), env: {} };
  const exitCode: ExitCode = await realServerCommand({ ...OPTIONS, ...change }, terminal, {
    host,
    files: fakeFiles({ "/etc/holdfast/holdfast.yaml": { content: FILE } }),
    nodeName: "rs1",
    isRoot,
    alone: (use) => use(),
  });
  return { exitCode, ...printed, host };
}

describe("holdfast realserver", () => {
  it("says what it changes, and nothing the second time", async () => {
    const host = new FakeRealServer();
    const first = await run({}, host);
    assert.equal(first.exitCode, EXIT.OK);
    assert.equal(
      first.out,
      "net.ipv4.conf.all.arp_ignore: 0 -> 1\nnet.ipv4.conf.all.arp_announce: 0 -> 2\naddress 192.0.2.10/32: absent -> lo\n",
    );
    assert.equal((await run({}, host)).out, "nothing to do\n");
    assert.deepEqual([(await run({ action: "check", addresses: [], method: null }, host)).out], ["no findings\n"]);
  });

  it("refuses a command line that does not make sense, in one sentence", async () => {
    const cases: readonly (readonly [Partial<RealServerOptions>, RegExp])[] = [
      [{ method: null }, /--method dr or --method tun/],
      [{ method: "nat" }, /needs only the director as its gateway/],
      [{ addresses: [] }, /at least one/],
      [{ addresses: ["192.0.2.10/24"] }, /stands alone, as 192\.0\.2\.10\/32/],
      [{ addresses: ["web"] }, /not an address/],
      [{ addresses: ["127.0.0.1"] }, /cannot be a virtual address/],
      [{ addresses: ["fe80::1"] }, /cannot be a virtual address/],
      [{ addresses: ["224.0.0.18"] }, /cannot be a virtual address/],
      [{ tunnel: "gre" }, /--tunnel belongs to --method tun/],
      [{ method: "tun", tunnel: "vxlan" }, /not ipip, gre or gue/],
      [{ method: "tun", port: "6080" }, /--port belongs to --tunnel gue/],
      [{ method: "tun", tunnel: "gue", port: "0" }, /1 to 65535/],
      [{ method: "tun", tunnel: "gue", port: "6e3" }, /1 to 65535/],
      [{ arp: "arptables" }, /not sysctl or nft/],
      [{ interface: "../all" }, /not the name of an interface/],
      [{ name: "a b" }, /not a name/],
      [{ from: "/etc/holdfast/holdfast.yaml" }, /addresses or --from/],
      [{ from: "/nowhere.yaml", addresses: [], method: null }, /not valid/],
    ];
    for (const [change, expected] of cases) {
      const { exitCode, err, host } = await run(change);
      assert.equal(exitCode, EXIT.USAGE, JSON.stringify(change));
      assert.match(err, expected);
      assert.equal(err.trim().split("\n").length, 1);
      assert.deepEqual(host.done, []);
    }
  });

  it("takes from the directors' file what concerns this machine", async () => {
    const { host } = await run({ from: "/etc/holdfast/holdfast.yaml", addresses: [], method: null, name: "all" });
    assert.deepEqual(
      host.record.wanted.map(({ address, name, tunnel }) => [address, name, tunnel?.type ?? null]),
      [
        ["192.0.2.10", "all", null],
        ["192.0.2.11", "all", "gue"],
      ],
    );
  });

  it("replaces the addresses of a name, adds bare ones, and gives up what was said", async () => {
    const host = new FakeRealServer();
    await run({ name: "web", addresses: ["192.0.2.10", "192.0.2.11"] }, host);
    await run({ addresses: ["192.0.2.12"] }, host);
    await run({ name: "web", addresses: ["192.0.2.11"] }, host);
    const wanted = () => host.record.wanted.map(({ address }) => address).sort();
    assert.deepEqual(wanted(), ["192.0.2.11", "192.0.2.12"]);
    await run({ action: "down", name: "web", addresses: [] }, host);
    assert.deepEqual(wanted(), ["192.0.2.12"]);
    await run({ action: "down", addresses: [], method: null }, host);
    assert.deepEqual(host.record, { wanted: [], undo: [] });
  });

  it("does nothing where something stands in the way, and says what", async () => {
    const host = new FakeRealServer();
    host.links = host.links.map((link) =>
      link.name === "eth0"
        ? { ...link, addresses: [...link.addresses, { address: "192.0.2.10", prefixLength: 24 }] }
        : link,
    );
    for (const change of [{}, { interface: "eth7" }]) {
      const { exitCode, out } = await run(change, host);
      assert.equal(exitCode, EXIT.FAILED);
      assert.match(out, /ip address del 192\.0\.2\.10\/24 dev eth0/);
    }
    assert.deepEqual(host.done, []);
  });

  it("is for root, but for looking", async () => {
    await assert.rejects(run({}, new FakeRealServer(), false), { code: "PRIVILEGE_MISSING" });
    assert.equal((await run({ dryRun: true }, new FakeRealServer(), false)).exitCode, EXIT.OK);
    const looked = await run({ action: "check" }, new FakeRealServer(), false);
    assert.equal(looked.exitCode, EXIT.FAILED);
    assert.match(looked.out, /\[virtual-address-missing\]/);
  });

  it("says where nothing was prepared", async () => {
    const { exitCode, err } = await run({ action: "check", addresses: [], method: null });
    assert.equal(exitCode, EXIT.FAILED);
    assert.match(err, /not prepared for any address/);
  });
});

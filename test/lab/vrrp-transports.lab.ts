// lab-needs: netns
// Two directors by unicast and by UDP, signed: takeover, handover, what goes over the wire, and what strangers achieve.
import assert from "node:assert/strict";
import { createHmac } from "node:crypto";
import { writeFileSync } from "node:fs";
import { join } from "node:path";
import type { IpText } from "../../src/base/ip.ts";
import { UdpVrrpSocket } from "../../src/sys/udp-vrrp-socket.ts";
import { RawVrrpSocket } from "../../src/sys/vrrp-socket.ts";
import { encodeAdvert } from "../../src/vrrp/advert.ts";
import { clockSequence, encodeTrailer } from "../../src/vrrp/hmac.ts";
import { inNamespace } from "../sys/in-namespace.ts";
import { runAsync } from "./support/commands.ts";
import { startDaemon, statusOf } from "./support/daemon.ts";
import type { Director } from "./support/director.ts";
import type { Host } from "./support/hosts.ts";
import { assertOnlyNetAdmin, ONLY_NET_ADMIN } from "./support/privileges.ts";
import { Topology } from "./support/topology.ts";
import { waitFor } from "./support/wait.ts";
import { type Capture, startCapture } from "./support/witness.ts";

const PORT = 1112;
const KEY = "00112233445566778899aabbccddeeff".repeat(2);
const NEXT_KEY = "0123456789abcdef".repeat(4);
const WRONG_KEY = "ff".repeat(32);
const VRID = 51;
const PRIORITIES = [150, 100] as const;
/** With intervals of 200 ms: three of them, and the skew of priority 100. */
const DOWN_MS = 3 * 200 + ((256 - 100) / 256) * 200;

type Kind = "unicast" | "udp";

for (const kind of ["unicast", "udp"] as const) {
  describe(`two directors by ${kind}, signed${kind === "udp" ? ", with CAP_NET_ADMIN alone" : ""}`, () => {
    let topology: Topology;
    let directors: readonly Director[];
    let captures = 0;

    beforeEach(async () => {
      topology = new Topology({ directors: 2 });
      directors = [1, 2].map((number) => start(number));
      await held("lb1");
    });
    afterEach(() => topology?.close());

    const addressOf = (number: number): IpText => topology.plan.directors[number - 1] ?? "";
    const lastWords = () => directors.flatMap(({ lines }) => ["--", ...lines.slice(-15)]).join("\n");

    const keyFile = (number: number, id: number) => join(topology.dir, `lb${number}`, `vrrp-${id}.key`);

    /** @param keys ids; @param active the one that signs */
    function yamlOf(number: number, keys: readonly number[], active: number): string {
      const { vip } = topology.plan;
      const cast = `transport: ${kind}, peers: [${addressOf(3 - number)}], ${kind === "udp" ? `port: ${PORT}, ` : ""}`;
      const files = keys.map((id) => `${id}: "file:${keyFile(number, id)}"`).join(", ");
      return `node: lb${number}
vrrp:
  instances:
    web: { interface: eth0, vrid: ${VRID}, priority: ${PRIORITIES[number - 1]}, advertise: 200ms, ${cast}addresses: [${vip}/32],
           auth: { hmac: { keys: { ${files} }, active: ${active} } } }
`;
    }

    function start(number: number): Director {
      writeFileSync(keyFile(number, 1), `hex:${KEY}\n`, { mode: 0o600 });
      const wrapper = kind === "udp" ? ONLY_NET_ADMIN : [];
      const home = join(topology.dir, `lb${number}`);
      return startDaemon(topology.lb(number), home, { yaml: yamlOf(number, [1], 1), wrapper });
    }

    function held(by: string): Promise<unknown> {
      return waitFor(
        `the VIP is held by ${by}`,
        () => topology.holders().join(),
        (seen) => seen === by,
        { withinMs: 15_000, show: (seen) => `${seen}\n${lastWords()}` },
      );
    }

    function capture(host: Host): Promise<Capture> {
      captures += 1;
      const filter = kind === "udp" ? `udp port ${PORT}` : "ip proto 112";
      return startCapture(host, join(topology.dir, `adverts-${captures}.pcap`), "eth0", filter);
    }

    function ping(): Promise<{ readonly status: number }> {
      return topology.client.execAsync(["ping", "-c1", "-W1", topology.plan.vip]);
    }

    function macOf(host: Host): string {
      return host.exec(["cat", "/sys/class/net/eth0/address"]).trim();
    }

    /** What the client's neighbour table says about the VIP. */
    const learned = () => topology.client.exec(["ip", "neigh", "show", topology.plan.vip]);

    const counters = async (number: number) => {
      const director = directors[number - 1];
      assert.ok(director !== undefined);
      const [instance] = (await statusOf(director)).instances;
      assert.ok(instance !== undefined);
      return instance;
    };

    if (kind === "udp") {
      it("runs with the one capability", async () => {
        for (const director of directors) await assertOnlyNetAdmin(director);
      });
    }

    it("takes over from a master that is cut off; clients find it; it gives way when the other is back", async () => {
      await waitFor("the client reaches the VIP", ping, ({ status }) => status === 0, { withinMs: 3_000 });
      assert.match(learned(), new RegExp(macOf(topology.lb(1))));
      topology.lb(1).cut("silent");
      const { tookMs } = await waitFor(
        "the client knows lb2 as the owner, without asking",
        learned,
        (line) => line.includes(macOf(topology.lb(2))),
        { withinMs: 10_000, everyMs: 5, show: (line) => `${line}\n${lastWords()}` },
      );
      console.log(`        the client's neighbour table has lb2 ${tookMs.toFixed(0)} ms after the cut`);
      assert.ok(tookMs >= DOWN_MS - 200, `${tookMs} ms is before the down interval can have ended`);
      // Its entry was made a moment ago: only a gratuitous ARP changes it within a second.
      assert.ok(tookMs <= DOWN_MS + 500, `${tookMs} ms, ${DOWN_MS} and the time to look were expected`);
      assert.equal((await ping()).status, 0);
      topology.lb(1).restore();
      await held("lb1");
      await waitFor("the client knows lb1 again", learned, (line) => line.includes(macOf(topology.lb(1))), {
        withinMs: 10_000,
        show: (line) => `${line}\n${lastWords()}`,
      });
      for (const number of [1, 2]) assert.deepEqual((await counters(number)).counters.rejected, {});
    });

    it("hands over on a stop, and the packets are what they should be", async () => {
      const seen = await capture(topology.lb(2));
      const probe = topology.client.execAsync(["ping", "-i", "0.01", "-c", "400", "-W", "1", topology.plan.vip]);
      await waitFor("probes answered", learned, (line) => line.includes("lladdr"), { withinMs: 5_000 });
      await directors[0]?.stop();
      await held("lb2");
      const { stdout } = await probe;
      const received = Number(/(\d+) received/.exec(stdout)?.[1] ?? 0);
      console.log(`        ${400 - received} of 400 probes, 10 ms apart, were lost across the stop`);
      // The skew of 122 ms alone would cost twelve.
      assert.ok(received >= 395, stdout.split("\n").slice(-4).join("\n"));
      await seen.stop();
      const text = (await runAsync(["tcpdump", "-nn", "-v", "-r", seen.file])).stdout;
      const packets = text.split(/\n(?=\S)/).filter((packet) => packet !== "");
      assert.ok(packets.length >= 5, text);
      const [one, two] = [addressOf(1), addressOf(2)];
      const protocol = kind === "udp" ? "UDP (17)" : "VRRP (112)";
      const ends = (from: string, to: string) =>
        kind === "udp" ? `${from}.${PORT} > ${to}.${PORT}:` : `${from} > ${to}:`;
      for (const packet of packets) {
        assert.ok(packet.includes(`ttl 255`) && packet.includes(`proto ${protocol}`), packet);
        assert.ok(packet.includes(ends(one, two)) || packet.includes(ends(two, one)), packet);
      }
      assert.ok(
        packets.some((packet) => packet.includes(ends(two, one))),
        "lb2 advertises in the end",
      );
    });

    it("rotates the key by reloads without a lost advert, and refuses a key that is too short", async () => {
      const before = await counters(2);
      for (const number of [1, 2]) {
        writeFileSync(keyFile(number, 2), `hex:${NEXT_KEY.slice(0, 62)}\n`, { mode: 0o600 });
        const refused = await directors[number - 1]?.reload(yamlOf(number, [1, 2], 1));
        assert.equal(refused?.status, 78, refused?.stderr);
        assert.match(refused?.stderr ?? "", /vrrp-2\.key: the key is 31 bytes long/);
        writeFileSync(keyFile(number, 2), `hex:${NEXT_KEY}\n`, { mode: 0o600 });
      }
      for (const [keys, active] of [
        [[1, 2], 1],
        [[1, 2], 2],
        [[2], 2],
      ] as const) {
        for (const number of [2, 1]) {
          const taken = await directors[number - 1]?.reload(yamlOf(number, keys, active));
          assert.equal(taken?.status, 0, taken?.stderr);
        }
        // Longer than a down interval: a director that hears nothing would take over.
        await topology.client.execAsync(["sleep", "1"]);
      }
      const after = await counters(2);
      assert.deepEqual([after.phase, after.since], [before.phase, before.since]);
      for (const number of [1, 2]) assert.deepEqual((await counters(number)).counters.rejected, {});
      const said = directors.flatMap(({ lines }) => lines).join("\n");
      for (const key of [KEY, NEXT_KEY]) assert.ok(!said.includes(key.slice(0, 16)), "no key is shown");
    });

    it("what strangers send changes nothing and is counted", async () => {
      const { client } = topology;
      // The client speaks as lb1 without telling anybody else so.
      client.sysctl({ "net.ipv4.conf.all.arp_ignore": "1", "net.ipv4.conf.all.arp_announce": "2" });
      client.addAddress(`${addressOf(1)}/32`, "lo");
      assert.equal(
        (await client.execAsync(["ping", "-c1", "-W1", "-I", topology.plan.client, addressOf(2)])).status,
        0,
      );
      const send = (source: IpText, message: Buffer) => sendFrom(client, kind, source, addressOf(2), message);
      const before = await counters(2);

      const seen = await capture(topology.lb(2));
      await waitFor(
        "an advert",
        () => seen.read(),
        (lines) => lines.length > 0,
        { withinMs: 5_000 },
      );
      await seen.stop();
      const genuine = await lastPayload(seen.file, kind);
      assert.equal(genuine.length, 12 + 28);

      const advert = { vrid: VRID, priority: 254, intervalCs: 20, addresses: [topology.plan.vip] };
      const forged = (source: IpText) => encodeAdvert(advert, "pseudo-header", { source, destination: addressOf(2) });
      const signed = (source: IpText, key: string, id = 1): Buffer => {
        const signer = { version: 3, vrid: VRID, source };
        const bytes = Buffer.from(key, "hex");
        const digest = (with_: Uint8Array, data: Uint8Array) => createHmac("sha256", with_).update(data).digest();
        const message = forged(source);
        return Buffer.concat([
          message,
          encodeTrailer(signer, message, { id, bytes }, clockSequence(Date.now()), digest),
        ]);
      };
      const lb1 = addressOf(1);
      send(topology.plan.client, signed(topology.plan.client, KEY));
      send(lb1, forged(lb1));
      send(lb1, signed(lb1, WRONG_KEY));
      send(lb1, signed(lb1, KEY, 2));
      send(lb1, genuine);
      send(lb1, genuine.subarray(0, 20));
      const wanted = {
        unknown_peer: 1,
        auth_missing: 1,
        auth_bad_hmac: 1,
        auth_unknown_key: 1,
        auth_replay: 1,
        packet_length: 1,
      };
      await waitFor(
        "all six are counted",
        async () => (await counters(2)).counters.rejected,
        (rejected) => Object.entries(wanted).every(([reason, count]) => rejected[reason] === count),
        { withinMs: 5_000 },
      );
      const after = await counters(2);
      assert.deepEqual([after.phase, after.since, after.heard?.priority], [before.phase, before.since, 150]);
      assert.deepEqual(Object.keys(after.counters.rejected).sort(), Object.keys(wanted).sort());
      assert.deepEqual(topology.holders(), ["lb1"]);
      const said = directors.flatMap(({ lines }) => lines).join("\n") + JSON.stringify(after);
      assert.match(said, /packet from 192\.0\.2\.50 dropped \(unknown_peer\)/);
      assert.ok(!said.includes(KEY.slice(0, 16)), "no key is shown");
    });
  });
}

/** Sends one VRRP message from a host, in the name of whom it likes. */
function sendFrom(host: Host, kind: Kind, source: IpText, destination: IpText, message: Buffer): void {
  const onPacket = () => undefined;
  const interfaceIndex = Number(host.exec(["cat", "/sys/class/net/eth0/ifindex"]));
  const opened = inNamespace(host.name, () =>
    kind === "udp"
      ? UdpVrrpSocket.open({ address: source, port: PORT }, { onPacket })
      : RawVrrpSocket.open({ interfaceName: "eth0", interfaceIndex }, { onPacket }),
  );
  assert.ok(opened.ok, opened.ok ? "" : opened.error.message);
  assert.equal(opened.value.send(message, source, destination), 0);
  opened.value.close();
}

/** What the last captured packet carries behind its IP header, and behind its UDP header. */
async function lastPayload(file: string, kind: Kind): Promise<Buffer> {
  const { stdout } = await runAsync(["tcpdump", "-nn", "-x", "-r", file]);
  const last =
    stdout
      .split(/\n(?=\S)/)
      .filter((packet) => packet !== "")
      .at(-1) ?? "";
  const hex = [...last.matchAll(/^\s+0x[0-9a-f]+:\s+(.*)$/gm)]
    .map(([, bytes = ""]) => bytes.replaceAll(" ", ""))
    .join("");
  const packet = Buffer.from(hex, "hex");
  return packet.subarray((packet.readUInt8(0) & 0x0f) * 4 + (kind === "udp" ? 8 : 0));
}

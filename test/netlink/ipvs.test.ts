import assert from "node:assert/strict";
import fc from "fast-check";
import { ipToBytes } from "../../src/base/ip.ts";
import type { Destination, IpvsOperation, ServiceIdentity, ServiceSettings } from "../../src/ipvs/model.ts";
import { decodeFamilyId, encodeGetFamily } from "../../src/netlink/generic.ts";
import {
  encodeDumpDestinations,
  encodeDumpServices,
  encodeGetInfo,
  encodeGetTimeouts,
  encodeOperations,
  encodeSetTimeouts,
} from "../../src/netlink/ipvs.ts";
import { decodeDestination, decodeDestinationTraffic } from "../../src/netlink/ipvs-destinations.ts";
import { decodeInfo, decodeService, decodeTimeouts } from "../../src/netlink/ipvs-replies.ts";
import { NO_TOTALS } from "../../src/netlink/ipvs-stats.ts";
import { arbitraryDestination, arbitraryIdentity, arbitrarySettings } from "../support/arbitrary-ipvs.ts";

const FAMILY = 0x22;
const WEB: ServiceIdentity = { family: 4, protocol: "tcp", address: "192.0.2.10", port: 80 };
const WEB6: ServiceIdentity = { family: 6, protocol: "udp", address: "2001:db8::1", port: 443 };
const WRR: ServiceSettings = { scheduler: "wrr", flags: { fallback: false, port: false }, persistence: null };
const RS1: Destination = { address: "10.0.0.11", port: 80, method: "dr", weight: 10 };

function hex(...parts: string[]): string {
  return parts.join("").replace(/[\s|]/g, "");
}

function encodeOne(operation: IpvsOperation): Buffer {
  const [message] = encodeOperations(FAMILY, [operation]);
  assert.ok(message);
  return message;
}

/** A message with its header's length and command made right, from hexadecimal attributes. */
function reply(command: number, ...attributes: string[]): Buffer {
  const body = Buffer.from(hex(...attributes), "hex");
  const message = Buffer.concat([Buffer.from(hex("00000000 2200 0200 03000000 39300000", "00 01 0000"), "hex"), body]);
  message.writeUInt32LE(message.length, 0);
  message.writeUInt8(command, 16);
  return message;
}

const IDENTITY = "06000100 02000000 06000200 06000000 14000300 c000020a000000000000000000000000 06000400 00500000";

// Sent as ipvsadm prints them; the kernel accepted every one.
const GOLDEN = {
  getFamily: hex("20000000 1000 0100 00000000 00000000 | 03 01 0000 | 0900 0200 4950565300 000000"),
  newService: hex(
    "68000000 2200 0500 00000000 00000000 | 01 01 0000 | 5400 0180",
    IDENTITY,
    "08000600 77727200 | 0c000700 00000000 ffffffff | 08000800 00000000 | 08000900 ffffffff",
  ),
  newDestination: hex(
    "8c000000 2200 0500 00000000 00000000 | 05 01 0000 | 3000 0180",
    IDENTITY,
    "4800 0280 | 14000100 0a00000b000000000000000000000000 | 06000200 00500000",
    "08000300 03000000 | 08000400 0a000000 | 08000500 00000000 | 08000600 00000000 | 06000b00 02000000",
  ),
  dumpDestinations: hex("44000000 2200 0103 00000000 00000000 | 08 01 0000 | 3000 0180", IDENTITY),
};

describe("netlink/ipvs requests", () => {
  it("are the bytes that ipvsadm sends", () => {
    assert.equal(encodeGetFamily("IPVS").toString("hex"), GOLDEN.getFamily);
    assert.equal(encodeOne({ type: "addService", service: WEB, settings: WRR }).toString("hex"), GOLDEN.newService);
    assert.equal(
      encodeOne({ type: "addDestination", service: WEB, destination: RS1 }).toString("hex"),
      GOLDEN.newDestination,
    );
    assert.equal(encodeDumpDestinations(FAMILY, WEB).toString("hex"), GOLDEN.dumpDestinations);
  });

  it("put flags, IPv6 prefix and the timeouts as ipvsadm does", () => {
    const sticky = encodeOne({
      type: "addService",
      service: WEB6,
      settings: {
        scheduler: "sh",
        flags: { fallback: true, port: true },
        persistence: { timeoutS: 300, prefixLength: 64 },
      },
    }).toString("hex");
    const tail = hex("07000600 73680000 0c000700 19000000 ffffffff 08000800 2c010000 08000900 40000000");
    assert.equal(sticky.slice(-tail.length), tail);
    assert.equal(
      encodeSetTimeouts(FAMILY, { tcpS: 900, tcpFinS: 120, udpS: 300 }).toString("hex"),
      hex("2c000000 2200 0500 00000000 00000000 0c 01 0000 08000400 84030000 08000500 78000000 08000600 2c010000"),
    );
  });

  it("set and delete carry the same identity under their own commands", () => {
    const set = encodeOne({ type: "setDestination", service: WEB, destination: RS1 }).toString("hex");
    assert.equal(set, GOLDEN.newDestination.replace("05010000", "06010000"));
    const setService = encodeOne({ type: "setService", service: WEB, settings: WRR }).toString("hex");
    assert.equal(setService, GOLDEN.newService.replace("01010000", "02010000"));
    assert.equal(
      encodeOne({ type: "deleteService", service: WEB }).toString("hex"),
      hex("44000000 2200 0500 00000000 00000000 03 01 0000 3000 0180", IDENTITY),
    );
    assert.equal(
      encodeOne({ type: "deleteDestination", service: WEB, destination: RS1 }).toString("hex"),
      hex(
        "6c000000 2200 0500 00000000 00000000 07 01 0000 3000 0180",
        IDENTITY,
        "2800 0280 14000100 0a00000b000000000000000000000000 06000200 00500000 06000b00 02000000",
      ),
    );
  });

  it("ask for all services, for info and timeouts", () => {
    assert.equal(encodeDumpServices(FAMILY).toString("hex"), hex("14000000 2200 0103 00000000 00000000 04 01 0000"));
    assert.equal(encodeGetInfo(FAMILY).toString("hex"), hex("14000000 2200 0100 00000000 00000000 0f 01 0000"));
    assert.equal(encodeGetTimeouts(FAMILY).toString("hex"), hex("14000000 2200 0100 00000000 00000000 0d 01 0000"));
  });

  it("carry a tunnel behind the rest, and leave it away where it is plain IP-in-IP", () => {
    const plain = { ...RS1, method: "tun" as const };
    const bytes = (destination: Destination) =>
      encodeOne({ type: "setDestination", service: WEB, destination }).toString("hex");
    const shared = bytes(plain).length;
    assert.equal(
      bytes({ ...plain, tunnel: { type: "gre" } }).slice(shared),
      hex("05000d00 02000000 06000e00 00000000 06000f00 00000000"),
    );
    assert.equal(
      bytes({ ...plain, tunnel: { type: "gue", port: 6080 } }).slice(shared),
      hex("05000d00 01000000 06000e00 17c00000 06000f00 00000000"),
    );
  });

  it("refuse a weight that the kernel would refuse", () => {
    for (const weight of [-1, 2 ** 31]) {
      assert.throws(
        () => encodeOne({ type: "addDestination", service: WEB, destination: { ...RS1, weight } }),
        /weight/,
      );
    }
  });
});

describe("netlink/ipvs replies", () => {
  it("reads the family id, and says so when it is missing", () => {
    const answer = (attributes: string) => {
      const message = reply(1, attributes);
      message.writeUInt16LE(0x10, 4);
      return decodeFamilyId(message);
    };
    assert.deepEqual(answer("09000200 4950565300000000 06000100 22000000 08000500 06000000"), {
      ok: true,
      value: 0x22,
    });
    const none = answer("09000200 4950565300000000");
    assert.equal(!none.ok && none.error.code, "missing-attribute");
  });

  it("reads a destination with counters, statistics skipped, in the kernel's own order", () => {
    const message = reply(
      5,
      "5c000200", // a nest without the NESTED bit, as the kernel answers
      "14000100 0a00000b000000000000000000000000 06000200 00500000 08000300 03000000 08000400 0a000000",
      "05000d00 00000000 06000e00 00000000 06000f00 00000000",
      "08000500 00000000 08000600 00000000 08000700 02000000",
    );
    const tail = Buffer.from(
      hex("08000800 03000000 08000900 01000000 06000b00 02000000 0c000a00 08000100 ff000000 04000c00"),
      "hex",
    );
    const whole = Buffer.concat([message, tail]);
    whole.writeUInt32LE(whole.length, 0);
    whole.writeUInt16LE(whole.length - 20, 20);
    assert.deepEqual(decodeDestination(whole, FAMILY, 4), {
      ok: true,
      value: {
        ...RS1,
        counters: { activeConnections: 2, inactiveConnections: 3, persistentConnections: 1 },
      },
    });
  });

  it("reads the 64-bit statistics, each behind an empty attribute that aligns it", () => {
    const each = (number: string, low: string, high = "00000000") => `04000b00 0c00${number}00 ${low} ${high}`;
    const statistics = hex(
      each("01", "05000000"),
      each("02", "32000000"),
      each("03", "28000000"),
      each("04", "00000000", "01000000"),
      each("05", "ffffffff", "ffff1f00"),
      each("06", "63000000"),
    );
    const inner = hex(
      "14000100 0a00000b000000000000000000000000 06000200 00500000 08000700 02000000 08000800 03000000",
      "0c000a00 08000100 ff000000 64000c00",
      statistics,
    );
    const nest = Buffer.alloc(4);
    nest.writeUInt16LE(4 + inner.length / 2, 0);
    nest.writeUInt16LE(2, 2);
    const message = reply(5, nest.toString("hex"), inner);
    assert.deepEqual(decodeDestinationTraffic(message, FAMILY, 4), {
      ok: true,
      value: {
        address: "10.0.0.11",
        port: 80,
        activeConnections: 2,
        inactiveConnections: 3,
        totals: { connections: 5, packetsIn: 50, packetsOut: 40, bytesIn: 2 ** 32, bytesOut: Number.MAX_SAFE_INTEGER },
      },
    });
  });

  it("names what holdfast would not have set: thresholds, tunnels, other methods", () => {
    const extras = (...attributes: string[]) => {
      const head = "14000100 0a00000b000000000000000000000000 06000200 00500000";
      const inner = hex(head, ...attributes);
      const nest = Buffer.alloc(4);
      nest.writeUInt16LE(4 + inner.length / 2, 0);
      nest.writeUInt16LE(2, 2);
      const decoded = decodeDestination(reply(5, nest.toString("hex"), inner), FAMILY, 4);
      assert.ok(decoded.ok, JSON.stringify(decoded));
      return [decoded.value.method, decoded.value.extras];
    };
    assert.deepEqual(extras("08000300 00000000"), ["nat", undefined]);
    assert.deepEqual(extras("08000300 04000000"), [null, ["forwarding method 4"]]);
    assert.deepEqual(extras("08000300 03000000 08000500 0a000000 08000600 08000000"), ["dr", ["thresholds 10/8"]]);
    assert.deepEqual(extras("08000300 02000000 05000d00 01000000 06000e00 17c00000 06000f00 01000000"), [
      "tun",
      ["tunnel gue port 6080 flags 1"],
    ]);
    assert.deepEqual(extras("08000300 02000000 05000d00 01000000 06000e00 17c00000 06000f00 00000000"), [
      "tun",
      undefined,
    ]);
    // A tunnel that means nothing with another method is still not what holdfast would have set.
    assert.deepEqual(extras("08000300 03000000 05000d00 02000000"), ["dr", ["tunnel gre port 0 flags 0"]]);
  });

  it("takes services by mark and of other protocols for foreign, and names flags it does not set", () => {
    const service = (identity: string, rest: string) => {
      const inner = hex(identity, rest);
      const nest = Buffer.alloc(4);
      nest.writeUInt16LE(4 + inner.length / 2, 0);
      nest.writeUInt16LE(1, 2);
      return decodeService(reply(1, nest.toString("hex"), inner), FAMILY);
    };
    const rest = (flags: string, mask = "ffffffff") =>
      `08000600 77727200 0c000700 ${flags} ffffffff 08000800 00000000 08000900 ${mask}`;
    const plain = service(IDENTITY, rest("02000000"));
    assert.deepEqual(plain, { ok: true, value: { ...WEB, ...WRR, extras: [], totals: NO_TOTALS } });
    assert.deepEqual(service("06000100 02000000 08000500 07000000", rest("02000000")), { ok: true, value: null });
    assert.deepEqual(service(IDENTITY.replace("06000200 06000000", "06000200 84000000"), rest("00000000")), {
      ok: true,
      value: null,
    });
    const odd = service(IDENTITY, `${rest("27000000", "ff00ff00")} 08000b00 73697000`);
    assert.ok(odd.ok && odd.value !== null);
    assert.deepEqual(odd.value.extras, [
      "persistence netmask 255.0.255.0",
      "one-packet scheduling",
      "flags 0x20",
      "persistence engine sip",
    ]);
    const sticky = service(IDENTITY, rest("03000000", "ffffff00").replace("08000800 00000000", "08000800 2c010000"));
    assert.deepEqual(sticky.ok && sticky.value?.persistence, { timeoutS: 300, prefixLength: 24 });
  });

  it("reads info and timeouts", () => {
    assert.deepEqual(decodeInfo(reply(14, "08000100 01020100 08000200 00100000"), FAMILY), {
      ok: true,
      value: { version: "1.2.1", connectionTableSize: 4096 },
    });
    assert.deepEqual(decodeTimeouts(reply(12, "08000400 84030000 08000500 78000000 08000600 2c010000"), FAMILY), {
      ok: true,
      value: { tcpS: 900, tcpFinS: 120, udpS: 300 },
    });
  });

  it("refuses another family, another command and a short message", () => {
    assert.equal(decodeService(reply(1, ""), 0x23).ok, false);
    assert.equal(decodeService(reply(5, ""), FAMILY).ok, false);
    assert.equal(decodeService(reply(1, ""), FAMILY).ok, false);
    assert.equal(decodeService(reply(1, "").subarray(0, 18), FAMILY).ok, false);
  });
});

describe("netlink/ipvs properties", () => {
  it("a service decodes to what was encoded", () => {
    fc.assert(
      fc.property(arbitraryIdentity(), arbitrarySettings(), (service, settings) => {
        // The kernel's reply has the layout of the request.
        const decoded = decodeService(
          encodeOne({ type: "addService", service, settings: settings(service.family) }),
          FAMILY,
        );
        assert.deepEqual(decoded, {
          ok: true,
          value: { ...service, ...settings(service.family), extras: [], totals: NO_TOTALS },
        });
      }),
    );
  });

  it("destinations decode to what was encoded, however operations are mixed", () => {
    const one = fc.tuple(fc.nat(2), arbitraryDestination());
    fc.assert(
      fc.property(fc.array(arbitraryIdentity(), { minLength: 1, maxLength: 3 }), fc.array(one), (services, list) => {
        const operations = list.map(([which, destination]): IpvsOperation => {
          const service = services[which % services.length] ?? WEB;
          return { type: "addDestination", service, destination };
        });
        const counters = { activeConnections: 0, inactiveConnections: 0, persistentConnections: 0 };
        encodeOperations(FAMILY, operations).forEach((message, i) => {
          const decoded = decodeDestination(message, FAMILY, 4);
          assert.deepEqual(decoded, { ok: true, value: { ...list[i]?.[1], counters } });
          const address = operations[i]?.service.address ?? "";
          assert.deepEqual(message.subarray(44, 44 + ipToBytes(address).length), ipToBytes(address));
        });
      }),
    );
  });

  it("any bytes decode to a value or a coded error", () => {
    fc.assert(
      fc.property(
        fc.uint8Array({ maxLength: 200 }),
        fc.constantFrom(1, 5, 12, 14),
        fc.constantFrom(1, 2),
        (body, command, nest) => {
          const inner = Buffer.alloc(4);
          inner.writeUInt16LE(Math.min(0xffff, body.length + 4), 0);
          inner.writeUInt16LE(nest, 2);
          for (const attributes of [
            [Buffer.from(body).toString("hex")],
            [inner.toString("hex"), Buffer.from(body).toString("hex")],
          ]) {
            const message = reply(command, ...attributes);
            for (const decoded of [
              decodeService(message, FAMILY),
              decodeDestination(message, FAMILY, 6),
              decodeDestinationTraffic(message, FAMILY, 6),
              decodeInfo(message, FAMILY),
              decodeTimeouts(message, FAMILY),
              decodeFamilyId(message),
            ]) {
              assert.ok(decoded.ok || decoded.error.code.length > 0);
            }
          }
        },
      ),
    );
  });
});

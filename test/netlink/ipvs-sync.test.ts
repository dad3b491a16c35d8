import assert from "node:assert/strict";
import fc from "fast-check";
import type { SyncDaemon } from "../../src/ipvs/sync.ts";
import { decodeSyncDaemon, encodeDumpSyncDaemons, encodeSyncOperation } from "../../src/netlink/ipvs-sync.ts";

const FAMILY = 0x22;
const DAEMON: SyncDaemon = {
  role: "master",
  interface: "eth0",
  id: 5,
  group: "224.0.0.90",
  port: 8850,
  ttl: 2,
  maxBytes: 1472,
};

function hex(...parts: string[]): string {
  return parts.join("").replace(/[\s|]/g, "");
}

// As ipvsadm 1.31 sends it for `--start-daemon master --mcast-interface eth0 --syncid 5 --sync-maxlen 1472 ...`.
const NEST = hex(
  "40000380 08000100 01000000 09000200 65746830 00000000 08000300 05000000",
  "06000400 c0050000 06000700 92220000 05000800 02000000 08000500 e000005a",
);

/** The kernel's answer about a daemon: a reply of the command NEW_DAEMON with the same nest. */
function reply(nest: string): Buffer {
  const body = Buffer.from(nest, "hex");
  const message = Buffer.concat([Buffer.from(hex("00000000 2200 0200 03000000 39300000 | 09 01 0000"), "hex"), body]);
  message.writeUInt32LE(message.length, 0);
  return message;
}

describe("netlink ipvs: the daemons of connection synchronisation", () => {
  it("starts one with the bytes of ipvsadm", () => {
    const message = encodeSyncOperation(FAMILY, { type: "startDaemon", daemon: DAEMON });
    assert.equal(message.toString("hex"), hex("54000000 2200 0500 00000000 00000000 | 09 01 0000") + NEST);
  });

  it("stops one by its role", () => {
    const message = encodeSyncOperation(FAMILY, { type: "stopDaemon", role: "backup" });
    assert.equal(
      message.toString("hex"),
      hex("20000000 2200 0500 00000000 00000000 | 0a 01 0000 | 0c000380 08000100 02000000"),
    );
  });

  it("asks for all", () => {
    assert.equal(
      encodeDumpSyncDaemons(FAMILY).toString("hex"),
      hex("14000000 2200 0103 00000000 00000000 | 0b 01 0000"),
    );
  });

  it("reads an answer", () => {
    assert.deepEqual(decodeSyncDaemon(reply(NEST), FAMILY), { ok: true, value: DAEMON });
  });

  it("reads an answer with an IPv6 group", () => {
    const nest = hex("28000300 08000100 02000000 08000200 65303000 14000600 ff020000000000000000000000000081");
    const daemon = decodeSyncDaemon(reply(nest), FAMILY);
    assert.ok(daemon.ok);
    assert.deepEqual([daemon.value.role, daemon.value.interface, daemon.value.group], ["backup", "e00", "ff02::81"]);
  });

  it("refuses an answer without a daemon, or in an unknown state", () => {
    const codes = [reply(""), reply(hex("0c000300 08000100 07000000"))].map((bytes) => {
      const decoded = decodeSyncDaemon(bytes, FAMILY);
      return decoded.ok ? "" : decoded.error.code;
    });
    assert.deepEqual(codes, ["missing-attribute", "missing-attribute"]);
  });

  it("gives a value or a coded error for any bytes", () => {
    fc.assert(
      fc.property(fc.uint8Array({ maxLength: 120 }), (bytes) => {
        const decoded = decodeSyncDaemon(reply(Buffer.from(bytes).toString("hex")), FAMILY);
        assert.ok(decoded.ok ? decoded.value.role.length > 0 : decoded.error.code.length > 0);
      }),
    );
  });
});

import assert from "node:assert/strict";
import { networkInterfaces } from "node:os";
import {
  decodeRouteMessage,
  encodeDeleteAddress,
  encodeDumpAddresses,
  encodeDumpLinks,
  encodeGetLink,
} from "../../src/netlink/route.ts";
import { NETLINK_ROUTE } from "../../src/sys/constants.ts";
import { EADDRNOTAVAIL, ENODEV, EPERM } from "../../src/sys/errno.ts";
import { KernelNetlinkSocket } from "../../src/sys/netlink-socket.ts";

const isRoot = process.getuid?.() === 0;

describe("netlink socket", () => {
  let socket: KernelNetlinkSocket;
  beforeEach(() => {
    const opened = KernelNetlinkSocket.open(NETLINK_ROUTE, "route socket");
    assert.ok(opened.ok, opened.ok ? "" : opened.error.message);
    socket = opened.value;
  });
  afterEach(() => socket.close());

  it("dumps what the system has", () => {
    const dumped = socket.dump(encodeDumpLinks());
    assert.ok(dumped.ok);
    const names = dumped.value.map((message) => {
      const decoded = decodeRouteMessage(message);
      assert.ok(decoded.ok && decoded.value.type === "link");
      return decoded.value.link.name;
    });
    for (const name of Object.keys(networkInterfaces())) assert.ok(names.includes(name), `${name} is missing`);
  });

  it("keeps the messages of a dump apart from those of the next", () => {
    const first = socket.dump(encodeDumpLinks());
    assert.ok(first.ok);
    const copies = first.value.map((message) => Buffer.from(message));
    assert.ok(socket.dump(encodeDumpAddresses()).ok);
    assert.deepEqual(first.value, copies);
  });

  it("answers a query with its one reply, and a refusal with the reason", () => {
    const reply = socket.query(encodeGetLink("lo"));
    assert.ok(reply.ok);
    const decoded = decodeRouteMessage(reply.value);
    assert.ok(decoded.ok && decoded.value.type === "link");
    assert.equal(decoded.value.link.name, "lo");
    const refused = socket.query(encodeGetLink("no-such-link"));
    assert.ok(!refused.ok);
    assert.equal(refused.error.code, "NETLINK_REFUSED");
    assert.equal(refused.error.facts.errno, "ENODEV");
  });

  it("gives each of many failing requests its own errno, over several slices", () => {
    const missing = { address: "192.0.2.250", prefixLength: 32 };
    const requests = Array.from({ length: 1_050 }, (_, index) =>
      encodeDeleteAddress(index % 7 === 3 ? 0x7fff_fff0 : 1, missing),
    );
    const executed = socket.execute(requests);
    assert.ok(executed.ok);
    const expected = requests.map((_, index) => {
      if (!isRoot) return EPERM;
      return index % 7 === 3 ? ENODEV : EADDRNOTAVAIL;
    });
    assert.deepEqual(executed.value, expected);
    assert.ok(socket.query(encodeGetLink("lo")).ok, "no late acknowledgement is in the way");
  });

  it("executes nothing at all", () => {
    assert.deepEqual(socket.execute([]), { ok: true, value: [] });
  });

  it("reports a socket that is closed", () => {
    socket.close();
    const dumped = socket.dump(encodeDumpLinks());
    assert.ok(!dumped.ok);
    assert.match(dumped.error.message, /EBADF/);
  });
});

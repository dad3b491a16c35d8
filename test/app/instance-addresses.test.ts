import assert from "node:assert/strict";
import { InstanceAddresses } from "../../src/app/instance-addresses.ts";
import type { InstanceIo } from "../../src/app/instance-io.ts";
import { InstanceVoice } from "../../src/app/instance-voice.ts";
import { formatCidr } from "../../src/base/ip.ts";
import type { RefusedAddress } from "../../src/control/status.ts";
import { MemoryLogger } from "../support/memory-store.ts";
import { instance } from "../support/virtual-segment.ts";
import { VirtualTime } from "../support/virtual-time.ts";

const OURS = { address: "192.0.2.10", prefixLength: 24 };
const THEIRS = { address: "192.0.2.11", prefixLength: 24 };
const CONFIG = instance(200, { addresses: [OURS, THEIRS] });

/** Two addresses, of which the second is there already. */
function bench(refused: readonly RefusedAddress[] = []) {
  const logger = new MemoryLogger();
  const announced: (readonly string[])[] = [];
  const io: Partial<InstanceIo> = {
    hold: () => ({ held: [formatCidr(OURS)], foreign: [formatCidr(THEIRS)], refused }),
    release: () => refused,
    announce: (addresses) => announced.push(addresses.map(formatCidr)),
  };
  const voice = new InstanceVoice(CONFIG, { clock: new VirtualTime(), logger });
  const addresses = new InstanceAddresses(CONFIG, { io: io as InstanceIo, voice });
  const kernelTakes = () => {
    io.hold = () => ({ held: [formatCidr(OURS)], foreign: [formatCidr(THEIRS)], refused: [] });
  };
  const events = () => logger.entries.flatMap(({ event }) => (event === undefined ? [] : [event]));
  return { addresses, announced, kernelTakes, events, said: () => logger.entries.map(({ message }) => message) };
}

describe("addresses of an instance", () => {
  it("serves what somebody else put there, but holds only its own", () => {
    const { addresses, announced, said } = bench();
    assert.ok(addresses.hold());
    assert.ok(addresses.hold(), "as often as it likes");
    assert.deepEqual(addresses.held, ["192.0.2.10/24"]);
    addresses.announce();
    assert.deepEqual(announced, [["192.0.2.10/24", "192.0.2.11/24"]]);
    assert.deepEqual(said(), [
      "instance web4 (eth0, vrid 51): 192.0.2.11/24 was already on eth0; it is served and will not be removed",
    ]);
  });

  it("misses each that is served, whoever put it there, until it lets go", () => {
    const { addresses } = bench();
    const isOurs = ({ address }: { readonly address: string }) => address === OURS.address;
    assert.equal(addresses.servesMoreThan(isOurs), false, "nothing is served yet");
    addresses.hold();
    assert.equal(addresses.servesMoreThan(isOurs), true);
    assert.equal(
      addresses.servesMoreThan(() => true),
      false,
    );
    addresses.release();
    assert.deepEqual(addresses.held, []);
    assert.equal(addresses.servesMoreThan(isOurs), false);
  });

  it("says what the kernel refused, once a minute", () => {
    const { addresses, said } = bench([{ address: "192.0.2.10/24", change: "remove", why: "192.0.2.10/24: EPERM" }]);
    assert.equal(addresses.release(), false);
    assert.equal(addresses.release(), false);
    assert.deepEqual(said(), ["instance web4 (eth0, vrid 51): 192.0.2.10/24: EPERM; trying again"]);
  });

  it("knows what is refused as long as it is, with one event when it begins and one when it is over", () => {
    const refused = ["192.0.2.10/24", "192.0.2.11/24"].map(
      (address) => ({ address, change: "add", why: `adding ${address}: EACCES` }) as const,
    );
    const { addresses, events, kernelTakes } = bench(refused);
    for (let tries = 0; tries < 3; tries += 1) assert.equal(addresses.hold(), false);
    assert.deepEqual(addresses.refused, refused);
    kernelTakes();
    assert.ok(addresses.hold());
    assert.ok(addresses.hold());
    assert.deepEqual(addresses.refused, []);
    const subject = { type: "instance", subject: "instance web4" } as const;
    assert.deepEqual(events(), [
      { ...subject, from: null, to: "address refused", cause: "adding 192.0.2.10/24: EACCES" },
      { ...subject, from: "address refused", to: null, cause: "the kernel refuses none of its addresses any more" },
    ]);
  });

  it("knows whether a configuration wants other addresses", () => {
    const { addresses } = bench();
    assert.equal(addresses.configure({ ...CONFIG, priority: 100 }), false);
    assert.equal(addresses.configure({ ...CONFIG, addresses: [OURS] }), true);
    assert.equal(addresses.configure({ ...CONFIG, addresses: [OURS] }), false);
  });
});

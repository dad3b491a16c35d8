import assert from "node:assert/strict";
import { IpvsKernel } from "../../src/app/ipvs-kernel.ts";
import type { Destination, IpvsOperation, ServiceSettings } from "../../src/ipvs/model.ts";
import { FakeIpvsKernel } from "../support/fake-ipvs-kernel.ts";

const service = { family: 4, protocol: "tcp", address: "192.0.2.10", port: 80 } as const;
const rr: ServiceSettings = { scheduler: "rr", flags: { fallback: false, port: false }, persistence: null };
const wrr: ServiceSettings = { ...rr, scheduler: "wrr" };

function rs(host: number, weight = 1): Destination {
  return { address: `10.0.0.${host}`, port: 80, method: "dr", weight };
}

function open(...operations: IpvsOperation[]) {
  const fake = new FakeIpvsKernel();
  const kernel = IpvsKernel.open({ socket: fake });
  assert.ok(kernel.ok);
  assert.deepEqual(kernel.value.apply(operations).failures, []);
  return { fake, kernel: kernel.value };
}

/** The table as `scheduler` or `scheduler host:weight ...` per service. */
function table(kernel: IpvsKernel): string[] {
  const read = kernel.read();
  assert.ok(read.ok);
  return read.value.services.map(({ scheduler, destinations }) =>
    [scheduler, ...destinations.map(({ address, weight }) => `${address.split(".").at(-1)}:${weight}`)].join(" "),
  );
}

describe("app/ipvs-kernel apply reaches its aim whatever it finds", () => {
  const added: IpvsOperation = { type: "addService", service, settings: rr };

  it("adding what is there sets it and keeps what belongs to it", () => {
    const { kernel } = open(added, { type: "addDestination", service, destination: rs(1) });
    const outcome = kernel.apply([
      { type: "addService", service, settings: wrr },
      { type: "addDestination", service, destination: rs(1, 7) },
    ]);
    assert.deepEqual([outcome.failures, outcome.surprises, outcome.done.length], [[], 2, 2]);
    assert.deepEqual(table(kernel), ["wrr 1:7"]);
  });

  it("setting what is not there adds it", () => {
    const { kernel } = open();
    const services = kernel.apply([{ type: "setService", service, settings: wrr }]);
    const destination = kernel.apply([{ type: "setDestination", service, destination: rs(1, 7) }]);
    assert.deepEqual([services.surprises, destination.surprises], [1, 1]);
    assert.deepEqual(table(kernel), ["wrr 1:7"]);
  });

  it("deleting what is not there is done, also for want of its service", () => {
    const { kernel } = open();
    const deleted: IpvsOperation = { type: "deleteDestination", service, destination: rs(1) };
    const outcome = kernel.apply([deleted, { type: "deleteService", service }, added, deleted]);
    assert.deepEqual([outcome.failures, outcome.surprises, outcome.done.length], [[], 3, 4]);
    assert.deepEqual(table(kernel), ["rr"]);
  });

  it("a second refusal is a failure of the first operation, and what follows goes on", () => {
    const { fake, kernel } = open(added);
    fake.schedulers.delete("wrr");
    const first: IpvsOperation = { type: "addService", service, settings: wrr };
    const outcome = kernel.apply([first, { type: "addDestination", service, destination: rs(2) }]);
    assert.deepEqual(outcome.failures, [
      {
        operation: first,
        errno: 2,
        reason: "changing service tcp://192.0.2.10:80: the kernel has no scheduler wrr (module ip_vs_wrr)",
      },
    ]);
    assert.deepEqual(
      outcome.done.map(({ type }) => type),
      ["addDestination"],
    );
    assert.deepEqual(table(kernel), ["rr 2:1"]);
  });

  it("a privilege lost on the way is an error, not thousands of failures", () => {
    const { fake, kernel } = open(added);
    fake.isPrivileged = false;
    const { error, failures } = kernel.apply([{ type: "addDestination", service, destination: rs(1) }]);
    assert.deepEqual([error?.code, failures], ["PRIVILEGE_MISSING", []]);
  });
});

describe("app/ipvs-kernel read", () => {
  it("counts what a dump shows twice once, wherever it shows it, and lists in the order of creation", () => {
    const { fake, kernel } = open(
      { type: "addService", service, settings: rr },
      ...[1, 2, 3].map((host): IpvsOperation => ({ type: "addDestination", service, destination: rs(host) })),
    );
    assert.deepEqual(table(kernel), ["rr 1:1 2:1 3:1"]);
    for (const distort of [
      (replies: Buffer[]) => replies.flatMap((reply) => [reply, reply]),
      (replies: Buffer[]) => [...replies, ...replies],
    ]) {
      fake.distort = distort;
      assert.deepEqual(table(kernel), ["rr 1:1 2:1 3:1"]);
    }
  });

  it("says so when a reply cannot be read", () => {
    const { fake, kernel } = open(
      { type: "addService", service, settings: rr },
      { type: "addDestination", service, destination: rs(1) },
    );
    fake.distort = (replies) => replies.map((reply) => reply.subarray(0, reply.length - 8));
    const read = kernel.read();
    assert.equal(!read.ok && read.error.code, "NETLINK_TRUNCATED");
  });
});

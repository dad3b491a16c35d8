// Loaded into holdfast by `node --import` on a kernel without IPVS: the checker's netlink sockets of that family reach a table that
// is played, request by request in the kernel's own bytes. Everything else of the daemon is as it is delivered.
import { pathToFileURL } from "node:url";
import type { DirectorError } from "../src/base/director-error.ts";
import { ok, type Result } from "../src/base/result.ts";
import type { NetlinkSocket } from "../src/ports/netlink-socket.ts";
import { NETLINK_GENERIC } from "../src/sys/constants.ts";
import { ROOT } from "../test/lab/support/director.ts";
import { FakeIpvsKernel } from "../test/support/fake-ipvs-kernel.ts";

type Open = (protocol: number, what?: string) => Result<NetlinkSocket, DirectorError>;

// The module that the program itself loads, not the one that was compiled with the benchmark.
const { KernelNetlinkSocket } = (await import(pathToFileURL(`${ROOT}/dist/sys/netlink-socket.js`).href)) as {
  KernelNetlinkSocket: { open: Open };
};
const open = KernelNetlinkSocket.open;
const kernel = new FakeIpvsKernel();
KernelNetlinkSocket.open = (protocol, what) =>
  protocol === NETLINK_GENERIC ? ok(kernel) : open.call(KernelNetlinkSocket, protocol, what);

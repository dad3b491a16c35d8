import assert from "node:assert/strict";
import { readFileSync } from "node:fs";
import { statusOf } from "./daemon.ts";
import type { Director } from "./director.ts";

/** In front of a command: it, and what it starts, has CAP_NET_ADMIN and can have nothing else. */
export const ONLY_NET_ADMIN = ["setpriv", "--bounding-set=-all,+net_admin", "--inh-caps=-all", "--ambient-caps=-all"];
/** CAP_NET_ADMIN, the twelfth bit of linux/capability.h. */
const NET_ADMIN_ALONE = "0000000000001000";

/** Every process of a director, by what the kernel says of them. */
export async function assertOnlyNetAdmin(director: Director): Promise<void> {
  const { pid, processes } = await statusOf(director);
  const pids = [pid, ...processes.flatMap((child) => child.pid ?? [])];
  assert.equal(pids.length, 3, "the supervisor and two children");
  for (const each of pids) {
    const status = readFileSync(`/proc/${each}/status`, "utf8");
    for (const set of ["CapPrm", "CapEff", "CapBnd"])
      assert.equal(new RegExp(`^${set}:\\s+(\\w+)$`, "m").exec(status)?.[1], NET_ADMIN_ALONE, `${set} of ${each}`);
  }
}

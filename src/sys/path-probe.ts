import { execFile } from "node:child_process";
import type { IpText } from "../base/ip.ts";
import { familyOf } from "../base/ip.ts";
import type { PathFact, Unseen } from "../doctor/facts.ts";

const PING_LIMIT_MS = 8_000;
/** IP header and ICMP header. */
const HEADERS = { 4: 28, 6: 48 } as const;
const SMALL_BYTES = 64;

type Answer = "answered" | "silent" | "told" | "missing";

/**
 * Sends pings of the largest size that leaves this machine, unfragmented, to servers that answer small ones. A router on the
 * way that says what fits is no trouble: the kernel then tells the clients.
 */
export async function probePaths(
  paths: readonly { readonly address: IpText; readonly bytes: number }[],
): Promise<{ readonly paths: readonly PathFact[]; readonly unseen: readonly Unseen[] }> {
  const probed = await Promise.all(
    paths.map(async ({ address, bytes }): Promise<PathFact | null> => {
      const small = await ping(address, SMALL_BYTES);
      if (small === "missing") return null;
      return { address, bytes, isHole: small === "answered" && (await ping(address, bytes)) === "silent" };
    }),
  );
  const seen = probed.filter((each) => each !== null);
  const unseen =
    seen.length < paths.length ? [{ what: "the MTU of the ways to the servers", why: "there is no program ping" }] : [];
  return { paths: seen, unseen };
}

function ping(address: IpText, bytes: number): Promise<Answer> {
  const size = Math.max(0, bytes - HEADERS[familyOf(address)]);
  const args = ["-n", "-q", "-c", "2", "-i", "0.3", "-W", "1", "-M", "do", "-s", String(size), address];
  return new Promise((resolve) => {
    execFile(
      "ping",
      args,
      { timeout: PING_LIMIT_MS, env: { PATH: process.env.PATH ?? "", LC_ALL: "C" } },
      (error, stdout, stderr) => {
        if (error === null) return resolve("answered");
        if (error.code === "ENOENT") return resolve("missing");
        resolve(/too long|frag needed|too big|\+[1-9]\d* errors/i.test(`${stdout}${stderr}`) ? "told" : "silent");
      },
    );
  });
}

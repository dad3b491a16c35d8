import { familyOf, isUnicast } from "../../base/ip.ts";
import type { ConfigProblem, Finding } from "../problem.ts";
import type { PlacedInstance } from "./instances.ts";

/** Peers and ports belong to the transports that use them. */
export function transportProblems(instance: PlacedInstance): ConfigProblem[] {
  const { transport } = instance.value;
  if (!instance.isSound("transport", "peers", "port")) return [];
  const problems: ConfigProblem[] = [];
  const useless = (key: string, hint: string): void => {
    if (!instance.has(key)) return;
    const message = `\`${key}\` has no meaning with the transport \`${transport.type}\``;
    problems.push(instance.problemAtKey([key], { code: "conflict", message, hint }));
  };
  if (transport.type !== "udp") useless("port", "write transport: udp, or remove it");
  if (transport.type === "multicast") {
    useless("peers", "write transport: unicast, or remove it");
    return problems;
  }
  if (transport.peers.length === 0) {
    problems.push(
      instance.problemAtKey(["transport"], {
        code: "missing-key",
        message: `\`peers\` is missing: the transport \`${transport.type}\` has to know the other directors`,
        expected: "a list with the address of each other director, peers: [192.0.2.3]",
      }),
    );
  }
  const seen = new Set<string>();
  for (const [index, { address }] of transport.peers.entries()) {
    const finding = impossiblePeer(address, seen);
    seen.add(address);
    if (finding !== null) problems.push(instance.problem(["peers", index], finding));
  }
  if (instance.value.hmac === null && instance.isSound("auth")) {
    problems.push(
      instance.problemAtKey(["transport"], {
        severity: "warning",
        code: "suspicious",
        message: `adverts by \`${transport.type}\` are not authenticated: whoever can send to this node under the address of a peer can take the service away`,
        hint: "add auth: { hmac: … } on all directors",
      }),
    );
  }
  return problems;
}

function impossiblePeer(address: string, seen: ReadonlySet<string>): Finding | null {
  if (familyOf(address) === 6) {
    return {
      code: "not-supported",
      message: "IPv6 peers are not supported in this version of holdfast, which speaks VRRPv3 over IPv4 only",
    };
  }
  if (!isUnicast(address) || address.startsWith("127.")) {
    return { code: "impossible", message: "this cannot be the address of another machine" };
  }
  return seen.has(address) ? { code: "conflict", message: "the peer stands twice in the list" } : null;
}

/** Keys have ids that fit a byte, and one of them signs. */
export function hmacProblems(instance: PlacedInstance): ConfigProblem[] {
  const { hmac } = instance.value;
  if (hmac === null || !instance.isSound("auth")) return [];
  const at = ["auth", "hmac"];
  const problems = Object.keys(instance.raw.auth?.hmac.keys ?? {}).flatMap((id): ConfigProblem[] =>
    /^[1-9]\d{0,2}$/.test(id) && Number(id) <= 255
      ? []
      : [
          instance.problemAtKey([...at, "keys", id], {
            code: "bad-value",
            message: "the id of a key is not a number from 1 to 255",
            expected: "keys: { 1: file:/etc/holdfast/vrrp.key }",
          }),
        ],
  );
  const ids = hmac.keys.map(({ id }) => id);
  if (ids.length === 0) {
    problems.push(instance.problem([...at, "keys"], { code: "missing-key", message: "there is no key" }));
  } else if (instance.raw.auth?.hmac.active === undefined && ids.length > 1) {
    problems.push(
      instance.problemAtKey([...at, "keys"], {
        code: "missing-key",
        message: "`active` is missing: with several keys it says which one signs",
        expected: `one of ${ids.join(", ")}`,
      }),
    );
  } else if (!ids.includes(hmac.activeKey)) {
    problems.push(
      instance.problem([...at, "active"], {
        code: "impossible",
        message: `there is no key with the id ${hmac.activeKey}`,
        expected: `one of ${ids.join(", ")}`,
      }),
    );
  }
  return problems;
}

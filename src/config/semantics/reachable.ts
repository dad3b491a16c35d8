import { familyOf, type IpText, isLoopback, isUnicast } from "../../base/ip.ts";
import type { ForwardMethod } from "../model.ts";
import type { Finding } from "../problem.ts";

/** Addresses that the kernel refuses, or takes and then never reaches. */
export function unreachableEndpoint(address: IpText, role: "listen" | ForwardMethod): Finding | null {
  const who = role === "listen" ? "a service cannot listen on" : "a real server cannot have";
  const code = "impossible";
  if (!isUnicast(address)) return { code, message: `${who} a multicast, broadcast or unspecified address` };
  if (/^::ffff:/i.test(address)) {
    return { code, message: `${who} an IPv4 address in IPv6 notation`, hint: "write the IPv4 address itself" };
  }
  if (/^fe[89ab]/i.test(address)) {
    return {
      code,
      message: `${who} a link-local address, which means another machine on every interface`,
      expected: "a global or unique local address",
    };
  }
  if (role !== "listen" && isLoopback(address)) {
    const hint =
      role === "nat"
        ? "connections would hang: the kernel drops packets to a loopback address that came from outside; write an address of this machine instead"
        : `with ${role} a server must be another machine, which has the virtual address on its own loopback`;
    return {
      code,
      message: `${who} a loopback address with ${role}`,
      expected: "the address of a machine in the server network",
      hint,
    };
  }
  return null;
}

/** 4 or 6 as people say it. */
export function familyName(address: IpText): string {
  return `IPv${familyOf(address)}`;
}

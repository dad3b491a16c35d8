import { formatEndpoint, parseEndpoint, parseListenEndpoint } from "../../base/endpoint.ts";
import { bitsOf, familyOf, formatCidr, parseCidr, parseIp } from "../../base/ip.ts";
import { ok } from "../../base/result.ts";
import { notSupported, type Refusal, refuse, scalar } from "./kit.ts";
import { wrongShape } from "./scalars.ts";

const ADDRESS = { type: "string", pattern: "^[0-9A-Fa-f:.]+$" };
/** An address with a port, as far as an editor tells it from a name or a lone address. */
const ENDPOINT = "([0-9.]+|\\[[0-9A-Fa-f:.]+\\]):\\d{1,5}";

const IN_QUOTES = 'an IPv6 address with a port stands in quotes: "[2001:db8::10]:80"';

/** What a list or map in the place of an address usually is: brackets that YAML took for its own. */
function notText(input: unknown): { readonly ok: false; readonly error: Refusal } {
  return wrongShape(input, Array.isArray(input) ? IN_QUOTES : undefined);
}

/** Why an address text was not read, in more words than "expected an address" where the mistake is a common one. */
function addressHint(text: string): string | undefined {
  if (/^\d{1,3}(\.\d{1,3}){3}$/.test(text)) {
    return "each of the four numbers is 0 to 255, without leading zeros";
  }
  if (/[a-z]/i.test(text) && !text.includes(":"))
    return "write the address; names are not looked up, so that a DNS failure cannot stop a director";
  return undefined;
}

/** The address of a machine. */
export function ipAddress() {
  return scalar("an IPv4 address, 192.0.2.3", ADDRESS, (input) => {
    if (typeof input !== "string") return notText(input);
    const ip = parseIp(input);
    if (!ip.ok) return refuse("is not an address", addressHint(input));
    return ok(ip.value);
  });
}

export function multicastAddress() {
  return scalar("an IPv4 multicast address, 224.0.0.81", { type: "string", pattern: "^2[23]\\d\\." }, (input) => {
    if (typeof input !== "string") return notText(input);
    const ip = parseIp(input);
    if (!ip.ok) return refuse("is not an address", addressHint(input));
    const first = Number(ip.value.split(".")[0]);
    if (familyOf(ip.value) !== 4 || first < 224 || first > 239) return refuse("is not a multicast address");
    return ok(ip.value);
  });
}

/** A virtual address with its prefix length. */
export function virtualAddress() {
  const json = { type: "string", pattern: "^[0-9A-Fa-f:.]+/\\d{1,3}$" };
  return scalar("an IPv4 address with its prefix length, 192.0.2.10/24", json, (input) => {
    if (typeof input !== "string") return notText(input);
    const cidr = parseCidr(input);
    if (!cidr.ok) {
      const [address = ""] = input.split("/");
      const ip = parseIp(address);
      if (!ip.ok) return refuse("is not an address", addressHint(address));
      return refuse(`has a prefix length outside 1 to ${bitsOf(familyOf(ip.value))}`);
    }
    if (!input.includes("/")) {
      return refuse(
        "has no prefix length",
        `write that of the interface's network, for example ${formatCidr({ address: cidr.value.address, prefixLength: familyOf(cidr.value.address) === 4 ? 24 : 64 })}; /${cidr.value.prefixLength} adds the address alone`,
      );
    }
    return ok(cidr.value);
  });
}

/** Refuses by name what later releases will listen on, before the parser calls them malformed. */
function laterListen(text: string): ReturnType<typeof notSupported> | null {
  if (text.startsWith("fwmark://")) {
    return notSupported(
      "firewall marks are not supported in this version of holdfast",
      "list the addresses and ports under listen",
    );
  }
  if (text.startsWith("sctp://"))
    return notSupported("SCTP is not supported in this version of holdfast", "listen takes tcp:// and udp://");
  if (/:\d+-\d+$/.test(text)) {
    return notSupported("port ranges are not supported in this version of holdfast", "list each port under listen");
  }
  return null;
}

export function listenEndpoint() {
  return scalar(
    "ADDRESS:PORT, tcp unless it says udp://, for example 192.0.2.10:80 or udp://192.0.2.10:53",
    { type: "string", pattern: `^((tcp|udp)://)?${ENDPOINT}$` },
    (input) => {
      if (typeof input !== "string") return notText(input);
      const later = laterListen(input);
      if (later !== null) return later;
      const parsed = parseListenEndpoint(input);
      if (!parsed.ok) return refuse(...endpointRefusal(input.replace(/^[a-z]+:\/\//, ""), parsed.error));
      return ok(parsed.value);
    },
  );
}

export function serverEndpoint() {
  const json = { type: "string", pattern: `^${ENDPOINT}$` };
  return scalar("ADDRESS:PORT, for example 10.0.0.11:80", json, (input) => {
    if (typeof input !== "string") return notText(input);
    const parsed = parseEndpoint(input);
    return parsed.ok ? ok(parsed.value) : refuse(...endpointRefusal(input, parsed.error));
  });
}

/** A port alone means this machine. */
export function localEndpoint() {
  const json = {
    anyOf: [
      { type: "integer", minimum: 1, maximum: 65_535 },
      { type: "string", pattern: `^${ENDPOINT}$` },
    ],
  };
  return scalar("a port of 127.0.0.1, for example 9650, or ADDRESS:PORT", json, (input) => {
    if (typeof input === "string" && /^\d{1,5}$/.test(input))
      return wrongShape(input, `write the number without quotes: ${input}`);
    if (typeof input !== "number" && typeof input !== "string") return notText(input);
    const text = typeof input === "number" ? `127.0.0.1:${input}` : input;
    const parsed = parseEndpoint(text);
    return parsed.ok ? ok(parsed.value) : refuse(...endpointRefusal(text, parsed.error));
  });
}

/** What is wrong with an endpoint that did not parse, and what to write. */
function endpointRefusal(text: string, error: string): [message: string, hint: string | undefined] {
  if (error.startsWith("unknown protocol"))
    return ["names an unknown protocol", "write tcp:// or udp://; nothing means tcp"];
  if (error.startsWith("the port must be")) return ["has a port outside 1 to 65535", undefined];
  if (error.startsWith("only IPv6")) return ["has brackets around an IPv4 address", "write it without brackets"];
  const portless = parseIp(text);
  const split = /^(.*):(\d{1,5})$/.exec(text);
  const ip = parseIp(split?.[1] ?? "");
  // 2001:db8::10:80 is an address as well as an address with a port; only the writer knows.
  if (ip.ok && split !== null && familyOf(ip.value) === 6) {
    return [
      "is an IPv6 address without brackets",
      `write "${formatEndpoint({ address: ip.value, port: Number(split[2]) })}"`,
    ];
  }
  if (portless.ok || error.startsWith("the port is missing"))
    return ["has no port", error.replace("the port is missing, for", "for")];
  return ["is not ADDRESS:PORT", addressHint(split?.[1] ?? text)];
}

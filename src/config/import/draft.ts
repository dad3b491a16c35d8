import { formatListenEndpoint, type Protocol } from "../../base/endpoint.ts";
import { type IpText, parseIp } from "../../base/ip.ts";

/** A value that YAML can write. */
export type Plain = string | number | boolean | readonly Plain[] | { readonly [key: string]: Plain };
export type PlainMap = { [key: string]: Plain };

/** Something of the other program's file that the result does not say, or says otherwise. */
export interface ImportNote {
  /** Counted from 1. */
  readonly line: number;
  /** The words of the line that it is about. */
  readonly text: string;
  /** A clause: what became of it, and what to do. */
  readonly message: string;
}

export interface Imported {
  readonly config: PlainMap;
  readonly notes: readonly ImportNote[];
}

/** Names as the configuration accepts them. */
const NOT_IN_NAMES = /[^A-Za-z0-9._-]+/g;

/** What an importer gathers. Bounded by its file. */
export class Draft {
  readonly instances: Record<string, PlainMap> = {};
  readonly groups: Record<string, string[]> = {};
  readonly services: Record<string, PlainMap> = {};
  readonly notes: ImportNote[] = [];
  node: string | null = null;

  note(line: number, text: string, message: string): void {
    this.notes.push({ line, text, message });
  }

  /** @returns the name under which it stands: another one where there is one already */
  addService(wanted: string, service: PlainMap): string {
    const name = freeName(wanted, this.services);
    this.services[name] = service;
    return name;
  }

  addInstance(wanted: string, instance: PlainMap): string {
    const name = freeName(wanted, this.instances);
    this.instances[name] = instance;
    return name;
  }

  result(): Imported {
    const has = (part: object): boolean => Object.keys(part).length > 0;
    const vrrp: PlainMap = {
      ...(has(this.instances) ? { instances: this.instances } : {}),
      ...(has(this.groups) ? { groups: this.groups } : {}),
    };
    const config: PlainMap = {
      ...(this.node === null ? {} : { node: this.node }),
      ...(has(vrrp) ? { vrrp } : {}),
      ...(has(this.services) ? { services: this.services } : {}),
    };
    return { config, notes: [...this.notes].sort((a, b) => a.line - b.line) };
  }
}

function freeName(wanted: string, taken: object): string {
  const base =
    wanted
      .replace(NOT_IN_NAMES, "-")
      .replace(/^[^A-Za-z0-9]+/, "")
      .slice(0, 59) || "imported";
  for (let number = 1; ; number += 1) {
    const name = number === 1 ? base : `${base}-${number}`;
    if (!(name in taken)) return name;
  }
}

/** `192.0.2.10-80`, `udp-192.0.2.53-53`: for a service that has no name of its own. */
export function nameOfListen(protocol: Protocol, address: string, port: number): string {
  return `${protocol === "tcp" ? "" : `${protocol}-`}${address.replaceAll(":", ".")}-${port}`;
}

/** @returns null where it is none */
export function listenOf(protocol: Protocol, address: string, port: string): string | null {
  const ip = addressOf(address);
  const number = portOf(port);
  if (ip === null || number === null) return null;
  return formatListenEndpoint({ protocol, address: ip, port: number });
}

export function addressOf(text: string): IpText | null {
  const ip = parseIp(text.replace(/^\[(.*)\]$/, "$1"));
  return ip.ok ? ip.value : null;
}

export function portOf(text: string): number | null {
  const port = /^\d{1,5}$/.test(text) ? Number(text) : 0;
  return port >= 1 && port <= 65_535 ? port : null;
}

/** A whole number in a range, or null. */
export function numberOf(text: string | undefined, min: number, max: number): number | null {
  if (text === undefined || !/^\d{1,9}$/.test(text)) return null;
  const number = Number(text);
  return number >= min && number <= max ? number : null;
}

/** Seconds, also with a fraction, as a duration of ours; null where they are none or out of range. */
export function secondsOf(text: string | undefined, minMs: number, maxMs: number): string | null {
  if (text === undefined || !/^\d{1,7}(\.\d{1,6})?$/.test(text)) return null;
  const ms = Math.round(Number(text) * 1000);
  if (ms < minMs || ms > maxMs) return null;
  return ms % 1000 === 0 ? `${ms / 1000}s` : `${ms}ms`;
}

/** `tun`, or a tunnel of another kind than IP-in-IP. @returns null where there is no such kind */
export function tunnelOf(type: string | undefined, port: string | undefined): Plain | null {
  if (type === undefined || type === "ipip") return "tun";
  if (type === "gre") return { tun: "gre" };
  const number = portOf(port ?? "");
  return type === "gue" && number !== null ? { tun: "gue", port: number } : null;
}

/** `32` for 255.255.255.255, or null where it is no mask. */
export function prefixOfMask(mask: string): number | null {
  const parts = mask.split(".").map(Number);
  if (parts.length !== 4 || parts.some((part) => !(part >= 0 && part <= 255))) return numberOf(mask, 1, 128);
  const bits = parts.map((part) => part.toString(2).padStart(8, "0")).join("");
  return /^1+0*$/.test(bits) ? bits.replaceAll("0", "").length : null;
}

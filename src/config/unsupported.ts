import type { KeyPath } from "./problem.ts";

/** A key that people will write although this release does not know it: of a later release, or of another program. */
export interface KnownForeignKey {
  readonly isLater: boolean;
  readonly hint: string;
}

const IN = {
  root: (path: KeyPath) => path.length === 0,
  vrrp: (path: KeyPath) => path.length === 1 && path[0] === "vrrp",
  instance: (path: KeyPath) => path.length === 3 && path[0] === "vrrp",
  service: (path: KeyPath) => path.length === 2 && path[0] === "services",
  forwardOrServer: (path: KeyPath) => path[0] === "services",
  check: (path: KeyPath) => path.includes("checks"),
  anywhere: () => true,
};

type Row = readonly [key: string, where: (path: KeyPath) => boolean, isLater: boolean, hint: string];

const ROWS: readonly Row[] = [
  ["group", IN.instance, false, "groups stand under vrrp: groups: { edge: [web4, in4] }"],
  ["track", IN.vrrp, false, "track belongs to an instance"],
  ["groups", IN.root, false, "it stands under vrrp:"],
  ["sync", IN.vrrp, false, "sync stands beside vrrp:, at the top level"],
  ["hmac", IN.instance, false, "it stands under auth: { hmac: … }"],
  ["listen", IN.root, false, "it belongs to a service, or to metrics: { listen: 9650 }"],
  ["drill", IN.root, false, "drills are scheduled under schedules:, and their settings stand under drills:"],
  ["control", IN.root, true, "remove it; --run-dir says where the control socket stands"],
  ["panic", IN.service, true, "remove it"],
  ["quorum", IN.service, true, "remove it"],
  ["slowStart", IN.anywhere, true, "remove it"],
  ["drain", IN.anywhere, true, "remove it; weight: 0 takes no new connections"],
  ["fwmark", IN.service, true, "list the addresses and ports under listen"],
  ["port", IN.service, false, "the port stands in listen: 192.0.2.10:80"],
  ["address", IN.service, false, "write listen: ADDRESS:PORT"],
  ["protocol", IN.service, false, "the protocol stands in listen: udp://192.0.2.10:53"],
  ["weight", IN.service, false, "weights belong to servers: { address: 10.0.0.11:80, weight: 2 }"],
  [
    "port",
    (path) => path.length >= 3 && path[0] === "services" && path[2] === "servers" && !path.includes("checks"),
    false,
    "the port stands in address: 10.0.0.11:80",
  ],
  ["state", IN.instance, false, "there is no start state; the node with the highest priority serves"],
  ["authentication", IN.instance, false, "write auth: { hmac: … }"],
  ["version", IN.instance, false, "holdfast speaks VRRP version 3 only"],
  ["tls", IN.check, false, "tls belongs to `https`, not to `http`"],
  ["url", IN.check, false, "split it: path: /healthz, host: www.example.org, port: 8080"],
  ["command", IN.check, false, "write run: [/path/of/program, argument]"],
  ["status", IN.check, false, "it stands under expect: { status: 200-299 }"],
  ["body", IN.check, false, "it stands under expect: { body: { contains: ok } }"],
  ["instances", IN.root, false, "it stands under vrrp:"],
  ["check", IN.root, false, "it stands under defaults:"],
  [
    "checks",
    IN.root,
    false,
    "checks belong to a service or a server; what they share stands under defaults: { check: … }",
  ],
  ["servers", IN.root, false, "servers belong to a service"],
];

/** What is known about a key that the schema does not have. */
export function knownForeignKey(path: KeyPath, key: string): KnownForeignKey | undefined {
  const row = ROWS.find(([name, where]) => name === key && where(path));
  return row === undefined ? undefined : { isLater: row[2], hint: row[3] };
}

import type * as z from "zod";
import { MICROSECONDS_PER_SECOND as S } from "../../base/duration.ts";
import { FORWARD_METHODS, SCHEDULERS, TUNNEL_TYPES } from "../model.ts";
import { listenEndpoint, serverEndpoint } from "./addresses.ts";
import { checkSchema } from "./checks.ts";
import { byShape, key, listOf, mapOf, optionalKey, ruled } from "./kit.ts";
import { boolean, choice, duration, integer } from "./scalars.ts";

/** Persistence in the kernel counts whole seconds. */
const persistenceTime = () => duration(S, 86_400 * S, { us: S, why: "the kernel counts persistence in whole seconds" });

const persistenceSchema = byShape("a duration, or a map with the keys timeout and prefix", {
  text: persistenceTime(),
  number: persistenceTime(),
  map: mapOf("a map with the keys timeout and prefix", {
    timeout: key(persistenceTime(), "How long a client stays with its server after its last connection."),
    prefix: optionalKey(
      integer(1, 128),
      "32, or 128 for IPv6",
      "Clients that share so many leading bits of their address stay together.",
    ),
  }),
});

const checksList = () => listOf("a list of checks", checkSchema);

const serverMapSchema = mapOf("a map with the key address", {
  address: key(serverEndpoint(), "ADDRESS:PORT of the real server."),
  weight: optionalKey(
    integer(0, 65535, { tooHigh: "only the ratio of the weights counts" }),
    "1",
    "Share of the connections, relative to the other servers; 0 takes no new ones.",
  ),
  checks: optionalKey(
    checksList(),
    "those of the service",
    "Checks of this server in place of the service's; `[]` for none.",
  ),
});

/** `{ tun: gue, port: 6080 }`. */
const tunnelSchema = ruled(
  mapOf("a map with the key tun", {
    tun: key(
      choice(TUNNEL_TYPES),
      "What the packets are wrapped in; the servers must take the same off (docs/real-servers.md).",
    ),
    port: optionalKey(integer(1, 65_535), "6080 for gue", "UDP port of the servers; for `gue` only."),
  }),
  ({ tun, port }) =>
    port === undefined || tun === "gue"
      ? []
      : [
          {
            path: ["port"],
            isAtKey: true,
            code: "conflict",
            message: `\`port\` belongs to the tunnel \`gue\`; \`${tun}\` has no ports`,
            hint: "remove it, or write tun: gue",
          },
        ],
);

export const serviceSchema = mapOf("a map with the keys listen and servers", {
  listen: key(
    byShape("ADDRESS:PORT, or a list of them", {
      text: listenEndpoint(),
      number: listenEndpoint(),
      list: listOf("a list with at least one ADDRESS:PORT", listenEndpoint(), 1),
    }),
    "Where clients connect: one ADDRESS:PORT or a list, all of one address family.",
  ),
  scheduler: optionalKey(choice(SCHEDULERS), "wlc", "How the kernel chooses a server for a new connection."),
  hash: optionalKey(
    mapOf("a map with the keys fallback and port", {
      fallback: optionalKey(boolean(), "false", "Choose another server when the hashed one cannot serve."),
      port: optionalKey(boolean(), "false", "Include the client's port in the hash."),
    }),
    "both false",
    "Options of the schedulers `sh` and `mh`.",
  ),
  persistence: optionalKey(persistenceSchema, "none", "Keeps a client with its server: a duration, or a map."),
  forward: optionalKey(
    byShape("one of `nat`, `dr`, `tun`, or a map with the key tun", {
      text: choice(FORWARD_METHODS, { accepts: "one of `nat`, `dr`, `tun`, or a map with the key tun" }),
      map: tunnelSchema,
    }),
    "nat",
    "How packets reach a server: `nat` rewrites address and port, and answers return through the director; `dr` changes the Ethernet address only; `tun` wraps them in IP, `{ tun: gre }` in GRE, `{ tun: gue }` in UDP.",
  ),
  onDown: optionalKey(
    choice(["remove", "quiesce"]),
    "remove",
    "What becomes of a server that is down: taken out of the kernel's table, or kept there with weight 0.",
  ),
  checks: optionalKey(
    checksList(),
    "none, with a warning",
    "Every server must pass all of them to be up. `[]` says that none are wanted, and silences the warning.",
  ),
  servers: key(
    listOf(
      "a list of servers; [] for none",
      byShape("ADDRESS:PORT, or a map with the key address", {
        text: serverEndpoint(),
        number: serverEndpoint(),
        list: serverEndpoint(),
        map: serverMapSchema,
      }),
    ),
    "The real servers.",
  ),
});

export type RawService = z.output<typeof serviceSchema>;
export type RawServer = RawService["servers"][number];

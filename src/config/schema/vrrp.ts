import type * as z from "zod";
import { MICROSECONDS_PER_MILLISECOND as MS, MICROSECONDS_PER_SECOND as S } from "../../base/duration.ts";
import { virtualAddress } from "./addresses.ts";
import { byShape, key, listOf, mapOf, optionalKey } from "./kit.ts";
import { boolean, choice, duration, integer, interfaceName } from "./scalars.ts";
import { trackSchema } from "./track.ts";
import { authSchema, peersSchema } from "./transport.ts";

export const instanceSchema = mapOf("a map with the keys interface, vrid and addresses", {
  interface: key(interfaceName(), "The interface that carries the adverts and gets the addresses."),
  vrid: key(
    integer(1, 255, { tooLow: "virtual router ids start at 1" }),
    "Virtual router id: the same on both directors, unique on the network segment.",
  ),
  priority: optionalKey(
    integer(1, 255, {
      tooLow: "0 exists only on the wire, where it says `I am leaving`",
      tooHigh: "254 is the highest; 255 is for a node that owns the address, which is then always on its interface",
    }),
    "100",
    "The living node with the highest priority serves. 1 to 254; 255 says that this node owns the addresses: it takes them at once and yields to nobody.",
  ),
  advertise: optionalKey(
    duration(10 * MS, 40_950 * MS, { us: 10 * MS, why: "adverts carry the interval in hundredths of a second" }),
    "1s",
    "Interval between adverts; the same on both directors. A dead master is noticed after three of them and a little more.",
  ),
  transport: optionalKey(
    choice(["multicast", "unicast", "udp"]),
    "multicast",
    "How adverts travel: `multicast` to 224.0.0.18 and `unicast` to the peers, both as protocol 112; `udp` in UDP datagrams to the peers, for networks that drop protocol 112.",
  ),
  peers: optionalKey(
    peersSchema,
    "none",
    "The other directors, for the transports `unicast` and `udp`: adverts go to them, and are accepted from them only.",
  ),
  port: optionalKey(integer(1, 65_535), "10112", "UDP port of the transport `udp`, the same on all directors."),
  auth: optionalKey(authSchema, "none", "Authentication of adverts; the same on all directors."),
  track: optionalKey(
    trackSchema,
    "nothing",
    "What besides its own interface decides whether this node may serve, or how much it wants to.",
  ),
  preempt: optionalKey(
    byShape("true, false or a map with the key delay", {
      boolean: boolean(),
      map: mapOf("a map with the key delay", {
        delay: key(
          duration(10 * MS, 3600 * S),
          "How long this node watches the master of lower priority before it takes over.",
        ),
      }),
    }),
    "true",
    "Whether this node takes the addresses back from a living master of lower priority: `true`, `false` or `{ delay: 60s }`.",
  ),
  checksum: optionalKey(
    choice(["pseudo-header", "message-only"]),
    "pseudo-header",
    "Which checksum this node sends; both are accepted. keepalived and FRR understand `pseudo-header`, some switches only `message-only`.",
  ),
  addresses: key(
    listOf("a list with at least one address", virtualAddress(), 1),
    "The virtual addresses, each with the prefix length of its network.",
  ),
});

export type RawInstance = z.output<typeof instanceSchema>;

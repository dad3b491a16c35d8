import { MICROSECONDS_PER_SECOND as S } from "../../base/duration.ts";
import { ok, type Result } from "../../base/result.ts";
import type { SecretSource } from "../model.ts";
import { ipAddress } from "./addresses.ts";
import { byShape, key, listOf, mapOf, namedMap, optionalKey, type Refusal, refuse, scalar } from "./kit.ts";
import { choice, duration, integer, wrongShape } from "./scalars.ts";
import { CREDENTIAL_NAME } from "./secrets.ts";

const peerMap = mapOf("a map with the key address", {
  address: key(ipAddress(), "Its address, the source of its adverts."),
  minTtl: optionalKey(
    integer(1, 255),
    "255",
    "The lowest TTL that is accepted from it: 255 as long as it is on the same network, one less for each router between. Not looked at on `udp`.",
  ),
});

/** The other directors, for `unicast` and `udp`. */
export const peersSchema = listOf(
  "a list with at least one address",
  byShape("an address, or a map with the key address", { text: ipAddress(), map: peerMap }),
  1,
);

/** `file:/etc/holdfast/vrrp.key` or `credential:vrrp-key`: never the key itself. */
function keySource() {
  const json = { type: "string", pattern: "^(file:/|credential:[A-Za-z0-9])" };
  return scalar("file:/PATH or credential:NAME", json, (input): Result<SecretSource, Refusal> => {
    if (typeof input !== "string") return wrongShape(input);
    const file = /^file:(\/.*)$/.exec(input);
    if (file?.[1] !== undefined) return ok({ type: "file", path: file[1] } as const);
    const credential = /^credential:(.*)$/.exec(input)?.[1];
    if (credential !== undefined && CREDENTIAL_NAME.test(credential))
      return ok({ type: "credential", name: credential } as const);
    return refuse(
      "does not say where the key stands",
      "a key never stands in the configuration: put it into a file that only root can read, and write file:/etc/holdfast/vrrp.key",
    );
  });
}

export const authSchema = mapOf("a map with the key hmac", {
  hmac: key(
    mapOf("a map with the keys keys and active", {
      mode: optionalKey(
        choice(["enforce", "permissive", "receive-only"]),
        "enforce",
        "`enforce` signs and drops what is not signed; `permissive` signs and accepts both; `receive-only` does not sign, and verifies what is signed. Roll out from the last to the first.",
      ),
      keys: key(
        namedMap("a map of keys, each under its id from 1 to 255", keySource()),
        "Where each key stands: `file:/etc/holdfast/vrrp.key`, or `credential:vrrp-key` for a systemd credential. A file holds 32 to 64 bytes, as text or as `hex:` and twice as many digits. Several keys are for rotation.",
      ),
      active: optionalKey(integer(1, 255), "the only key", "Id of the key that signs; any key of the list verifies."),
      replay: optionalKey(
        choice(["time", "monotonic"]),
        "time",
        "What guards against repeated adverts: `time` wants the clocks of the directors within the window; `monotonic` compares with the last advert only.",
      ),
      window: optionalKey(
        duration(S, 300 * S, { us: S, why: "the window is counted in whole seconds" }),
        "three intervals, 5s at least",
        "How far the clocks may differ.",
      ),
    }),
    "A keyed digest behind each advert (HMAC-SHA-256), as keepalived 2.4 has it too.",
  ),
});

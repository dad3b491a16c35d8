import type * as z from "zod";
import { MICROSECONDS_PER_MILLISECOND as MS, MICROSECONDS_PER_SECOND as S } from "../../base/duration.ts";
import { ok } from "../../base/result.ts";
import { commandSchema } from "./checks.ts";
import { byShape, key, listOf, mapOf, optionalKey, refuse, scalar } from "./kit.ts";
import { duration, integer, interfaceName, text, wrongShape } from "./scalars.ts";

/** What a priority may move by: from 254 to 1 and back. */
const WEIGHT_MAX = 253;

function trackWeight() {
  const accepts = `a whole number from -${WEIGHT_MAX} to ${WEIGHT_MAX}, not 0`;
  const json = { type: "integer", minimum: -WEIGHT_MAX, maximum: WEIGHT_MAX, not: { const: 0 } };
  return scalar(accepts, json, (input) => {
    if (typeof input !== "number") return wrongShape(input);
    if (!Number.isInteger(input) || Math.abs(input) > WEIGHT_MAX) return refuse("is out of range");
    return input === 0 ? refuse("has no effect", "leave the key out to go to fault instead") : ok(input);
  });
}

const WEIGHT =
  "Added to the priority: a negative weight while it fails, a positive one while it does not. Without it, the instance goes to fault while it fails, and serves nobody.";

const weightKey = () => optionalKey(trackWeight(), "none: fault", WEIGHT);

const trackedInterface = mapOf("a map with the key interface", {
  interface: key(interfaceName(), "Fails while the interface is down or missing."),
  weight: weightKey(),
});

const trackedService = mapOf("a map with the key service", {
  service: key(
    text("the name of a service", () => null, 63),
    "Fails while fewer servers than the quorum can serve.",
  ),
  quorum: optionalKey(integer(1, 65_535), "1", "Servers that must be in the table with a weight above 0."),
  weight: weightKey(),
});

const trackedScript = mapOf("a map with the key run", {
  name: optionalKey(
    text("a name, at most 63 characters", () => null, 63),
    "script, script-2, …",
    "How status and logs call it; unique within the instance.",
  ),
  run: key(commandSchema, "Program and arguments, without a shell. Exit code 0 = it passes."),
  interval: optionalKey(duration(100 * MS, 3600 * S), "2s", "From one run to the next."),
  timeout: optionalKey(
    duration(10 * MS, 3600 * S),
    "1s",
    "After this time the script and its children are killed, and it has failed.",
  ),
  rise: optionalKey(integer(1, 100), "2", "Passes in a row that end a failure."),
  fall: optionalKey(integer(1, 100), "3", "Failures in a row before it counts as failing."),
  weight: weightKey(),
});

export const trackSchema = mapOf("a map with the keys interfaces, scripts and services", {
  interfaces: optionalKey(
    listOf(
      "a list of interfaces",
      byShape("the name of an interface, or a map with the key interface", {
        text: interfaceName(),
        map: trackedInterface,
      }),
    ),
    "none",
    "Interfaces besides the instance's own.",
  ),
  scripts: optionalKey(
    listOf("a list of maps with the key run", trackedScript),
    "none",
    "Programs that judge this node.",
  ),
  services: optionalKey(
    listOf(
      "a list of services",
      byShape("the name of a service, or a map with the key service", {
        text: text("the name of a service", () => null, 63),
        map: trackedService,
      }),
    ),
    "none",
    "Services that this node must be able to serve.",
  ),
});

export type RawTrack = z.output<typeof trackSchema>;

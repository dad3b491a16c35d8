import type * as z from "zod";
import { MICROSECONDS_PER_MILLISECOND as MS, MICROSECONDS_PER_SECOND as S } from "../../base/duration.ts";
import { httpKeys, httpRule, tlsSchema } from "./http.ts";
import { byShape, key, listOf, mapOf, optionalKey, ruled } from "./kit.ts";
import { boolean, choice, duration, integer, text } from "./scalars.ts";

export const MIN_INTERVAL_US = 50 * MS;
export const MAX_INTERVAL_US = 3600 * S;
export const MIN_TIMEOUT_US = 10 * MS;
const interval = () => duration(MIN_INTERVAL_US, MAX_INTERVAL_US);
const timeout = () => duration(MIN_TIMEOUT_US, MAX_INTERVAL_US);
const count = () => integer(1, 100);
const port = () => integer(1, 65535);

/** Keys that every check has; what is absent comes from defaults.check. */
function timing(from: { readonly [K in "interval" | "timeout" | "rise" | "fall"]: string }) {
  return {
    interval: optionalKey(interval(), from.interval, "From the beginning of one attempt to the beginning of the next."),
    timeout: optionalKey(timeout(), from.timeout, "An attempt that takes longer has failed. At most the interval."),
    rise: optionalKey(count(), from.rise, "Attempts in a row that must pass before a server counts as up."),
    fall: optionalKey(count(), from.fall, "Attempts in a row that must fail before a server counts as down."),
  };
}

const inherited = timing({
  interval: "that of defaults.check",
  timeout: "that of defaults.check",
  rise: "that of defaults.check",
  fall: "that of defaults.check",
});

export const checkDefaultsSchema = mapOf(
  "a map with the keys interval, timeout, rise and fall",
  timing({ interval: "2s", timeout: "1s, or the interval where that is shorter", rise: "2", fall: "3" }),
);

const anyPort = (whose: string) => optionalKey(port(), `that of ${whose}`, "Port to connect to.");

const tcpMap = mapOf("a map with keys such as port and interval", {
  port: anyPort("the server"),
  ...inherited,
});

const httpMap = mapOf("a map with keys such as path and expect", {
  ...httpKeys,
  port: anyPort("the server"),
  ...inherited,
});

const httpsMap = mapOf("a map with keys such as path, expect and tls", {
  ...httpKeys,
  tls: optionalKey(
    tlsSchema,
    "verified, by the authorities that Node brings",
    "How the server proves who it is, and we to it.",
  ),
  port: anyPort("the server"),
  ...inherited,
});

const RUN_ACCEPTS = "a list: the absolute path of a program, then its arguments";

export const commandSchema = byShape(
  RUN_ACCEPTS,
  {
    list: ruled(
      listOf(
        "a list with the absolute path of a program",
        text("text", () => null, 4096),
        1,
      ),
      ([program = ""]) => {
        if (program.startsWith("/")) return [];
        const hint = program.includes(" ")
          ? "there is no shell: write each argument as an entry of the list"
          : "programs are not searched for on the PATH";
        const expected = "the absolute path of a program, for example /etc/holdfast/checks/load.sh";
        return [{ path: [0], code: "bad-value", message: "the program is not an absolute path", expected, hint }];
      },
      { prefixItems: [{ type: "string", pattern: "^/" }] },
    ),
  },
  "write run: [/path/of/program, argument]",
);

const scriptMap = mapOf("a map with the key run", {
  run: key(
    commandSchema,
    "The program and its arguments, without a shell. Exit code 0 passes. It learns about the server from its environment.",
  ),
  weight: optionalKey(
    boolean(),
    "false",
    "The script also sets the weight: by a line `weight=N` on its output, or by an exit code from 2 to 255 that means code − 2.",
  ),
  ...inherited,
});

export const CHECK_KINDS = ["tcp", "http", "https", "script"] as const;
export type CheckKind = (typeof CHECK_KINDS)[number];

const PORT_HINT = "write { port: 8080 }, or the word alone for the server's port";
const PATH_HINT = "write { path: /healthz }";

const checkMapSchema = mapOf("a map with one of the keys tcp, http, https, script", {
  tcp: optionalKey(
    byShape("a map with keys such as port", { map: tcpMap }, PORT_HINT),
    "none",
    "Passes when a TCP connection opens.",
  ),
  http: optionalKey(
    byShape("a map with keys such as path", { map: ruled(httpMap, httpRule) }, PATH_HINT),
    "none",
    "Passes when the answer is as expected.",
  ),
  https: optionalKey(
    byShape("a map with keys such as path", { map: ruled(httpsMap, httpRule) }, PATH_HINT),
    "none",
    "The same through TLS.",
  ),
  script: optionalKey(
    byShape("a map with the key run", { map: scriptMap }, "write { run: [/path/of/program, argument] }"),
    "none",
    "Passes when the program exits with 0.",
  ),
});

/** An entry names exactly one kind. */
const oneKindSchema = ruled(
  checkMapSchema,
  (check) => {
    const kinds = CHECK_KINDS.filter((kind) => check[kind] !== undefined);
    if (kinds.length === 1) return [];
    const expected = "one of the keys `tcp`, `http`, `https`, `script`";
    if (kinds.length === 0) return [{ path: [], code: "bad-value", message: "this check names no kind", expected }];
    const message = `one check cannot be ${kinds.map((kind) => `\`${kind}\``).join(" and ")} at once`;
    const hint = "put each on a line of its own after a dash";
    return [{ path: [kinds[1] ?? ""], isAtKey: true, code: "bad-value", message, expected, hint }];
  },
  { minProperties: 1, maxProperties: 1 },
);

const CHECK_ACCEPTS = "`tcp`, `http`, `https`, or a map with one of the keys `tcp`, `http`, `https`, `script`";

/** One entry of a `checks:` list: `tcp`, or a map with one key that names the kind. */
export const checkSchema = byShape(CHECK_ACCEPTS, {
  text: choice(["tcp", "http", "https"], {
    accepts: CHECK_ACCEPTS,
    other: {
      script: "a script check needs its program: write `script: { run: [/path/of/program] }`",
      ping: "that a machine answers says nothing about its service: use `tcp` or `http`",
    },
  }),
  map: oneKindSchema,
});

export type RawCheck = z.output<typeof checkSchema>;
export type RawCheckDefaults = z.output<typeof checkDefaultsSchema>;
export type RawHttp = z.output<typeof httpsMap>;
export type RawScript = z.output<typeof scriptMap>;
export type RawTcp = z.output<typeof tcpMap>;

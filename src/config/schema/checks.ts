import type { z } from "zod";
import { MICROSECONDS_PER_MILLISECOND as MS, MICROSECONDS_PER_SECOND as S } from "../../base/duration.ts";
import { ok } from "../../base/result.ts";
import type { StatusRange } from "../model.ts";
import { byShape, listOf, mapOf, namedMap, optionalKey, refuse, scalar } from "./kit.ts";
import { absolutePath, boolean, choice, duration, integer, size, text, wrongShape } from "./scalars.ts";

export const MIN_INTERVAL_US = 50 * MS;
export const MAX_INTERVAL_US = 3600 * S;
export const MIN_TIMEOUT_US = 10 * MS;
const MAX_PATTERN_LENGTH = 500;

const any = () => null;
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

export const tcpSchema = mapOf("a map with keys such as port and interval", {
  port: anyPort("the server"),
  ...inherited,
});

/** One status code or an inclusive range of them. */
function statusRange() {
  return scalar("a status code or a range of them, from 100 to 599, for example 200-299", (input) => {
    if (typeof input !== "number" && typeof input !== "string") return wrongShape(input);
    const match = /^(\d{3})(?:-(\d{3}))?$/.exec(String(input).trim());
    if (match === null) {
      const isClass = /^[1-5]xx$/i.test(String(input));
      const digit = String(input)[0] ?? "2";
      return refuse("is not a status code or a range of them", isClass ? `write ${digit}00-${digit}99` : undefined);
    }
    const range: StatusRange = { from: Number(match[1]), to: Number(match[2] ?? match[1]) };
    if (range.from < 100 || range.to > 599) return refuse("is outside 100 to 599");
    if (range.from > range.to)
      return refuse("is a range that ends before it begins", `write ${range.to}-${range.from}`);
    return ok(range);
  });
}

function pattern() {
  return scalar("a JavaScript regular expression, best in single quotes", (input) => {
    if (typeof input !== "string") return wrongShape(input, typeof input === "number" ? "put it in quotes" : undefined);
    if (input === "") return refuse("is empty", "it would match everything");
    if (input.length > MAX_PATTERN_LENGTH) return refuse(`is longer than ${MAX_PATTERN_LENGTH} characters`);
    try {
      new RegExp(input);
    } catch {
      return refuse(
        "is not a valid regular expression",
        "brackets and parentheses that are meant literally need a backslash",
      );
    }
    return ok(input);
  });
}

const bodySchema = mapOf("a map with one of the keys contains, matches", {
  contains: optionalKey(text("text that the body must hold", any), "nothing", "The body must hold this text."),
  matches: optionalKey(pattern(), "nothing", "The body must match this regular expression."),
});

const expectSchema = mapOf("a map with the keys status and body", {
  status: optionalKey(
    byShape("a status code, a range, or a list of them", {
      text: statusRange(),
      number: statusRange(),
      list: listOf("a list with at least one status code or range", statusRange(), 1),
    }),
    "200-299",
    "Status codes that pass.",
  ),
  body: optionalKey(bodySchema, "any body", "What the body must hold; without it the body is not read."),
});

const HEADER_VALUE = "the value of a header field, as text";

const FIELD_NAME = /^[!#$%&'*+\-.^_`|~0-9A-Za-z]+$/;

export function isHeaderName(name: string): boolean {
  return FIELD_NAME.test(name);
}

const httpKeys = {
  path: optionalKey(
    text("a path that begins with /", (value) => {
      if (/^https?:\/\//i.test(value)) {
        return {
          message: "is a whole URL",
          hint: "write only the path here, the name under host: and the port under port:",
        };
      }
      if (!value.startsWith("/"))
        return { message: "does not begin with /", hint: "write the path as it stands in a request: /healthz" };
      return /[\s#]/.test(value) ? { message: "holds a blank or a #", hint: "write them as %20 and %23" } : null;
    }),
    "/",
    "What to ask for, with its query.",
  ),
  method: optionalKey(choice(["GET", "HEAD", "OPTIONS", "POST"]), "GET", "Method of the request."),
  host: optionalKey(
    text("a host name, with a port if it is not the usual one", (value) =>
      /^[\w.:[\]-]+$/.test(value)
        ? null
        : { message: "is not a host name", hint: "write it without http:// and without a path" },
    ),
    "the server's address and port",
    "The Host header.",
  ),
  headers: optionalKey(
    namedMap("a map of header fields", text(HEADER_VALUE, any, 8192)),
    "none",
    "Further header fields. Values of Authorization, Cookie and the like never appear in messages.",
  ),
  expect: optionalKey(expectSchema, "status 200-299", "What the answer must be."),
  maxBody: optionalKey(
    size(1, 1024 * 1024),
    "64KiB",
    "How much of the body is read at most while looking for `expect.body`.",
  ),
};

const tlsSchema = mapOf("a map with keys such as verify and serverName", {
  verify: optionalKey(boolean(), "true", "Whether the server's certificate must be valid."),
  serverName: optionalKey(
    text("a host name", (value) => (/^[\w.-]+$/.test(value) ? null : { message: "is not a host name" }), 253),
    "`host` without its port, or the address",
    "The name that is asked for (SNI) and that the certificate must carry.",
  ),
  ca: optionalKey(text("the path of a PEM file", pemPath), "the system's", "Certificates of the authorities to trust."),
  cert: optionalKey(text("the path of a PEM file", pemPath), "none", "Client certificate; needs `key`."),
  key: optionalKey(text("the path of a PEM file", pemPath), "none", "Key of the client certificate."),
});

function pemPath(value: string) {
  return value.startsWith("-----BEGIN")
    ? { message: "is the certificate or key itself", hint: "write it into a file and give the path of the file here" }
    : null;
}

export const httpSchema = mapOf("a map with keys such as path and expect", {
  ...httpKeys,
  port: anyPort("the server"),
  ...inherited,
});

export const httpsSchema = mapOf("a map with keys such as path, expect and tls", {
  ...httpKeys,
  tls: optionalKey(tlsSchema, "verified, system authorities", "How the server proves who it is, and we to it."),
  port: anyPort("the server"),
  ...inherited,
});

const commandSchema = byShape("a list: the absolute path of a program, then its arguments", {
  list: listOf("a list with the absolute path of a program", scriptWord(), 1),
});

function scriptWord() {
  return text("text", any, 4096);
}

export const scriptSchema = mapOf("a map with the key run", {
  run: optionalKey(
    commandSchema,
    "none; it must be given",
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

const checkMapSchema = mapOf("a map with one of the keys tcp, http, https, script", {
  tcp: optionalKey(
    byShape("a map with keys such as port", { map: tcpSchema }),
    "none",
    "Passes when a TCP connection opens.",
  ),
  http: optionalKey(
    byShape("a map with keys such as path", { map: httpSchema }),
    "none",
    "Passes when the answer is as expected.",
  ),
  https: optionalKey(byShape("a map with keys such as path", { map: httpsSchema }), "none", "The same through TLS."),
  script: optionalKey(
    byShape("a map with the key run", { map: scriptSchema }),
    "none",
    "Passes when the program exits with 0.",
  ),
});

/** One entry of a `checks:` list: `tcp`, or a map with one key that names the kind. */
export const checkSchema = byShape(
  "`tcp`, `http`, `https`, or one of these or `script` as a key with settings below it",
  {
    text: choice(["tcp", "http", "https"], {
      later: { script: "a script check needs the program: write `script: { run: [/path/of/program] }`" },
    }),
    map: checkMapSchema,
  },
);

export type RawCheck = z.output<typeof checkSchema>;
export type RawCheckDefaults = z.output<typeof checkDefaultsSchema>;
export type RawHttp = z.output<typeof httpsSchema>;
export type RawScript = z.output<typeof scriptSchema>;
export type RawTcp = z.output<typeof tcpSchema>;

export { absolutePath };

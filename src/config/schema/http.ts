import { ok } from "../../base/result.ts";
import type { StatusRange } from "../model.ts";
import { byShape, key, listOf, mapOf, namedMap, optionalKey, type RuleFinding, refuse, ruled, scalar } from "./kit.ts";
import { boolean, choice, size, text, wrongShape } from "./scalars.ts";
import { credentialName, secretSchema } from "./secrets.ts";

const MAX_PATTERN_LENGTH = 500;
/** Characters of the value of a header field, wherever it stands. */
export const MAX_HEADER_VALUE = 8192;

const any = () => null;

/** One status code or an inclusive range of them. */
function statusRange() {
  const json = {
    anyOf: [
      { type: "integer", minimum: 100, maximum: 599 },
      { type: "string", pattern: "^\\s*\\d{3}(-\\d{3})?\\s*$" },
    ],
  };
  return scalar("a status code or a range of them, from 100 to 599, for example 200-299", json, (input) => {
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
  const json = { type: "string", minLength: 1, maxLength: MAX_PATTERN_LENGTH };
  return scalar("a JavaScript regular expression, best in single quotes", json, (input) => {
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

const bodyMap = mapOf("a map with one of the keys contains, matches", {
  contains: optionalKey(text("text that the body must hold", any), "nothing", "The body must hold this text."),
  matches: optionalKey(pattern(), "nothing", "The body must match this regular expression."),
});

const bodySchema = byShape(
  "a map with one of the keys contains, matches",
  {
    map: ruled(
      bodyMap,
      ({ contains, matches }) =>
        (contains === undefined) === (matches === undefined)
          ? [{ path: [], code: "bad-value", message: "`body` needs exactly one of `contains` and `matches`" }]
          : [],
      { minProperties: 1, maxProperties: 1 },
    ),
  },
  "write body: { contains: TEXT }",
);

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

/** Header fields that the request sets itself. */
const OWN_HEADERS: ReadonlySet<string> = new Set([
  "connection",
  "content-length",
  "keep-alive",
  "transfer-encoding",
  "upgrade",
  "expect",
  "te",
  "trailer",
]);

function headerText() {
  return text("the value of a header field, as text", any, MAX_HEADER_VALUE);
}

const FIELD_NAME = /^[!#$%&'*+\-.^_`|~0-9A-Za-z]+$/;

const headerValue = byShape("the value of a header field as text, or { file: … } or { credential: … }", {
  text: headerText(),
  number: headerText(),
  boolean: headerText(),
  map: secretSchema,
});

const headersSchema = ruled(
  namedMap("a map of header fields", headerValue),
  (headers) =>
    Object.keys(headers).flatMap((name): RuleFinding[] => {
      const say = (message: string, hint?: string): RuleFinding[] => [
        { path: [name], isAtKey: true, code: "bad-value", message, hint },
      ];
      if (name.toLowerCase() === "host")
        return say("the Host header has a key of its own", "write `host:` beside `headers:`");
      if (OWN_HEADERS.has(name.toLowerCase()))
        return say(`the header field ${name} is set by holdfast itself`, "remove it");
      if (FIELD_NAME.test(name)) return [];
      return say(
        "this is not the name of a header field",
        name.includes(":") ? "a space is missing after the colon" : "write it without blanks",
      );
    }),
  { propertyNames: { pattern: FIELD_NAME.source } },
);

export const httpKeys = {
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
    headersSchema,
    "none",
    "Further header fields. Values of Authorization, Cookie and the like never appear in messages; one that is not to stand here is `{ file: /PATH }` or `{ credential: NAME }`.",
  ),
  expect: optionalKey(expectSchema, "status 200-299", "What the answer must be."),
  maxBody: optionalKey(
    size(1, 1024 * 1024),
    "64KiB",
    "How much of the body is read at most while looking for `expect.body`.",
  ),
};

const tlsMap = mapOf("a map with keys such as verify and serverName", {
  verify: optionalKey(boolean(), "true", "Whether the server's certificate must be valid."),
  serverName: optionalKey(
    text("a host name", (value) => (/^[\w.-]+$/.test(value) ? null : { message: "is not a host name" }), 253),
    "`host` without its port, or the address",
    "The name that is asked for (SNI) and that the certificate must carry.",
  ),
  ca: optionalKey(
    text("the path of a PEM file", pemPath),
    "the authorities that Node brings",
    "Certificates of the authorities to trust. Those of the system are in /etc/ssl/certs/ca-certificates.crt.",
  ),
  cert: optionalKey(pemSource(), "none", "Client certificate; needs `key`."),
  key: optionalKey(pemSource(), "none", "Key of the client certificate."),
});

export const tlsSchema = ruled(
  tlsMap,
  ({ cert, key }) => {
    if ((cert === undefined) === (key === undefined)) return [];
    const [given, missing] = cert === undefined ? ["key", "cert"] : ["cert", "key"];
    const message = `\`${given}\` needs \`${missing}\` beside it`;
    return [
      { path: [given], isAtKey: true, code: "missing-key", message, hint: "a client certificate consists of both" },
    ];
  },
  { dependentRequired: { cert: ["key"], key: ["cert"] } },
);

/** Rules that join keys of an http or https check. */
export function httpRule({
  method,
  expect,
}: {
  readonly method?: string | undefined;
  readonly expect?: { readonly body?: unknown } | undefined;
}): RuleFinding[] {
  if (method !== "HEAD" || expect?.body === undefined) return [];
  const message = "an answer to HEAD has no body";
  return [
    {
      path: ["expect", "body"],
      isAtKey: true,
      code: "impossible",
      message,
      hint: "write `method: GET`, or remove body",
    },
  ];
}

function pemSource() {
  return byShape("the path of a PEM file, or { credential: … }", {
    text: text("the path of a PEM file", pemPath),
    map: mapOf("a map with the key credential", {
      credential: key(credentialName(), "A systemd credential that holds it."),
    }),
  });
}

function pemPath(value: string) {
  return value.startsWith("-----BEGIN")
    ? { message: "is the certificate or key itself", hint: "write it into a file and give the path of the file here" }
    : null;
}

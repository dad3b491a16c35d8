import { mapOf, optionalKey, ruled } from "./kit.ts";
import { text } from "./scalars.ts";

/** Name of a systemd credential. */
export const CREDENTIAL_NAME = /^[A-Za-z0-9][A-Za-z0-9._-]{0,62}$/;

export function credentialName() {
  return text(
    "the name of a systemd credential",
    (value) => (CREDENTIAL_NAME.test(value) ? null : { message: "is not the name of a credential" }),
    63,
    CREDENTIAL_NAME,
  );
}

/** A secret that stands elsewhere: `{ file: /etc/holdfast/check.token }` or `{ credential: check-token }`. */
export const secretSchema = ruled(
  mapOf("a map with one of the keys file and credential", {
    file: optionalKey(
      text("the path of a file", () => null),
      "none",
      "A file that holds it, on one line; relative to this file.",
    ),
    credential: optionalKey(credentialName(), "none", "A systemd credential that holds it."),
  }),
  ({ file, credential }) =>
    (file === undefined) === (credential === undefined)
      ? [
          {
            path: [],
            code: "bad-value",
            message: "a secret stands in exactly one of `file` and `credential`",
            hint: "write { file: /PATH }, or { credential: NAME } for one that the unit gets by LoadCredential=",
          },
        ]
      : [],
  { minProperties: 1, maxProperties: 1 },
);

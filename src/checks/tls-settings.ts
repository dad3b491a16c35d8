import { readFileSync } from "node:fs";
import { isIP } from "node:net";
import { join } from "node:path";
import { type ConnectionOptions, checkServerIdentity, createSecureContext, type SecureContext } from "node:tls";
import { messageOf } from "../base/director-error.ts";
import { err, ok, type Result } from "../base/result.ts";
import type { CredentialSource, HttpCheckConfig, TlsConfig } from "../config/model.ts";
import type { CheckTarget } from "./checker.ts";

/** What `tls.connect` needs besides where to connect. */
export type TlsSettings = Pick<
  ConnectionOptions,
  "secureContext" | "servername" | "rejectUnauthorized" | "checkServerIdentity" | "ALPNProtocols"
>;

/**
 * Secure contexts by the files that they were made of. A context with the system's authorities is large and slow to
 * make, and hundreds of servers share one configuration. Bounded by the distinct TLS settings of a configuration;
 * make a new cache for each, so that changed files are read again.
 */
export class TlsContexts {
  readonly #contexts = new Map<string, Result<SecureContext, string>>();
  readonly #credentialsDir: string | undefined;

  /** @param credentialsDir where systemd put the credentials of the service */
  constructor(credentialsDir = process.env.CREDENTIALS_DIRECTORY) {
    this.#credentialsDir = credentialsDir;
  }

  /** @returns the context, or a sentence that names the file that could not be used */
  get(config: TlsConfig): Result<SecureContext, string> {
    const key = JSON.stringify([config.caFile, config.certFile, config.keyFile]);
    let context = this.#contexts.get(key);
    if (context === undefined) {
      context = createContext(config, this.#credentialsDir);
      this.#contexts.set(key, context);
    }
    return context;
  }
}

function createContext(config: TlsConfig, credentialsDir: string | undefined): Result<SecureContext, string> {
  const pathOf = (source: string | CredentialSource): string =>
    typeof source === "string" ? source : join(credentialsDir ?? "$CREDENTIALS_DIRECTORY", source.name);
  const pem: { ca?: Buffer; cert?: Buffer; key?: Buffer } = {};
  for (const [part, source] of [
    ["ca", config.caFile],
    ["cert", config.certFile],
    ["key", config.keyFile],
  ] as const) {
    if (source === null) continue;
    const file = pathOf(source);
    try {
      pem[part] = readFileSync(file);
    } catch (thrown) {
      return err(`the file ${file} (tls ${part}) cannot be read: ${messageOf(thrown)}`);
    }
  }
  try {
    return ok(createSecureContext(pem));
  } catch (thrown) {
    const files = [config.caFile, config.certFile, config.keyFile].filter((file) => file !== null);
    return err(`${files.map(pathOf).join(", ")} cannot be used for TLS: ${messageOf(thrown)}`);
  }
}

/** The host part of a Host header: `www.example.org:8443`, `[2001:db8::1]:8443`. */
function withoutPort(host: string): string {
  return /^\[([^\]]*)\]/.exec(host)?.[1] ?? host.replace(/:\d+$/, "");
}

/**
 * The name asked for (SNI) and verified is `serverName`, else the host header's, else the address. An address is
 * verified against the certificate's addresses and not sent: RFC 6066 section 3 allows host names only in SNI.
 */
export function tlsSettings(
  config: TlsConfig,
  check: HttpCheckConfig,
  target: CheckTarget,
  context: SecureContext,
): TlsSettings {
  const name = config.serverName ?? (check.host === null ? target.address : withoutPort(check.host));
  return {
    secureContext: context,
    servername: isIP(name) === 0 ? name : "",
    rejectUnauthorized: config.verify,
    checkServerIdentity: (_host, certificate) => checkServerIdentity(name, certificate),
    ALPNProtocols: ["http/1.1"],
  };
}

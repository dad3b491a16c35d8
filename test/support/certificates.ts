import { createPublicKey, generateKeyPairSync, type KeyObject, randomBytes, sign } from "node:crypto";
import { ipToBytes } from "../../src/base/ip.ts";

/** X.509 certificates made while the tests run: no files with an expiry date in the repository, no openssl needed. */
export interface Identity {
  readonly cert: string;
  readonly key: string;
}

export interface Authority extends Identity {
  issue(options: {
    readonly names?: readonly string[];
    readonly ips?: readonly string[];
    readonly expired?: boolean;
  }): Identity;
}

const DAY_MS = 86_400_000;

function der(tag: number, ...parts: readonly Uint8Array[]): Buffer {
  const content = Buffer.concat(parts);
  const length =
    content.length < 128
      ? [content.length]
      : content.length < 256
        ? [0x81, content.length]
        : [0x82, content.length >> 8, content.length & 0xff];
  return Buffer.concat([Buffer.from([tag, ...length]), content]);
}

function oid(...arcs: readonly number[]): Buffer {
  const [first = 0, second = 0, ...rest] = arcs;
  const bytes = [first * 40 + second];
  for (const arc of rest) {
    const digits = [arc & 0x7f];
    for (let left = arc >> 7; left > 0; left >>= 7) digits.unshift((left & 0x7f) | 0x80);
    bytes.push(...digits);
  }
  return der(0x06, Buffer.from(bytes));
}

const sequence = (...parts: readonly Uint8Array[]) => der(0x30, ...parts);
const octets = (content: Uint8Array) => der(0x04, content);
const bits = (content: Uint8Array) => der(0x03, Buffer.from([0]), content);
const TRUE = Buffer.from([0x01, 0x01, 0xff]);
const ECDSA_WITH_SHA256 = sequence(oid(1, 2, 840, 10045, 4, 3, 2));

function name(commonName: string): Buffer {
  return sequence(der(0x31, sequence(oid(2, 5, 4, 3), der(0x0c, Buffer.from(commonName)))));
}

function time(ms: number): Buffer {
  const text = new Date(ms).toISOString().replace(/[-:T]/g, "").slice(0, 14);
  return der(0x18, Buffer.from(`${text}Z`));
}

function pem(label: string, bytes: Buffer): string {
  const lines = (bytes.toString("base64").match(/.{1,64}/g) ?? []).join("\n");
  return `-----BEGIN ${label}-----\n${lines}\n-----END ${label}-----\n`;
}

function certificate(options: {
  readonly issuer: string;
  readonly subject: string;
  readonly publicKey: KeyObject;
  readonly signer: KeyObject;
  readonly extensions: readonly Buffer[];
  readonly notAfterMs: number;
}): string {
  const serial = randomBytes(8);
  serial[0] = 1;
  const body = sequence(
    der(0xa0, der(0x02, Buffer.from([2]))),
    der(0x02, serial),
    ECDSA_WITH_SHA256,
    name(options.issuer),
    sequence(time(options.notAfterMs - 10 * DAY_MS), time(options.notAfterMs)),
    name(options.subject),
    options.publicKey.export({ type: "spki", format: "der" }),
    der(0xa3, sequence(...options.extensions)),
  );
  return pem("CERTIFICATE", sequence(body, ECDSA_WITH_SHA256, bits(sign("sha256", body, options.signer))));
}

function keyPem(key: KeyObject): string {
  return key.export({ type: "pkcs8", format: "pem" }).toString();
}

export function createAuthority(commonName: string): Authority {
  const { privateKey } = generateKeyPairSync("ec", { namedCurve: "P-256" });
  const basicConstraints = sequence(oid(2, 5, 29, 19), TRUE, octets(sequence(TRUE)));
  const cert = certificate({
    issuer: commonName,
    subject: commonName,
    publicKey: createPublicKey(privateKey),
    signer: privateKey,
    extensions: [basicConstraints],
    notAfterMs: Date.now() + DAY_MS,
  });
  return {
    cert,
    key: keyPem(privateKey),
    issue: ({ names = [], ips = [], expired = false }) => {
      const leaf = generateKeyPairSync("ec", { namedCurve: "P-256" });
      const alternatives = [
        ...names.map((text) => der(0x82, Buffer.from(text))),
        ...ips.map((ip) => der(0x87, ipToBytes(ip))),
      ];
      const subjectAltName = sequence(oid(2, 5, 29, 17), octets(sequence(...alternatives)));
      const leafCert = certificate({
        issuer: commonName,
        subject: names[0] ?? ips[0] ?? "client",
        publicKey: leaf.publicKey,
        signer: privateKey,
        extensions: alternatives.length > 0 ? [subjectAltName] : [sequence(oid(2, 5, 29, 19), octets(sequence()))],
        notAfterMs: Date.now() + (expired ? -DAY_MS : DAY_MS),
      });
      return { cert: leafCert, key: keyPem(leaf.privateKey) };
    },
  };
}

import assert from "node:assert/strict";
import { createHmac } from "node:crypto";
import fc from "fast-check";
import type { HmacConfig } from "../../src/config/model.ts";
import {
  clockSequence,
  encodeTrailer,
  type HmacKeys,
  type HmacSha256,
  type HmacState,
  INITIAL_HMAC_STATE,
  isLater,
  macInput,
  nextSequence,
  type Signer,
  signAdvert,
  TRAILER_BYTES,
  verifyTrailer,
} from "../../src/vrrp/hmac.ts";

const hmac: HmacSha256 = (key, data) => createHmac("sha256", key).update(data).digest();
const hex = (text: string) => Buffer.from(text.replaceAll(/\s/g, ""), "hex");

const K1 = Buffer.from(Array.from({ length: 32 }, (_, index) => index));
const K7 = hex(`${"f0".repeat(16)}${"0f".repeat(16)}`);
const K255 = Buffer.from("this is an ASCII passphrase of 46 octets long!!");
const K2 = Buffer.from("another ascii key of 40 bytes, yes 40 ok");
const KEYS: HmacKeys = new Map([
  [1, K1],
  [2, K2],
  [7, K7],
  [255, K255],
]);

/** Seconds, fraction and tie breaker as one number. */
const sequence = (seconds: number, fraction = 0, breaker = 0) =>
  (BigInt(seconds) << 32n) | (BigInt(fraction) << 16n) | BigInt(breaker);

interface Vector {
  readonly name: string;
  readonly signer: Signer;
  readonly key: number;
  readonly sequence: bigint;
  readonly message: string;
  readonly trailer: string;
  readonly input?: string;
}

/** Images of keepalived's own tests (1, 2), of an independent speaker that keepalived 2.4.3 accepted (3, 4), and captured frames. */
const VECTORS: readonly Vector[] = [
  {
    name: "IPv4, version 3",
    signer: { version: 3, vrid: 51, source: "198.51.100.10" },
    key: 1,
    sequence: 0x6800_0000_8000_0000n,
    message: "3133c80100644402c0000264",
    trailer: "010100006800000080000000 1b84bc4e8e43892dc6d98448f8ee2265",
    input: `04033300 c633640a ${"00".repeat(12)} 3133c80100640000 c0000264 01010000 68000000 8000 0000 ${"00".repeat(16)}`,
  },
  {
    name: "the same with the other checksum",
    signer: { version: 3, vrid: 51, source: "198.51.100.10" },
    key: 1,
    sequence: 0x6800_0000_8000_0000n,
    message: "3133c8010064573dc0000264",
    trailer: "010100006800000080000000 1b84bc4e8e43892dc6d98448f8ee2265",
  },
  {
    name: "IPv6, version 3",
    signer: { version: 3, vrid: 51, source: "fe80::10" },
    key: 1,
    sequence: 0x6800_0000_8000_0000n,
    message: "3133c8010064a2e9 fe800000000000000000000000000100",
    trailer: "010100006800000080000000 c8c56146ebfd66ee10ec4d8186461b78",
    input: `06033300 fe800000000000000000000000000010 3133c80100640000 fe800000000000000000000000000100
            01010000 68000000 8000 0000 ${"00".repeat(16)}`,
  },
  {
    name: "IPv4, version 2",
    signer: { version: 2, vrid: 10, source: "192.0.2.1" },
    key: 7,
    sequence: sequence(1_700_000_000, 0x4000, 3),
    message: "210a96020001c427 c0000264 c0000265 0000000000000000",
    trailer: "010700006553f10040000003 10065f6c946d86b069e40faca2cc6c2a",
    input: `04020a00 c0000201 ${"00".repeat(12)} 210a960200010000 c0000264 c0000265 0000000000000000
            01070000 6553f100 4000 0003 ${"00".repeat(16)}`,
  },
  {
    name: "IPv6 multicast, a text for a key",
    signer: { version: 3, vrid: 20, source: "fe80::2" },
    key: 255,
    sequence: sequence(0x6553f101, 0, 0xffff),
    message: "31146402003225c0 fe800000000000000000000000010100 20010db8000000000000000000000100",
    trailer: "01ff00006553f1010000ffff bd1226fbd694284d749e1050e22f760d",
  },
  {
    name: "captured H-V2",
    signer: { version: 2, vrid: 1, source: "198.51.100.11" },
    key: 2,
    sequence: sequence(0x6b01034f, 0x9abf),
    message: "2101fe0100011e96c00002650000000000000000",
    trailer: "010200006b01034f9abf00006d3242c7db06663f602cea5c07eac2ad",
  },
  {
    name: "captured H-V3",
    signer: { version: 3, vrid: 4, source: "198.51.100.11" },
    key: 1,
    sequence: sequence(0x6b01034f, 0x9b39),
    message: "3104fe010064035fc0000268",
    trailer: "010100006b01034f9b390000ac47bcbc1d978ddca049df78234ad28a",
  },
  {
    name: "captured H-V3-M",
    signer: { version: 3, vrid: 28, source: "198.51.100.11" },
    key: 1,
    sequence: sequence(0x6b01034f, 0x9bc9),
    message: "311cfe0100640dfdc0000280",
    trailer: "010100006b01034f9bc90000e4fde536737e9407196b48e5bae1a918",
  },
  {
    name: "captured H-V6",
    signer: { version: 3, vrid: 7, source: "fe80::11" },
    key: 2,
    sequence: sequence(0x6b01034f, 0x9b1e),
    message: "3107fe0100640cbbfe800000000000000000000000000107",
    trailer: "010200006b01034f9b1e000034d902c299d31dc676162f229f2987fc",
  },
];

function config(change: Partial<HmacConfig> = {}): HmacConfig {
  return { mode: "enforce", keys: [], activeKey: 1, replay: "monotonic", windowS: 5, ...change };
}

interface Attempt {
  readonly config?: HmacConfig;
  readonly state?: HmacState;
  readonly signer?: Signer;
  readonly message?: Buffer;
  readonly trailer?: Buffer | null;
  readonly wallMs?: number;
  readonly keys?: HmacKeys;
  readonly maxSenders?: number;
}

const SIGNER: Signer = { version: 3, vrid: 51, source: "198.51.100.10" };
const MESSAGE = hex("3133c80100644402c0000264");
const TRAILER = hex("010100006800000080000000 1b84bc4e8e43892dc6d98448f8ee2265");
/** When TRAILER was made, half a second into its second. */
const SIGNED_MS = 0x6800_0000 * 1000 + 500;

function judge(attempt: Attempt = {}): { readonly state: HmacState; readonly said: string } {
  const { state, verdict } = verifyTrailer(
    attempt.config ?? config(),
    attempt.keys ?? KEYS,
    attempt.state ?? INITIAL_HMAC_STATE,
    {
      signer: attempt.signer ?? SIGNER,
      message: attempt.message ?? MESSAGE,
      trailer: attempt.trailer === undefined ? TRAILER : attempt.trailer,
    },
    attempt.wallMs ?? SIGNED_MS,
    attempt.maxSenders ?? 16,
    hmac,
  );
  return { state, said: verdict.ok ? "ok" : verdict.error };
}

function flipped(bytes: Buffer, at: number, mask = 1): Buffer {
  const changed = Buffer.from(bytes);
  changed.writeUInt8(changed.readUInt8(at) ^ mask, at);
  return changed;
}

/** A trailer of SIGNER for MESSAGE. */
const signed = (at: bigint, signer = SIGNER) => encodeTrailer(signer, MESSAGE, { id: 1, bytes: K1 }, at, hmac);

describe("the authentication trailer", () => {
  for (const vector of VECTORS) {
    it(`is what others send: ${vector.name}`, () => {
      const message = hex(vector.message);
      const trailer = hex(vector.trailer);
      assert.equal(trailer.length, TRAILER_BYTES);
      const bytes = KEYS.get(vector.key) ?? Buffer.alloc(0);
      if (vector.input !== undefined) {
        assert.deepEqual(macInput(vector.signer, message, trailer.subarray(0, 12)), hex(vector.input));
      }
      assert.deepEqual(
        encodeTrailer(vector.signer, message, { id: vector.key, bytes }, vector.sequence, hmac),
        trailer,
      );
      const first = judge({ signer: vector.signer, message, trailer });
      assert.equal(first.said, "ok");
      assert.equal(judge({ signer: vector.signer, message, trailer, state: first.state }).said, "auth_replay");
      assert.equal(judge({ signer: vector.signer, message, trailer }).said, "ok", "at a second receiver");
    });
  }

  const mutations: readonly (readonly [string, Attempt, string])[] = [
    ["priority", { message: flipped(MESSAGE, 2) }, "auth_bad_hmac"],
    ["interval", { message: flipped(MESSAGE, 5) }, "auth_bad_hmac"],
    ["an address", { message: flipped(MESSAGE, 11) }, "auth_bad_hmac"],
    ["seconds", { trailer: flipped(TRAILER, 7) }, "auth_bad_hmac"],
    ["the tie breaker", { trailer: flipped(TRAILER, 11) }, "auth_bad_hmac"],
    ["the digest", { trailer: flipped(TRAILER, 27) }, "auth_bad_hmac"],
    ["the source", { signer: { ...SIGNER, source: "198.51.100.11" } }, "auth_bad_hmac"],
    ["the VRID asked", { signer: { ...SIGNER, vrid: 52 } }, "auth_bad_hmac"],
    ["the version asked", { signer: { ...SIGNER, version: 2 } }, "auth_bad_hmac"],
    ["the checksum", { message: flipped(MESSAGE, 6) }, "ok"],
    ["the kind", { trailer: flipped(TRAILER, 0, 3) }, "auth_malformed"],
    ["the reserved bits", { trailer: flipped(TRAILER, 3) }, "auth_malformed"],
    ["the key id", { trailer: flipped(TRAILER, 1, 8) }, "auth_unknown_key"],
    ["another key under the same id", { keys: new Map([[1, K2]]) }, "auth_bad_hmac"],
    ["a clock 100 s on, by time", { config: config({ replay: "time" }), wallMs: SIGNED_MS + 100_000 }, "auth_stale"],
    ["a clock 100 s on, monotonic", { wallMs: SIGNED_MS + 100_000 }, "ok"],
  ];
  for (const [what, attempt, expected] of mutations) {
    it(`changed, ${what}: ${expected}`, () => {
      const { state, said } = judge(attempt);
      assert.equal(said, expected);
      if (said !== "ok") assert.deepEqual(state, INITIAL_HMAC_STATE, "nothing is remembered of what was refused");
    });
  }

  it("is judged in the order kind, window, key, digest", () => {
    const late = { config: config({ replay: "time" }), wallMs: SIGNED_MS + 6_000 };
    assert.equal(judge({ ...late, trailer: flipped(TRAILER, 1, 8) }).said, "auth_stale");
    assert.equal(judge({ ...late, trailer: flipped(TRAILER, 27) }).said, "auth_stale");
    assert.equal(judge({ ...late, trailer: flipped(TRAILER, 0, 3) }).said, "auth_malformed");
    assert.equal(judge({ trailer: flipped(flipped(TRAILER, 1, 8), 3) }).said, "auth_malformed");
    assert.equal(judge({ trailer: flipped(flipped(TRAILER, 1, 8), 27) }).said, "auth_unknown_key");
  });

  for (const [mode, absent] of [
    ["receive-only", "ok"],
    ["permissive", "ok"],
    ["enforce", "auth_missing"],
  ] as const) {
    it(`${mode}: absent ${absent}, present must verify`, () => {
      assert.equal(judge({ config: config({ mode }), trailer: null }).said, absent);
      assert.equal(judge({ config: config({ mode }) }).said, "ok");
      assert.equal(judge({ config: config({ mode }), trailer: flipped(TRAILER, 20) }).said, "auth_bad_hmac");
    });
  }

  for (const [driftS, expected] of [
    [-6, "auth_stale"],
    [-5, "ok"],
    [0, "ok"],
    [5, "ok"],
    [6, "auth_stale"],
  ] as const) {
    it(`by time with a window of 5 s and a sender ${driftS} s away: ${expected}`, () => {
      const timed = config({ replay: "time" });
      const { verdict } = verifyTrailer(
        timed,
        KEYS,
        INITIAL_HMAC_STATE,
        { signer: SIGNER, message: MESSAGE, trailer: TRAILER },
        SIGNED_MS - driftS * 1000,
        16,
        hmac,
      );
      assert.deepEqual(
        verdict,
        expected === "ok" ? { ok: true, value: { skewS: driftS } } : { ok: false, error: expected },
      );
    });
  }

  it("forgets a mark outside the window by time, never when monotonic", () => {
    const state: HmacState = {
      lastSent: null,
      marks: [{ source: SIGNER.source, sequence: sequence(0x6800_0000 + 3600) }],
    };
    assert.equal(judge({ state, config: config({ replay: "time" }) }).said, "ok");
    assert.equal(judge({ state }).said, "auth_replay");
  });

  it("passes the end of the numbers, and any date where nothing was heard", () => {
    const first = judge({ trailer: signed(0xffff_ffff_ffff_ffffn) });
    assert.equal(first.said, "ok");
    assert.equal(judge({ state: first.state, trailer: signed(0xffff_ffff_ffff_fffen) }).said, "auth_replay");
    const second = judge({ state: first.state, trailer: signed(0n) });
    assert.equal(second.said, "ok");
    assert.equal(judge({ state: second.state, trailer: signed(0xffff_ffff_ffff_ffffn) }).said, "auth_replay");
  });

  it("remembers as many senders as it was told, the ones heard last", () => {
    const from = (last: number) => ({ ...SIGNER, source: `198.51.100.${last}` });
    const at = sequence(0x6800_0000);
    let state = INITIAL_HMAC_STATE;
    for (const last of [1, 2, 3, 4, 1, 5]) {
      const heard = judge({
        state,
        signer: from(last),
        trailer: signed(at + BigInt(state.marks.length), from(last)),
        maxSenders: 4,
      });
      state = heard.state;
    }
    assert.deepEqual(
      state.marks.map(({ source }) => source.split(".").at(-1)),
      ["3", "4", "1", "5"],
    );
    const forged = judge({ state, signer: from(6), trailer: flipped(signed(at, from(6)), 27), maxSenders: 4 });
    assert.deepEqual(forged.state, state, "a forged sender pushes nobody out");
  });
});

describe("the sequence of signed adverts", () => {
  const AT = clockSequence(SIGNED_MS);
  const timed = config({ replay: "time" });

  it("is the clock: seconds, and the fraction in 65536ths", () => {
    assert.equal(AT, 0x6800_0000_8000_0000n);
    assert.equal(clockSequence(2 ** 32 * 1000 + 999), (65_470n << 16n) | 0n, "32 bits of seconds");
  });

  for (const [what, last, settings, expected] of [
    ["nothing sent yet", null, timed, AT],
    ["the clock moved on", AT - 1n, timed, AT],
    ["twice in one tick of the clock", AT, timed, AT + 1n],
    ["the tie breaker is used up", AT | 0xffffn, timed, (AT | 0xffffn) + 1n],
    ["the clock was set back within the window", AT + (5n << 32n), timed, AT + (5n << 32n) + 1n],
    ["the clock was set back beyond the window", AT + (6n << 32n), timed, AT],
    ["the same, monotonic", AT + (6n << 32n), config(), AT + (6n << 32n) + 1n],
    ["the end of the numbers", 0xffff_ffff_ffff_ffffn, config(), AT],
  ] as const) {
    it(`${what}`, () => assert.equal(nextSequence(last, AT, settings), expected));
  }

  it("grows from advert to advert within 2^63, and either of two different numbers is the later one", () => {
    const any = fc.bigInt({ min: 0n, max: 0xffff_ffff_ffff_ffffn });
    fc.assert(
      fc.property(any, any, (a, b) => {
        assert.ok(isLater(nextSequence(a, b, config()), a));
        if (a !== b && BigInt.asUintN(64, a - b) !== 1n << 63n) assert.notEqual(isLater(a, b), isLater(b, a));
        assert.ok(!isLater(a, a));
      }),
    );
  });

  it("what is signed verifies at a receiver with the same keys and clock, once", () => {
    fc.assert(
      fc.property(
        fc.integer({ min: 1, max: 255 }),
        fc.integer({ min: 0, max: 2 ** 41 }),
        fc.uint8Array({ minLength: 8, maxLength: 200 }),
        fc.constantFrom("time", "monotonic"),
        (vrid, wallMs, message, replay) => {
          const settings = config({ replay });
          const advert = { signer: { ...SIGNER, vrid }, message };
          const { trailer } = signAdvert(settings, KEYS, INITIAL_HMAC_STATE, advert, wallMs, hmac);
          const packet = { ...advert, trailer };
          const first = verifyTrailer(settings, KEYS, INITIAL_HMAC_STATE, packet, wallMs, 4, hmac);
          assert.ok(first.verdict.ok);
          const second = verifyTrailer(settings, KEYS, first.state, packet, wallMs, 4, hmac);
          assert.deepEqual(second.verdict, { ok: false, error: "auth_replay" });
        },
      ),
    );
  });
});

import { createHmac } from "node:crypto";
import type { IpText } from "../base/ip.ts";
import type { KeyBytes } from "../config/keys.ts";
import type { HmacConfig, InstanceConfig } from "../config/model.ts";
import type { Clock } from "../ports/clock.ts";
import type { AcceptRules } from "../vrrp/accept.ts";
import { VRRP_VERSION } from "../vrrp/advert.ts";
import {
  type HmacKeys,
  type HmacSha256,
  type HmacState,
  INITIAL_HMAC_STATE,
  type Signer,
  signAdvert,
  verifyTrailer,
} from "../vrrp/hmac.ts";

/** Routers that may sign on a segment; repeats of one that was pushed out of the table would pass. */
const MULTICAST_SENDERS = 16;
const NO_TRAILER = Buffer.alloc(0);

export const hmacSha256: HmacSha256 = (key, data) => createHmac("sha256", key).update(data).digest();

export interface AuthCollaborators {
  readonly clock: Clock;
  /** A good advert of a router whose clock is more than half the window away. */
  clockDiffers(source: IpText, skewS: number): void;
}

/**
 * Signs and verifies the adverts of one instance. What was sent and heard is remembered across reloads: neither a sequence
 * nor a mark is lost when keys rotate.
 */
export class AdvertAuth {
  readonly #with: AuthCollaborators;
  #config: HmacConfig | null = null;
  #vrid = 0;
  #maxSenders = MULTICAST_SENDERS;
  /** By id; as many as are configured. */
  #keys: HmacKeys = new Map();
  #state: HmacState = INITIAL_HMAC_STATE;

  constructor(collaborators: AuthCollaborators) {
    this.#with = collaborators;
  }

  configure({ hmac, vrid, transport }: InstanceConfig): void {
    this.#config = hmac;
    this.#vrid = vrid;
    this.#maxSenders = transport.type === "multicast" ? MULTICAST_SENDERS : Math.max(1, transport.peers.length);
  }

  rekey(keys: readonly KeyBytes[]): void {
    this.#keys = new Map(keys.map(({ id, hex }) => [id, Buffer.from(hex, "hex")]));
  }

  get isSigning(): boolean {
    return this.#config !== null && this.#config.mode !== "receive-only";
  }

  /** What goes behind a message, the same for every destination; empty where nothing is signed. */
  trailerFor(message: Uint8Array, source: IpText): Buffer {
    const config = this.#config;
    if (config === null || !this.isSigning) return NO_TRAILER;
    const advert = { signer: this.#signer(source), message };
    const { state, trailer } = signAdvert(config, this.#keys, this.#state, advert, this.#nowMs(), hmacSha256);
    this.#state = state;
    return trailer;
  }

  /** For the packets of one source; null where no trailer is expected. */
  judgeOf(source: IpText): AcceptRules["authenticate"] {
    const config = this.#config;
    if (config === null) return null;
    return (message, trailer) => {
      const packet = { signer: this.#signer(source), message, trailer };
      const { state, verdict } = verifyTrailer(
        config,
        this.#keys,
        this.#state,
        packet,
        this.#nowMs(),
        this.#maxSenders,
        hmacSha256,
      );
      this.#state = state;
      if (!verdict.ok) return verdict.error;
      const { skewS } = verdict.value;
      if (skewS !== null && Math.abs(skewS) > Math.floor(config.windowS / 2)) this.#with.clockDiffers(source, skewS);
      return null;
    };
  }

  #signer(source: IpText): Signer {
    return { version: VRRP_VERSION, vrid: this.#vrid, source };
  }

  #nowMs(): number {
    return this.#with.clock.wallMs();
  }
}

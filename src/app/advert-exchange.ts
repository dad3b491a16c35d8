import type { IpText } from "../base/ip.ts";
import type { KeyBytes } from "../config/keys.ts";
import type { InstanceConfig } from "../config/model.ts";
import type { Clock } from "../ports/clock.ts";
import type { ReceivedPacket } from "../ports/packet-socket.ts";
import type { AdvertSlot, LastAdvert } from "../sys/advert-memory.ts";
import { acceptPacket, REJECT_REASONS, type RejectReason } from "../vrrp/accept.ts";
import { type DecodedAdvert, encodeAdvert, PRIORITY_RELEASE, VRRP_GROUP_IPV4 } from "../vrrp/advert.ts";
import { differences } from "../vrrp/differences.ts";
import { csToUs, usToCs } from "../vrrp/timing.ts";
import { AdvertAuth } from "./advert-auth.ts";
import type { InstanceIo } from "./instance-io.ts";
import type { InstanceTally } from "./instance-tally.ts";
import type { InstanceVoice } from "./instance-voice.ts";

export interface AdvertExchangeCollaborators {
  readonly clock: Clock;
  readonly io: Pick<InstanceIo, "send">;
  /** Where the last advert is remembered beyond the end of this process. */
  readonly memory: AdvertSlot;
  readonly tally: InstanceTally;
  readonly voice: InstanceVoice;
}

/**
 * What one instance says to its peers and hears from them: adverts are encoded, signed and sent; packets are judged, compared with
 * what is said here, and counted. What follows from an advert is for the state machine.
 */
export class AdvertExchange {
  #config: InstanceConfig;
  readonly #with: AdvertExchangeCollaborators;
  readonly #auth: AdvertAuth;

  constructor(config: InstanceConfig, collaborators: AdvertExchangeCollaborators) {
    this.#config = config;
    this.#with = collaborators;
    this.#auth = new AdvertAuth({
      clock: collaborators.clock,
      clockDiffers: (source, skewS) => this.#warnOfClock(source, skewS),
    });
    this.#auth.configure(config);
  }

  configure(config: InstanceConfig): void {
    this.#config = config;
    this.#auth.configure(config);
  }

  /** The bytes of the keys that the configuration names; it may name others in the same turn. */
  rekey(keys: readonly KeyBytes[]): void {
    this.#auth.rekey(keys);
  }

  get isSigning(): boolean {
    return this.#auth.isSigning;
  }

  /** Says one advert to everybody whom the transport names. @returns 0 or a positive errno */
  send(priority: number, source: IpText): number {
    const { clock, io, tally } = this.#with;
    const { vrid, advertIntervalUs, addresses, checksum } = this.#config;
    const advert = {
      vrid,
      priority,
      intervalCs: usToCs(advertIntervalUs),
      addresses: addresses.map(({ address }) => address),
    };
    const atUs = clock.nowUs();
    const encode = (destination: IpText) => encodeAdvert(advert, checksum, { source, destination });
    // One signature for all copies: it covers neither destination nor checksum.
    const trailer = this.#auth.trailerFor(encode(VRRP_GROUP_IPV4), source);
    const errno = io.send((destination) => Buffer.concat([encode(destination), trailer]), source);
    this.#remember(priority, errno, { atUs, intervalUs: csToUs(advert.intervalCs) });
    if (errno === 0) tally.advertsSent += 1;
    else tally.sendErrors += 1;
    return errno;
  }

  /**
   * Judges what arrived for this virtual router.
   * @param own      the address that this instance speaks from; null = it has none
   * @param priority the effective one, which a peer's is compared with
   * @returns null = it is dropped
   */
  receive(packet: ReceivedPacket, own: IpText | null, priority: number): DecodedAdvert | null {
    const { transport } = this.#config;
    const advert = acceptPacket(packet, own, { transport, authenticate: this.#auth.judgeOf(packet.source) });
    if (!advert.ok) {
      this.#reject(packet, advert.error);
      return null;
    }
    this.#with.tally.advertsReceived += 1;
    this.#compare(packet.source, advert.value, priority);
    return advert.value;
  }

  /** Who said that it leaves is not to come back as if it had not, also where nobody heard it. */
  #remember(priority: number, errno: number, advert: LastAdvert): void {
    if (priority === PRIORITY_RELEASE) this.#with.memory.forget();
    else if (errno === 0) this.#with.memory.remember(advert);
  }

  #reject(packet: ReceivedPacket, reason: RejectReason): void {
    this.#with.tally.rejected(reason);
    this.#with.voice.once(
      `reject ${reason}`,
      "warning",
      `packet from ${packet.source} dropped (${reason}): ${REJECT_REASONS[reason]}`,
    );
  }

  #compare(source: IpText, advert: DecodedAdvert, priority: number): void {
    const { tally, voice } = this.#with;
    tally.checksumForm(advert.checksumForm);
    for (const { code, message } of differences({ ...this.#config, priority }, source, advert)) {
      tally.event(code);
      voice.once(code, "warning", message);
    }
  }

  #warnOfClock(source: IpText, skewS: number): void {
    const windowS = this.#config.hmac?.windowS ?? 0;
    this.#with.voice.once(
      "clock",
      "warning",
      `the clock of ${source} is ${Math.abs(skewS)}s ${skewS > 0 ? "ahead of" : "behind"} ours; adverts are refused beyond ${windowS}s: set both by NTP`,
    );
  }
}

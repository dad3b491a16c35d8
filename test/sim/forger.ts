import type { IpText } from "../../src/base/ip.ts";
import type { ReceivedPacket } from "../../src/ports/packet-socket.ts";
import { decodeAdvert, encodeAdvert, VRRP_GROUP_IPV4 } from "../../src/vrrp/advert.ts";
import { STRANGER } from "../support/virtual-segment.ts";
import type { Dice } from "./dice.ts";

const KINDS = [
  "valid",
  "valid",
  "valid",
  "spoofed",
  "far",
  "unicast",
  "foreign",
  "mutated",
  "mutated",
  "noise",
] as const;

/** What a host that is no director may put on the wire. */
export class Forger {
  readonly #dice: Dice;
  readonly #intervalsCs: readonly number[];

  constructor(dice: Dice, intervalsCs: readonly number[]) {
    this.#dice = dice;
    this.#intervalsCs = intervalsCs;
  }

  /** @param victim whose address a spoofed packet bears: the receiver's own, or that of another director */
  forge(victim: IpText): ReceivedPacket {
    const dice = this.#dice;
    const kind = dice.pick(KINDS);
    const source = kind === "spoofed" ? victim : STRANGER;
    const destination = kind === "unicast" ? "198.51.100.11" : VRRP_GROUP_IPV4;
    const message = encodeAdvert(
      {
        vrid: kind === "foreign" ? 99 : 51,
        priority: dice.pick([0, 0, 1, 50, 100, 150, 254, 255]),
        intervalCs: dice.pick(this.#intervalsCs),
        addresses: ["192.0.2.10"],
      },
      dice.pick(["pseudo-header", "message-only"]),
      { source, destination },
    );
    if (kind === "mutated") {
      for (let flips = dice.between(1, 3); flips > 0; flips -= 1) this.#flip(message);
    }
    if (kind === "noise") for (let at = 2; at < message.length; at += 1) message.writeUInt8(dice.between(0, 255), at);
    const decoded = decodeAdvert(message, { source, destination });
    // Bits that cancel out may make it valid with an interval of half a minute, and no bound would be worth much.
    if (decoded.ok && !this.#intervalsCs.includes(decoded.value.intervalCs)) message.writeUInt8(0, 0);
    return { message, source, destination, ttl: kind === "far" ? dice.between(0, 254) : 255 };
  }

  #flip(message: Buffer): void {
    const at = this.#dice.between(0, message.length - 1);
    message.writeUInt8(message.readUInt8(at) ^ (1 << this.#dice.between(0, 7)), at);
  }
}

import assert from "node:assert/strict";
import type { ReceivedPacket } from "../../src/ports/packet-socket.ts";
import { acceptPacket } from "../../src/vrrp/accept.ts";
import { encodeAdvert, VRRP_GROUP_IPV4 } from "../../src/vrrp/advert.ts";
import type { VirtualDirector } from "../support/virtual-director.ts";
import { instance, STRANGER, VirtualSegment } from "../support/virtual-segment.ts";
import { VirtualTime } from "../support/virtual-time.ts";
import { Dice } from "./dice.ts";

const VRID = 51;
/** So often some time passes, in which a director may become master again. */
const PAUSE_EVERY = 50;

export interface Hammered {
  /** What the router had to take for an advert, and what not. */
  readonly adverts: number;
  readonly rubbish: number;
  /** In which phases it was hit. */
  readonly phases: ReadonlySet<string>;
}

/**
 * Throws random and mutated packets at a running router. None may make it throw, and none that is no valid advert of its
 * virtual router may change anything but counters and the log.
 */
export function hammer(seed: number, packets: number): Hammered {
  const dice = new Dice(seed);
  const time = new VirtualTime();
  const director = new VirtualSegment(time).join("lb1", 11);
  director.act((router) => router.configure({ instances: [instance(100, { advertIntervalUs: 100_000 })] }));
  const phases = new Set<string>();
  let adverts = 0;
  let before = "";
  for (let count = 0; count < packets; count += 1) {
    if (count % PAUSE_EVERY === 0) {
      pause(director, time, dice);
      before = snapshot(director, time);
    }
    const packet = draw(dice, director);
    const isValid = isAdvert(packet, director.address);
    assert.equal(acceptPacket(packet, director.address).ok, isValid, describe(packet));
    phases.add(director.phase ?? "none");
    director.arrive(packet);
    const after = snapshot(director, time);
    if (isValid && packet.message[1] === VRID) adverts += 1;
    else assert.equal(after, before, `changed by ${describe(packet)}`);
    before = after;
  }
  return { adverts, rubbish: packets - adverts, phases };
}

function pause(director: VirtualDirector, time: VirtualTime, dice: Dice): void {
  time.advance(dice.pick([0, 50_000, 500_000]));
  if (dice.roll() < 0.05) void director.act((router) => router.handover("web4"));
  // The test is about what changes, not about what was sent long ago.
  director.sent.length = 0;
  director.announced.length = 0;
  director.log.length = 0;
}

/** All that a packet could change, but counters and the log. */
function snapshot(director: VirtualDirector, time: VirtualTime): string {
  director.router.publishAll();
  const status = director.states.get("instance/web4");
  const { held, copies, sent, announced } = director;
  return JSON.stringify([{ ...status, counters: null }, held, [...copies], sent.length, announced.length, time.nextUs]);
}

function draw(dice: Dice, { address }: VirtualDirector): ReceivedPacket {
  const source = dice.roll() < 0.1 ? address : dice.pick([STRANGER, "198.51.100.1", "198.51.100.12"]);
  const destination = dice.roll() < 0.9 ? VRRP_GROUP_IPV4 : address;
  const ttl = dice.roll() < 0.9 ? 255 : dice.between(0, 255);
  return { message: mutated(dice, advert(dice, source, destination)), source, destination, ttl };
}

function advert(dice: Dice, source: string, destination: string): Buffer {
  const count = dice.roll() < 0.01 ? 255 : dice.pick([1, 1, 2, 3]);
  return encodeAdvert(
    {
      vrid: dice.roll() < 0.9 ? VRID : dice.between(1, 255),
      priority: dice.pick([0, 0, 1, 50, 100, 101, 254, 255]),
      intervalCs: dice.pick([1, 10, 100, 4095]),
      addresses: Array.from({ length: count }, (_, index) => `192.0.2.${index}`),
    },
    dice.pick(["pseudo-header", "message-only"]),
    { source, destination },
  );
}

function mutated(dice: Dice, message: Buffer): Buffer {
  const kind = dice.pick(["none", "flip", "flip", "cut", "extend", "field", "field", "noise"]);
  if (kind === "cut") return message.subarray(0, dice.between(0, message.length));
  if (kind === "extend") return Buffer.concat([message, noise(dice, dice.between(1, 40))]);
  if (kind === "noise") return noise(dice, dice.between(0, 64));
  if (kind === "flip") {
    for (let flips = dice.between(1, 8); flips > 0; flips -= 1) {
      const at = dice.between(0, message.length - 1);
      message.writeUInt8(message.readUInt8(at) ^ (1 << dice.between(0, 7)), at);
    }
  }
  if (kind === "field") {
    // One field of the header, and the checksum made right again: what lies behind the checksum is reached.
    message.writeUInt8(dice.pick([0, 1, 2, 0x21, 0x31, 0x32, 0x41, 51, 255]), dice.between(0, 5));
    message.writeUInt16BE(0, 6);
    message.writeUInt16BE(0xffff - onesSum(message), 6);
  }
  return message;
}

function noise(dice: Dice, bytes: number): Buffer {
  return Buffer.from(Array.from({ length: bytes }, () => dice.between(0, 255)));
}

/** What RFC 9568 section 7.1 asks of a packet, written down once more without a look at the codec. */
function isAdvert({ message, source, destination, ttl }: ReceivedPacket, own: string): boolean {
  if (ttl !== 255 || destination !== VRRP_GROUP_IPV4 || source === own) return false;
  const [versionAndType, vrid = 0, priority = 0, count = 0, high = 0, low = 0] = message;
  if (versionAndType !== 0x31 || vrid === 0 || count === 0 || message.length !== 8 + 4 * count) return false;
  const isSilent = (high & 0x0f) === 0 && low === 0;
  if (isSilent && priority !== 0) return false;
  const header = [...source.split("."), ...destination.split(".")].map(Number);
  const pseudo = Buffer.from([...header, 0, 112, message.length >> 8, message.length & 0xff]);
  return onesSum(message) === 0xffff || onesSum(Buffer.concat([pseudo, message])) === 0xffff;
}

/** The ones' complement sum of 16-bit words; 0xffff over a message whose checksum is right. */
function onesSum(bytes: Buffer): number {
  let sum = 0;
  for (let at = 0; at < bytes.length; at += 2) sum += bytes.readUInt8(at) * 256 + (bytes[at + 1] ?? 0);
  while (sum > 0xffff) sum = (sum % 0x10000) + Math.floor(sum / 0x10000);
  return sum;
}

function describe({ message, source, destination, ttl }: ReceivedPacket): string {
  return `${message.toString("hex")} from ${source} to ${destination}, ttl ${ttl}`;
}

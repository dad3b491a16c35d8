import type { IpText } from "../base/ip.ts";
import type { InstanceKeys } from "../config/keys.ts";
import type { DirectorConfig, InstanceConfig } from "../config/model.ts";
import { acceptPacket, claimedVrid, REJECT_REASONS, type RejectReason } from "../vrrp/accept.ts";
import { PRIORITY_RELEASE, VRRP_VERSION } from "../vrrp/advert.ts";
import { type DifferenceCode, differences } from "../vrrp/differences.ts";
import { type HmacSha256, INITIAL_HMAC_STATE, verifyTrailer } from "../vrrp/hmac.ts";
import { type DoctorFinding, type DoctorId, finding } from "./catalogue.ts";
import type { DoctorFacts, HeardPacket } from "./facts.ts";

/** Who was heard as a router of an instance, and what was wrong with what they said. */
export interface Hearing {
  /**
   * MAC addresses by the source of adverts that name the instance's VRID, also of those that are refused: a peer that is
   * set otherwise is no stranger. Bounded by what was heard.
   */
  readonly routers: ReadonlyMap<IpText, string | null>;
  readonly findings: readonly DoctorFinding[];
}

/** Packets refused for these reasons: what they say about the sender. */
const REJECTS: Readonly<Record<RejectReason, DoctorId | null>> = {
  unknown_vrid: null,
  packet_length: "peer-garbled",
  ttl: "vrrp-from-afar",
  version: "peer-version",
  auth_missing: "peer-auth",
  auth_malformed: "peer-auth",
  auth_stale: "clock-differs",
  auth_unknown_key: "peer-auth",
  auth_bad_hmac: "peer-auth",
  // The doctor remembers nothing between packets, so a repeat is none.
  auth_replay: null,
  type: "peer-garbled",
  vrid: "peer-garbled",
  checksum: "peer-garbled",
  interval_zero: "peer-garbled",
  address_count: "peer-garbled",
  cast_mismatch: "peer-transport",
  unknown_peer: "vrid-stranger",
  self: "own-address-elsewhere",
};

const DIFFERENCES: Readonly<Record<DifferenceCode, DoctorId>> = {
  checksum_form: "peer-checksum",
  interval: "peer-interval",
  equal_priority: "peer-priority",
  stranger: "vrid-stranger",
  address_list: "peer-addresses",
};

const REMEDIES: Readonly<Partial<Record<DoctorId, string>>> = {
  "vrrp-from-afar": "find out who sends them; for peers behind a router use `transport: unicast` with `minTtl`",
  "peer-version": "let the peer speak version 3: `vrrp_version 3` in keepalived",
  "peer-auth": "give both directors the same `auth: { hmac: … }` and keys",
  "clock-differs": "systemctl restart systemd-timesyncd   # or chrony, on both directors",
  "peer-garbled": "look at the peer: it is no VRRPv3 router, or something changes its packets",
  "peer-transport": "give both directors the same `transport:`",
  "vrid-stranger":
    "give this instance another `vrid:` on all its directors; or list the source under `peers:` if it is one",
  "own-address-elsewhere": "look for a machine with the same address, or a loop in the network",
  "peer-checksum": "make `checksum:` equal on both directors",
  "peer-interval": "make `advertise:` equal on both directors",
  "peer-priority": "give the directors different priorities",
  "peer-addresses": "make `addresses:` equal on both directors",
};

export interface HearingCollaborators {
  readonly hmac: HmacSha256;
  readonly keys: InstanceKeys;
}

/** What the packets that were heard say about the peers of each instance, by its name. */
export function hearings(
  config: DirectorConfig,
  facts: DoctorFacts,
  collaborators: HearingCollaborators,
): ReadonlyMap<string, Hearing> {
  return new Map(config.instances.map((instance) => [instance.name, hear(instance, facts, collaborators)]));
}

function hear(instance: InstanceConfig, facts: DoctorFacts, collaborators: HearingCollaborators): Hearing {
  const own = facts.interfaces.find(({ name }) => name === instance.interface)?.primaryIpv4 ?? null;
  const udpPort = instance.transport.type === "udp" ? instance.transport.port : null;
  const priority = facts.daemon?.instances.find(({ name }) => name === instance.name)?.priority ?? instance.priority;
  const routers = new Map<IpText, string | null>();
  /** By id and source: every advert of a router says the same. */
  const findings = new Map<string, DoctorFinding>();
  const masters = new Map<IpText, number>();
  const add = (id: DoctorId, source: IpText, title: string) => {
    if (!findings.has(`${id} ${source}`)) findings.set(`${id} ${source}`, finding(id, title, REMEDIES[id] ?? ""));
  };
  for (const packet of facts.heard) {
    if (packet.interface !== instance.interface || packet.udpPort !== udpPort) continue;
    if (claimedVrid(packet.message) !== instance.vrid) continue;
    const { source } = packet;
    const heard = acceptPacket(packet, own, {
      transport: instance.transport,
      authenticate: judge(instance, packet, collaborators, (skewS) =>
        add(
          "clock-differs",
          source,
          `instance ${instance.name}: the clock of ${source} differs from this one's by ${Math.abs(skewS)} s`,
        ),
      ),
    });
    if (!heard.ok) {
      const id = heard.error === "packet_length" && isSigned(packet) ? "peer-auth" : REJECTS[heard.error];
      const why =
        id === "peer-auth" && heard.error === "packet_length"
          ? "it is signed, and no key is configured here"
          : REJECT_REASONS[heard.error];
      routers.set(source, packet.mac);
      if (id !== null) add(id, source, `instance ${instance.name} refuses adverts of ${source}: ${why}`);
      continue;
    }
    const found = differences({ ...instance, priority }, source, heard.value);
    for (const { code, message } of found)
      add(DIFFERENCES[code], source, `instance ${instance.name}: ${firstPart(message)}`);
    if (found.some(({ code }) => code === "stranger")) continue;
    routers.set(source, packet.mac);
    if (heard.value.priority !== PRIORITY_RELEASE) masters.set(source, (masters.get(source) ?? 0) + 1);
  }
  return { routers, findings: [...findings.values(), ...twoMasters(instance, facts, masters)] };
}

/** Two in the time that was listened: one alone is a change of masters. */
const ADVERTS_OF_A_MASTER = 2;

function twoMasters(
  { name, addresses }: InstanceConfig,
  { daemon }: DoctorFacts,
  masters: ReadonlyMap<IpText, number>,
): DoctorFinding[] {
  const others = [...masters].filter(([, count]) => count >= ADVERTS_OF_A_MASTER).map(([source]) => source);
  const isMaster = daemon?.instances.some((each) => each.name === name && each.phase === "master") === true;
  if (others.length === 0 || (!isMaster && others.length < 2)) return [];
  const list = addresses.map(({ address }) => address).join(", ");
  const who = isMaster ? `this node and ${others.join(", ")}` : others.join(" and ");
  return [
    finding(
      "two-masters",
      `instance ${name}: ${who} are master for ${list} at the same time`,
      "look at firewall and switch: adverts (IP protocol 112 to 224.0.0.18, or as `transport:` says) must pass both ways",
    ),
  ];
}

function judge(
  { hmac: config, name, vrid }: InstanceConfig,
  { source, wallMs }: HeardPacket,
  { hmac, keys }: HearingCollaborators,
  onSkew: (skewS: number) => void,
) {
  if (config === null) return null;
  const known = new Map((keys[name] ?? []).map(({ id, hex }) => [id, Buffer.from(hex, "hex")]));
  return (message: Uint8Array, trailer: Uint8Array | null) => {
    const packet = { signer: { version: VRRP_VERSION, vrid, source }, message, trailer };
    const { verdict } = verifyTrailer(config, known, INITIAL_HMAC_STATE, packet, wallMs, 1, hmac);
    if (!verdict.ok) return verdict.error;
    const { skewS } = verdict.value;
    if (skewS !== null && Math.abs(skewS) > Math.floor(config.windowS / 2)) onSkew(skewS);
    return null;
  };
}

/** Whether a message is longer than its addresses by a trailer. */
function isSigned({ message }: HeardPacket): boolean {
  return message.length === 8 + 4 * (message[3] ?? 0) + 28;
}

/** The messages of `differences` end with what to do, which stands in the remedy here. */
function firstPart(message: string): string {
  return message.split(/[:;] (?:make|give|set|two|many|between)/)[0] ?? message;
}

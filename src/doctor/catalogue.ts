import type { Finding, FindingSeverity } from "../base/finding.ts";

interface Entry {
  readonly severity: FindingSeverity;
  /** What it means for those who run the pair; docs/doctor.md says the same. */
  readonly meaning: string;
}

/** Everything that the doctor can find. An id is stable: scripts and docs/doctor.md go by it. */
export const CATALOGUE = {
  "not-privileged": {
    severity: "error",
    meaning:
      "Without these rights holdfast cannot speak VRRP, move addresses or write the IPVS table, and the doctor sees little.",
  },
  "daemon-not-privileged": {
    severity: "error",
    meaning:
      "The running daemon cannot do what the configuration asks for: an instance goes to fault, services are not written, and a start ends with 77.",
  },
  "realtime-not-granted": {
    severity: "warning",
    meaning: "The daemon works without real-time priority and warns: a busy machine or disk may delay adverts.",
  },
  "addon-missing": {
    severity: "error",
    meaning: "Without the native addon holdfast has no raw and netlink sockets: it does not start.",
  },
  "ipvs-missing": {
    severity: "error",
    meaning: "The kernel has no IPVS and none can be loaded: no service of the configuration can be served.",
  },
  "scheduler-missing": {
    severity: "error",
    meaning: "The kernel refuses the services that use this scheduler.",
  },
  "tunnel-unsupported": {
    severity: "error",
    meaning:
      "Kernels before 5.2 (GUE) and 5.3 (GRE) tunnel these services in plain IP instead, which their servers do not take.",
  },
  "sysctl-needed": {
    severity: "error",
    meaning: "A forwarding method or setting of the configuration relies on this kernel setting.",
  },
  "rp-filter-strict": {
    severity: "error",
    meaning:
      "Clients from other networks arrive on one interface and would be answered through another: the strict filter drops them.",
  },
  "interface-missing": {
    severity: "error",
    meaning: "The instance stays in fault until an interface of that name exists.",
  },
  "interface-down": {
    severity: "error",
    meaning: "The instance is in fault while its interface is down or has no carrier.",
  },
  "interface-without-address": {
    severity: "error",
    meaning:
      "Adverts need an IPv4 address of this node's own as their source; the instance stays in fault without one.",
  },
  "dr-server-off-link": {
    severity: "error",
    meaning:
      "dr changes the Ethernet address only: a server behind a router is never reached. Use tun, or put it on the network.",
  },
  "tunnel-mtu-ipv6": {
    severity: "error",
    meaning: "IPv6 needs 1280 bytes; what is left in the tunnel is less, and larger packets of clients are lost.",
  },
  "path-mtu-hole": {
    severity: "error",
    meaning:
      "Full-size packets to the server vanish without a word: small requests work, large uploads through the tunnel hang.",
  },
  "neighbour-table-small": {
    severity: "error",
    meaning:
      "When the kernel's neighbour table is full, checks and connections fail at random, of servers that are well.",
  },
  "neighbour-table-tight": {
    severity: "warning",
    meaning:
      "Above gc_thresh2 the kernel throws entries away after five seconds: it asks for servers again and again, and delays checks.",
  },
  "descriptors-few": {
    severity: "error",
    meaning:
      "Checks, sockets and control connections hold a descriptor each; where none is left, checks are not made and sockets not opened.",
  },
  "address-already-here": {
    severity: "error",
    meaning: "This machine answers for an address that it does not serve as master: clients may be sent to it in vain.",
  },
  "vip-arp-stranger": {
    severity: "error",
    meaning:
      "A machine that is neither a director nor a server of the configuration has the address: clients reach either by chance.",
  },
  "real-server-answers-arp": {
    severity: "error",
    meaning: "The server takes the clients of its whole network for itself, past the director and its balancing.",
  },
  "two-masters": {
    severity: "error",
    meaning: "Both directors serve the address: they do not hear each other, or one hears only.",
  },
  "vrid-stranger": {
    severity: "error",
    meaning:
      "Another virtual router has the same VRID: its adverts keep this node from being master, or disturb its peers.",
  },
  "own-address-elsewhere": {
    severity: "error",
    meaning: "Another machine sends adverts from this node's own address, or the network sends packets back.",
  },
  "vrrp-from-afar": {
    severity: "error",
    meaning: "Adverts whose TTL is too low crossed a router or were forged; they are refused.",
  },
  "peer-version": {
    severity: "error",
    meaning: "The peer does not speak VRRP version 3: neither hears the other, and both are master.",
  },
  "peer-transport": {
    severity: "error",
    meaning: "One side sends to the group and the other to its peers: adverts are refused, and both are master.",
  },
  "peer-auth": {
    severity: "error",
    meaning: "The peer's adverts are refused, or ours by it: both become master.",
  },
  "peer-garbled": {
    severity: "error",
    meaning: "The peer's adverts are refused, and this node becomes master beside it.",
  },
  "peer-interval": {
    severity: "warning",
    meaning: "A backup goes by the master's interval: how long a takeover takes depends on who was master.",
  },
  "peer-checksum": {
    severity: "warning",
    meaning: "holdfast accepts both forms of the checksum; many other daemons drop the one that they do not send.",
  },
  "peer-priority": {
    severity: "warning",
    meaning: "With equal priorities the higher address decides who is master, not the configuration.",
  },
  "peer-addresses": {
    severity: "error",
    meaning: "After a change of masters, the addresses that only one side knows are served by nobody.",
  },
  "clock-differs": {
    severity: "error",
    meaning:
      "Signed adverts are refused when the directors' clocks are further apart than the window: both become master.",
  },
  "clock-not-kept": {
    severity: "warning",
    meaning:
      "Signed adverts need clocks that agree, and certificates are valid by the clock; nothing here keeps it right.",
  },
} as const satisfies Readonly<Record<string, Entry>>;

export type DoctorId = keyof typeof CATALOGUE;

/** A kernel setting that `--fix` writes. */
export interface SysctlFix {
  readonly name: readonly string[];
  readonly value: string;
}

export interface DoctorFinding extends Finding {
  readonly id: DoctorId;
  /** What `--fix` does about it; empty where that would not be safe. */
  readonly fix: readonly SysctlFix[];
}

export function finding(id: DoctorId, title: string, remedy: string, fix: readonly SysctlFix[] = []): DoctorFinding {
  return { id, ...CATALOGUE[id], title, remedy, fix };
}

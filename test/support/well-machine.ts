import type { DoctorFacts, ProcessRights } from "../../src/doctor/facts.ts";

/** The interface of the machine that the doctor looks at. */
export const OWN = {
  name: "eth0",
  index: 2,
  isUp: true,
  mac: "02:00:00:00:00:0b",
  mtu: 1500,
  primaryIpv4: "192.0.2.11",
};

/** Everything that a process may be allowed. */
export const ALL: ProcessRights = {
  capabilities: ["CAP_NET_ADMIN", "CAP_NET_RAW", "CAP_SYS_NICE", "CAP_IPC_LOCK"],
  bounding: ["CAP_NET_ADMIN", "CAP_NET_RAW", "CAP_SYS_NICE", "CAP_IPC_LOCK"],
  descriptorLimit: 1024,
  mayRunRealtime: true,
  mayLockMemory: true,
};

/** A machine on which nothing is to be found. */
export const WELL: DoctorFacts = {
  own: ALL,
  addonProblem: null,
  kernelRelease: "6.1.0-56-amd64",
  modules: new Map([
    ["ip_vs", "present"],
    ["ip_vs_wlc", "present"],
  ]),
  sysctls: new Map([
    ["net/ipv4/conf/all/rp_filter", "0"],
    ["net/ipv4/conf/eth0/rp_filter", "0"],
  ]),
  interfaces: [{ ...OWN, addresses: [{ address: "192.0.2.11", prefixLength: 24 }] }],
  defaultRoutes: ["eth0"],
  neighbours: [{ family: 4, thresholds: [128, 512, 1024] }],
  heard: [],
  virtualAnswers: [],
  serverAnswers: [],
  paths: [],
  clockKeeper: "chrony",
  daemon: null,
  unseen: [],
};

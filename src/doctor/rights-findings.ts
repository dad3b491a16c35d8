import type { DirectorConfig } from "../config/model.ts";
import { type DoctorFinding, finding } from "./catalogue.ts";
import type { Capability, DaemonProcess, DoctorFacts, ProcessRights } from "./facts.ts";
import { listed, roundUp } from "./machine-findings.ts";

/** Findings about what processes may do and have: those of the daemon where one runs, and where not, this one in their place. */
export function rightsFindings(config: DirectorConfig, { own, daemon, addonProblem }: DoctorFacts): DoctorFinding[] {
  const processes = daemon?.processes ?? [];
  const addon =
    addonProblem === null ? [] : [finding("addon-missing", addonProblem, "npm rebuild   # in the folder of holdfast")];
  const demand = demandOf(config);
  if (processes.length === 0) {
    const few = descriptorFindings("a program started from here", own.descriptorLimit, demand.checker);
    return [...ownFindings(own), ...addon, ...few];
  }
  const few = processes.flatMap((each) =>
    descriptorFindings(nameOf(each), each.rights.descriptorLimit, demand[each.name]),
  );
  return [...daemonFindings(config, processes), ...addon, ...few];
}

/** What the daemon needs and the doctor as well, to look. */
const ALWAYS: readonly Capability[] = ["CAP_NET_ADMIN", "CAP_NET_RAW"];

function ownFindings({ capabilities }: ProcessRights): DoctorFinding[] {
  const missing = ALWAYS.filter((capability) => !capabilities.includes(capability));
  if (missing.length === 0) return [];
  return [finding("not-privileged", `this program runs without ${missing.join(" and ")}`, "sudo holdfast doctor")];
}

/** What a process must be allowed to, and what for. */
interface Need {
  readonly process: "vrrp" | "checker";
  readonly capability: Capability;
  readonly purpose: string;
}

function needsOf({ instances, services }: DirectorConfig): Need[] {
  const byPackets = instances.filter(({ transport }) => transport.type !== "udp");
  const needs: Need[] = [];
  if (instances.length > 0) {
    const purpose = `the virtual addresses of ${listed(instances.map(({ name }) => name))}`;
    needs.push({ process: "vrrp", capability: "CAP_NET_ADMIN", purpose });
  }
  if (services.length > 0) needs.push({ process: "checker", capability: "CAP_NET_ADMIN", purpose: "the IPVS table" });
  if (byPackets.length > 0) {
    const purpose = `the adverts of ${listed(byPackets.map(({ name }) => name))}`;
    needs.push({ process: "vrrp", capability: "CAP_NET_RAW", purpose });
  }
  return needs;
}

function daemonFindings(config: DirectorConfig, processes: readonly DaemonProcess[]): DoctorFinding[] {
  const needs = needsOf(config);
  const missing = ALWAYS.flatMap((capability) => {
    const wanting = needs.filter((need) => need.capability === capability);
    // The supervisor hands on what it has: a child that is started again gets no more.
    const bare = processes.filter(
      ({ name, rights }) =>
        !rights.capabilities.includes(capability) &&
        (name === "supervisor" ? wanting.length > 0 : wanting.some(({ process }) => process === name)),
    );
    if (bare.length === 0) return [];
    const title = `${bare.map(nameOf).join(", ")}: without ${capability}, which is needed for ${wanting.map(({ purpose }) => purpose).join(" and ")}`;
    const isBarred = bare.some(({ rights }) => !rights.bounding.includes(capability));
    const setting = isBarred ? "CapabilityBoundingSet" : "AmbientCapabilities";
    return [finding("daemon-not-privileged", title, edit(`${setting}=${capability}`))];
  });
  const vrrp = config.vrrp.realtime ? processes.filter(({ name }) => name === "vrrp") : [];
  return [...missing, ...vrrp.flatMap(realtimeFindings)];
}

function realtimeFindings(vrrp: DaemonProcess): DoctorFinding[] {
  const { mayRunRealtime, mayLockMemory } = vrrp.rights;
  const missing = [...(mayRunRealtime ? [] : ["CAP_SYS_NICE"]), ...(mayLockMemory ? [] : ["CAP_IPC_LOCK"])];
  if (missing.length === 0) return [];
  const title = `${nameOf(vrrp)}: without ${missing.join(" and ")}, which \`vrrp.realtime\` goes by`;
  // The unit bars the calls as well.
  const settings = `CapabilityBoundingSet=${missing.join(" ")}, RestrictRealtime=no, SystemCallFilter=@resources`;
  return [finding("realtime-not-granted", title, edit(settings))];
}

/** Sockets, files and pipes of a process that has nothing to do. */
const SPARE_DESCRIPTORS = 64;
/** As many as the control socket takes. */
const CONTROL_CONNECTIONS = 64;
/** VRRP, frames, and one that only listens, by protocol 112 and by UDP. */
const SOCKETS_PER_INTERFACE = 5;
/** `LimitNOFILE` of the unit as it comes. */
const UNIT_DESCRIPTORS = 65_536;

/** What a process may hold beside what it always has. */
interface Demand {
  readonly count: number;
  readonly what: string;
}

function demandOf({ services, instances }: DirectorConfig): Record<DaemonProcess["name"], Demand> {
  const checks = services
    .flatMap(({ servers }) => servers)
    .reduce((sum, server) => sum + server.checks.filter(({ type }) => type !== "script").length, 0);
  const sockets = SOCKETS_PER_INTERFACE * new Set(instances.map((instance) => instance.interface)).size;
  return {
    supervisor: { count: CONTROL_CONNECTIONS, what: `${CONTROL_CONNECTIONS} control connections may be open` },
    vrrp: { count: sockets, what: `${sockets} sockets of instances may be open` },
    checker: { count: checks, what: `${checks} checks may run` },
  };
}

function descriptorFindings(who: string, limit: number, { count, what }: Demand): DoctorFinding[] {
  if (count === 0 || count + SPARE_DESCRIPTORS <= limit) return [];
  const title = `${who} may have ${limit} descriptors, and ${what} at the same time`;
  return [finding("descriptors-few", title, edit(`LimitNOFILE=${Math.max(UNIT_DESCRIPTORS, roundUp(count * 2))}`))];
}

function nameOf({ name, pid }: DaemonProcess): string {
  return `the running ${name === "supervisor" ? name : `${name} process`} (${pid})`;
}

function edit(settings: string): string {
  return `systemctl edit holdfast   # [Service] ${settings}, then restart`;
}

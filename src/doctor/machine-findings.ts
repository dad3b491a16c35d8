import type { DirectorConfig, ServiceConfig, TunnelConfig } from "../config/model.ts";
import type { SysctlNeed } from "../ipvs/sysctls.ts";
import { type DoctorFinding, finding } from "./catalogue.ts";
import type { DoctorFacts } from "./facts.ts";

/** Kernels that know the tunnels, as [major, minor]. */
const TUNNEL_SINCE: Readonly<Record<TunnelConfig["type"], readonly [number, number]>> = {
  ipip: [0, 0],
  gue: [5, 2],
  gre: [5, 3],
};

/** Findings about this machine alone: kernel, settings, clock. */
export function machineFindings(
  config: DirectorConfig,
  facts: DoctorFacts,
  needs: readonly SysctlNeed[],
): DoctorFinding[] {
  return [
    ...moduleFindings(config, facts),
    ...tunnelFindings(config, facts),
    ...sysctlFindings(facts, needs),
    ...clockFindings(config, facts),
  ];
}

function moduleFindings({ services }: DirectorConfig, { modules, kernelRelease }: DoctorFacts): DoctorFinding[] {
  if (services.length === 0) return [];
  const get = `apt-get install linux-image-${kernelRelease.endsWith("amd64") ? "amd64" : "generic"}   # a kernel with IPVS`;
  if (modules.get("ip_vs") === "absent") {
    return [finding("ipvs-missing", `kernel ${kernelRelease} has no IPVS and no module ip_vs`, get)];
  }
  const schedulers = [...new Set(services.map(({ scheduler }) => scheduler))];
  return schedulers
    .filter((scheduler) => modules.get(`ip_vs_${scheduler}`) === "absent")
    .map((scheduler) => {
      const users = services.filter((service) => service.scheduler === scheduler).map(({ name }) => name);
      const title = `kernel ${kernelRelease} has no scheduler ${scheduler}, which ${listed(users)} of the configuration uses`;
      return finding("scheduler-missing", title, "choose another `scheduler:` in the configuration, wlc for example");
    });
}

function tunnelFindings({ services }: DirectorConfig, { kernelRelease }: DoctorFacts): DoctorFinding[] {
  const [major = 0, minor = 0] = kernelRelease.split(".").map((part) => Number.parseInt(part, 10));
  return services.flatMap(({ name, tunnel }) => {
    const [wantedMajor, wantedMinor] = TUNNEL_SINCE[tunnel?.type ?? "ipip"];
    if (major > wantedMajor || (major === wantedMajor && minor >= wantedMinor)) return [];
    const title = `kernel ${kernelRelease} cannot tunnel service ${name} in ${tunnel?.type}`;
    return [finding("tunnel-unsupported", title, "write `forward: tun`, or use a newer kernel")];
  });
}

function sysctlFindings({ sysctls }: DoctorFacts, needs: readonly SysctlNeed[]): DoctorFinding[] {
  return needs.flatMap(({ name, wanted, why, command }) => {
    const parts = name.split(".");
    const present = sysctls.get(parts.join("/"));
    // Settings of IPVS come with its module.
    if (present === undefined || present === wanted) return [];
    const title = `sysctl ${name} is ${present}, needed is ${wanted}, for ${why}`;
    return [finding("sysctl-needed", title, command, [{ name: parts, value: wanted }])];
  });
}

function clockFindings({ instances, services }: DirectorConfig, { clockKeeper }: DoctorFacts): DoctorFinding[] {
  const signed = instances.filter(({ hmac }) => hmac?.replay === "time").map(({ name }) => name);
  const verifying = services.filter(verifiesCertificates).map(({ name }) => name);
  if (signed.length + verifying.length === 0 || clockKeeper !== null) return [];
  const timed = [
    ...(signed.length === 0 ? [] : [`the signatures of ${listed(signed)}`]),
    ...(verifying.length === 0 ? [] : [`the certificates in the checks of ${listed(verifying)}`]),
  ];
  const title = `no program keeps this machine's clock, which ${timed.join(" and ")} go by`;
  return [finding("clock-not-kept", title, "apt-get install systemd-timesyncd   # or chrony")];
}

function verifiesCertificates({ servers }: ServiceConfig): boolean {
  return servers.some(({ checks }) => checks.some((check) => check.type === "http" && check.tls?.verify === true));
}

/** The next power of two. */
export function roundUp(value: number): number {
  return 2 ** Math.ceil(Math.log2(Math.max(1, value)));
}

const MAX_LISTED = 3;

/** `web, mail and 4 more` */
export function listed(names: readonly string[]): string {
  const rest = names.length - MAX_LISTED;
  return `${names.slice(0, MAX_LISTED).join(", ")}${rest > 0 ? ` and ${rest} more` : ""}`;
}

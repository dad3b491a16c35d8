import { familyOf } from "../base/ip.ts";
import type { ServiceConfig } from "../config/model.ts";

/** A kernel setting that the configured services rely on. */
export interface SysctlNeed {
  /** `net.ipv4.ip_forward`. */
  readonly name: string;
  readonly wanted: string;
  /** A sentence: which services, and what goes wrong without it. */
  readonly why: string;
  /** What a person runs to set it. */
  readonly command: string;
}

/**
 * The settings that the director itself needs for its services, each once. dr and tun need none: IPVS sends their packets
 * on itself, with forwarding off, and replies do not come back here. Only what must be is listed, not what may be wise.
 */
export function neededSysctls(services: readonly ServiceConfig[]): SysctlNeed[] {
  const needs: SysctlNeed[] = [];
  const nat4 = names(services, (service) => service.forward === "nat" && hasFamily(service, 4));
  if (nat4 !== null) {
    needs.push(
      need(
        "net.ipv4.ip_forward",
        "1",
        `${nat4}: without forwarding the replies of nat servers are dropped on the director`,
      ),
    );
  }
  const nat6 = names(services, (service) => service.forward === "nat" && hasFamily(service, 6));
  if (nat6 !== null) {
    needs.push(
      need(
        "net.ipv6.conf.all.forwarding",
        "1",
        `${nat6}: without forwarding the replies of nat servers are dropped on the director`,
      ),
    );
  }
  const sticky = names(services, (service) => service.persistence !== null && service.onDown === "quiesce");
  if (sticky !== null) {
    needs.push(
      need(
        "net.ipv4.vs.expire_quiescent_template",
        "1",
        `${sticky}: without it persistence keeps sending clients to a server that is down, because onDown is quiesce`,
      ),
    );
  }
  return needs;
}

/**
 * The settings without which a server whose weight became 0 is still sent clients.
 * @param services those of such servers
 */
export function quiescingSysctls(services: readonly ServiceConfig[]): SysctlNeed[] {
  const sticky = names(services, (service) => service.persistence !== null);
  if (sticky === null) return [];
  const why = `${sticky}: without it persistence keeps sending clients to a server whose weight is 0, and its drain may never end`;
  return [need("net.ipv4.vs.expire_quiescent_template", "1", why)];
}

/**
 * What the connection synchronisation needs to miss no established connection: each is sent when it becomes established, and
 * again every 10 s at most while packets pass. With the kernel's default (`3 50`, from the third packet on) one is missed
 * whose client and server are silent after the handshake.
 */
export const SYNC_SYSCTLS: readonly SysctlNeed[] = [
  need("net.ipv4.vs.sync_version", "1", "sync: the older version knows neither IPv6 nor the timeouts of connections"),
  need("net.ipv4.vs.sync_refresh_period", "10", "sync: a connection that lasts is told again every 10 s"),
  need("net.ipv4.vs.sync_threshold", "0 0", "sync: every connection is told when it is established"),
];

/** With 1, IPVS does nothing on a director that runs a backup daemon, and with `sync` each always runs one. */
export const BACKUP_ONLY_SYSCTL = "net.ipv4.vs.backup_only";

function need(name: string, wanted: string, why: string): SysctlNeed {
  return { name, wanted, why, command: `sysctl -w ${name}=${wanted}` };
}

function hasFamily(service: ServiceConfig, family: 4 | 6): boolean {
  return service.listen.some((listen) => familyOf(listen.address) === family);
}

const MAX_NAMES = 3;

/** `service web`, `services web, mail and 4 more`; null if there is none. */
function names(services: readonly ServiceConfig[], matches: (service: ServiceConfig) => boolean): string | null {
  const found = services.filter(matches).map(({ name }) => name);
  if (found.length === 0) return null;
  const rest = found.length - MAX_NAMES;
  const listed = found.slice(0, MAX_NAMES).join(", ");
  return `${found.length === 1 ? "service" : "services"} ${listed}${rest > 0 ? ` and ${rest} more` : ""}`;
}

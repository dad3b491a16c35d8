import { writeFileSync } from "node:fs";
import { join } from "node:path";
import type { Running } from "./commands.ts";
import type { Host } from "./hosts.ts";
import type { Topology } from "./topology.ts";

/** Starts Debian's keepalived on a host with a configuration: a foreign peer, and a yardstick. */
export function startKeepalived(topology: Topology, host: Host, conf: string): Running {
  const home = join(topology.dir, host.name);
  const file = join(home, "keepalived.conf");
  writeFileSync(file, conf, { mode: 0o600 });
  const pids = ["-p", join(home, "ka.pid"), "-r", join(home, "ka-vrrp.pid"), "-c", join(home, "ka-check.pid")];
  return host.start(["keepalived", "--dont-fork", "--log-console", "--log-detail", "-f", file, ...pids], {
    name: `keepalived on ${host.name}`,
  });
}

export interface InstanceOptions {
  readonly device?: string;
  readonly vrid?: number;
  readonly priority: number;
  /** Seconds, fractions allowed. */
  readonly advertiseS?: number;
  readonly address: string;
  /** Own address and the peers'; absent = multicast. */
  readonly unicast?: { readonly source: string; readonly peers: readonly string[] };
}

/** A VRRPv3 instance in keepalived's own words. */
export function keepalivedInstance({
  device = "eth0",
  vrid = 51,
  priority,
  advertiseS = 1,
  address,
  unicast,
}: InstanceOptions): string {
  const cast =
    unicast === undefined
      ? ""
      : `  unicast_src_ip ${unicast.source}\n  unicast_peer {\n${unicast.peers.map((peer) => `    ${peer}\n`).join("")}  }\n`;
  // An owner that is told to begin as backup waits three seconds all the same.
  return `global_defs {\n  vrrp_version 3\n}
vrrp_instance ${device} {
  state ${priority === 255 ? "MASTER" : "BACKUP"}
  interface ${device}
  virtual_router_id ${vrid}
  priority ${priority}
  advert_int ${advertiseS}
${cast}  virtual_ipaddress {
    ${address}/32
  }
}
`;
}

import type { IpText } from "../base/ip.ts";
import type { DirectorConfig, InstanceConfig } from "../config/model.ts";
import { type DoctorFinding, finding } from "./catalogue.ts";
import type { DoctorFacts } from "./facts.ts";
import type { Hearing } from "./peer-findings.ts";

/** A MAC address that answers for a virtual address without being a director's. */
export interface Unexplained {
  readonly instance: InstanceConfig;
  readonly address: IpText;
  readonly mac: string;
}

/** Who answers for the virtual addresses and is neither this node nor a router that was heard. */
export function unexplainedAnswers(
  { instances }: DirectorConfig,
  { virtualAnswers, interfaces }: Pick<DoctorFacts, "virtualAnswers" | "interfaces">,
  heard: ReadonlyMap<string, Hearing>,
): Unexplained[] {
  return virtualAnswers.flatMap(({ interface: device, address, macs }) => {
    const instance = instances.find(
      (each) => each.interface === device && each.addresses.some((own) => own.address === address),
    );
    if (instance === undefined) return [];
    const own = interfaces.find(({ name }) => name === device)?.mac;
    const routers = [...(heard.get(instance.name)?.routers.values() ?? [])];
    return macs.filter((mac) => mac !== own && !routers.includes(mac)).map((mac) => ({ instance, address, mac }));
  });
}

/** Findings about ARP: a server of the configuration is named, everybody else is a stranger. */
export function arpFindings(unexplained: readonly Unexplained[], { serverAnswers }: DoctorFacts): DoctorFinding[] {
  return unexplained.map(({ instance, address, mac }) => {
    const servers = serverAnswers.filter(
      ({ interface: device, macs }) => device === instance.interface && macs.includes(mac),
    );
    const [server] = servers;
    if (server === undefined) {
      const title = `${mac} answers ARP for ${address} of instance ${instance.name}, and is no director that is heard here and no server of the configuration`;
      const remedy = `ip neigh; bridge fdb show   # find ${mac}, and take ${address} off that machine`;
      return finding("vip-arp-stranger", title, remedy);
    }
    const title = `the real server ${server.address} (${mac}) answers ARP for ${address} of instance ${instance.name}`;
    return finding(
      "real-server-answers-arp",
      title,
      `ssh ${server.address} holdfast realserver up ${address} --method dr   # or tun`,
    );
  });
}

import { readSysctl, writeSysctl } from "./sysctl.ts";

/** How many users each interface has that was made quiet here; bounded by the instances. */
const users = new Map<string, number>();

function arpIgnoreOf(name: string): number {
  const value = readSysctl(["net", "ipv4", "conf", name, "arp_ignore"]);
  return value.ok ? Number(value.value) : 0;
}

/**
 * Sets arp_ignore=1 on an interface unless it, or `all`, has it: it answers for the addresses that are on itself and no
 * longer for those on the loopback interface. The highest of both values counts (ip-sysctl, kernel documentation).
 * @returns how to undo it; null = it could not be set
 */
export function keepArpQuiet(interfaceName: string): (() => void) | null {
  const isOurs = users.has(interfaceName);
  if (!isOurs && Math.max(arpIgnoreOf("all"), arpIgnoreOf(interfaceName)) > 0) return () => undefined;
  const name = ["net", "ipv4", "conf", interfaceName, "arp_ignore"];
  if (!isOurs && !writeSysctl(name, "1").ok) return null;
  users.set(interfaceName, (users.get(interfaceName) ?? 0) + 1);
  return () => {
    const left = (users.get(interfaceName) ?? 1) - 1;
    if (left > 0) {
      users.set(interfaceName, left);
      return;
    }
    users.delete(interfaceName);
    // The interface may be gone by now; then there is nothing to restore.
    writeSysctl(name, "0");
  };
}

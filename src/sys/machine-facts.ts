import { existsSync, readFileSync, readlinkSync } from "node:fs";
import { release } from "node:os";
import type { ModuleState, NeighbourLimits, Unseen } from "../doctor/facts.ts";
import { readSysctl } from "./sysctl.ts";

function readText(path: string): string | null {
  try {
    return readFileSync(path, "utf8");
  } catch {
    return null;
  }
}

/** Whether the kernel has, or can load, each module. */
export function moduleStates(names: readonly string[]): ReadonlyMap<string, ModuleState> {
  const loaded = new Set((readText("/proc/modules") ?? "").split("\n").map((line) => line.split(" ", 1)[0]));
  const folder = `/lib/modules/${release()}`;
  const lists = [readText(`${folder}/modules.dep`), readText(`${folder}/modules.builtin`)];
  const known = new Set(
    lists.flatMap((text) => (text ?? "").split("\n").map((line) => /([^/:]+)\.ko(?:\.\w+)?(?::|$)/.exec(line)?.[1])),
  );
  return new Map(
    names.map((name): [string, ModuleState] => {
      if (loaded.has(name) || known.has(name) || (name === "ip_vs" && existsSync("/proc/net/ip_vs"))) {
        return [name, "present"];
      }
      // Where no list names even one module of this kernel, absence from it says nothing.
      return [name, known.size > 1 ? "absent" : "unknown"];
    }),
  );
}

/** Values of the settings that exist, by their names joined with slashes. */
export function sysctlFacts(names: readonly (readonly string[])[]): ReadonlyMap<string, string> {
  const facts = new Map<string, string>(); // bounded by `names`
  for (const name of names) {
    const value = readSysctl(name);
    // Where a setting is two numbers, the kernel puts a tab between them.
    if (value.ok) facts.set(name.join("/"), value.value.replace(/\s+/g, " "));
  }
  return facts;
}

/** Interfaces that IPv4 default routes leave by, the one with the smallest metric first. */
export function defaultRoutes(): string[] {
  return (readText("/proc/net/route") ?? "")
    .split("\n")
    .slice(1)
    .map((line) => line.split("\t"))
    .filter(([, destination, , , , , , mask]) => destination === "00000000" && mask === "00000000")
    .sort((a, b) => Number(a[6]) - Number(b[6]))
    .flatMap(([device]) => device ?? []);
}

/** The limits of the neighbour tables, which exist in the first network namespace only. */
export function neighbourLimits(): { readonly limits: readonly NeighbourLimits[]; readonly unseen: readonly Unseen[] } {
  const limits = ([4, 6] as const).flatMap((family): NeighbourLimits[] => {
    const read = [1, 2, 3].map((number) =>
      readSysctl(["net", `ipv${family}`, "neigh", "default", `gc_thresh${number}`]),
    );
    const [first, second, third] = read.map((value) => (value.ok ? Number(value.value) : Number.NaN));
    if (first === undefined || second === undefined || third === undefined || Number.isNaN(third)) return [];
    return [{ family, thresholds: [first, second, third] }];
  });
  const unseen = limits.some(({ family }) => family === 4)
    ? []
    : [
        {
          what: "the limits of the neighbour table",
          why: "they show in the machine's first network namespace only; run `sysctl net.ipv4.neigh.default` there",
        },
      ];
  return { limits, unseen };
}

/** Files that programs keep while they keep the clock. */
const CLOCK_KEEPERS: readonly (readonly [name: string, path: string])[] = [
  ["systemd-timesyncd", "/run/systemd/timesync/synchronized"],
  ["chrony", "/run/chrony/chronyd.pid"],
  ["chrony", "/run/chronyd.pid"],
  ["ntpd", "/run/ntpd.pid"],
  ["ntpsec", "/run/ntpsec/ntpd.pid"],
  ["openntpd", "/run/openntpd.pid"],
];

/** The program that keeps this machine's clock right, as far as it shows. */
export function clockKeeper(): string | null {
  const found = CLOCK_KEEPERS.find(([, path]) => existsSync(path));
  if (found !== undefined) return found[0];
  // A guest may take the time from its host.
  return existsSync("/dev/ptp0") && isKvmClock() ? "the host of this virtual machine" : null;
}

function isKvmClock(): boolean {
  try {
    return readlinkSync("/sys/class/ptp/ptp0/device").includes("kvm");
  } catch {
    return (readText("/sys/class/ptp/ptp0/clock_name") ?? "").includes("KVM");
  }
}

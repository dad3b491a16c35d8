import { existsSync, readFileSync } from "node:fs";
import { join } from "node:path";
import { DirectorError, messageOf } from "../base/director-error.ts";
import { bitsOf, familyOf, parseIp } from "../base/ip.ts";
import { err, ok, type Result } from "../base/result.ts";
import type { HostInterface, RealServerHost } from "../realserver/host.ts";
import { type Need, NFT_TABLE, needAddress } from "../realserver/needs.ts";
import { EMPTY_RECORD, RECORD_VERSION, type RealServerRecord, recordProblem } from "../realserver/record.ts";
import { readJsonFile, writeFileAtomically } from "./atomic-file.ts";
import { readSysctl, writeSysctl } from "./sysctl.ts";
import { runTool, runToolWell } from "./tool.ts";

/** Name of the record in the state directory. */
export const REAL_SERVER_FILE = "realserver.json";
export const REAL_SERVER_LOCK = "realserver.lock";

interface IpLink {
  readonly ifname?: string;
  readonly flags?: readonly string[];
  readonly addr_info?: readonly { readonly local?: string; readonly prefixlen?: number }[];
}

/**
 * This machine as a real server, by `ip`, `nft` and /proc/sys. Programs rather than rtnetlink: GUE ports and nftables have
 * families of their own, every machine has these programs, and a real server that lacks the addon is served as well.
 */
export class KernelRealServerHost implements RealServerHost {
  readonly #file: string;

  readonly #warn: (sentence: string) => void;

  constructor(options: { readonly stateDir: string }, collaborators: { readonly warn: (sentence: string) => void }) {
    this.#file = join(options.stateDir, REAL_SERVER_FILE);
    this.#warn = collaborators.warn;
  }

  interfaces(): Result<readonly HostInterface[], DirectorError> {
    const links = jsonOf<IpLink>(["ip", "-j", "address", "show"]);
    if (!links.ok) return links;
    return ok(
      links.value.map(({ ifname = "", flags = [], addr_info = [] }) => ({
        name: ifname,
        isQuiet: flags.includes("LOOPBACK") || flags.includes("NOARP"),
        addresses: addr_info.flatMap(({ local = "", prefixlen = 0 }) => {
          const address = parseIp(local);
          return address.ok ? [{ address: address.value, prefixLength: prefixlen }] : [];
        }),
      })),
    );
  }

  read(need: Need): Result<string | null, DirectorError> {
    switch (need.type) {
      case "device":
        // By its settings: unlike /sys, /proc shows this network namespace's without a mount of its own.
        return ok(
          [4, 6].some((version) => existsSync(`/proc/sys/net/ipv${version}/conf/${need.name}`)) ? "loaded" : null,
        );
      case "module": {
        // Asking the kernel's family loads it where it can be loaded, and one that is built in is in no list of modules.
        const asked = runTool(["ip", need.name, "show"]);
        return asked.ok ? ok(asked.value.status === 0 ? "loaded" : null) : asked;
      }
      case "sysctl": {
        const value = readSysctl(need.name);
        return ok(value.ok ? value.value : null);
      }
      case "up":
        return this.#readLink(need.device);
      case "fou":
        return readFou(need);
      case "nft": {
        const listed = runTool(["nft", "list", "table", "arp", NFT_TABLE]);
        if (!listed.ok) return listed;
        const { status, stdout, stderr } = listed.value;
        if (status === 0) return ok(stdout);
        return /No such file/.test(stderr) ? ok(null) : err(toolError("nft list table", stderr));
      }
      case "address":
        return this.#readAddress(need);
    }
  }

  #readLink(device: string): Result<string | null, DirectorError> {
    const shown = runTool(["ip", "-j", "link", "show", "dev", device]);
    if (!shown.ok) return shown;
    if (shown.value.status !== 0) return ok(null);
    const links = parsed<IpLink>(shown.value.stdout);
    return links.ok ? ok(links.value[0]?.flags?.includes("UP") === true ? "up" : "down") : links;
  }

  /** The quiet interface that has it: the one that is meant, or another. */
  #readAddress({ address, device }: Need & { readonly type: "address" }): Result<string | null, DirectorError> {
    const interfaces = this.interfaces();
    if (!interfaces.ok) return interfaces;
    const full = bitsOf(familyOf(address));
    const holders = interfaces.value.filter(
      ({ isQuiet, addresses }) =>
        isQuiet && addresses.some((held) => held.address === address && held.prefixLength === full),
    );
    return ok((holders.find(({ name }) => name === device) ?? holders[0])?.name ?? null);
  }

  make(need: Need): Result<void, DirectorError> {
    switch (need.type) {
      case "device":
        return done(runToolWell(["modprobe", need.module]));
      case "module":
        return done(runToolWell(["modprobe", need.name]));
      case "sysctl":
        return writeSysctl(need.name, need.wanted);
      case "up":
        return done(runToolWell(["ip", "link", "set", "dev", need.device, "up"]));
      case "fou":
        return done(runToolWell(["ip", ...fouFamily(need), "fou", "add", "port", String(need.port), "gue"]));
      case "nft":
        // In one transaction: at no moment is the machine without rules.
        return done(
          runToolWell(["nft", "-f", "-"], `table arp ${NFT_TABLE}\ndelete table arp ${NFT_TABLE}\n${need.text}`),
        );
      case "address":
        return done(runToolWell(["ip", "address", "add", ...needAddress(need).split(" ")]));
    }
  }

  restore(need: Need, was: string | null): Result<void, DirectorError> {
    switch (need.type) {
      case "device":
      case "module":
        return ok(undefined);
      case "sysctl":
        return was === null ? ok(undefined) : writeSysctl(need.name, was);
      case "up":
        return done(runToolWell(["ip", "link", "set", "dev", need.device, "down"]));
      case "fou":
        return done(runToolWell(["ip", ...fouFamily(need), "fou", "del", "port", String(need.port)]));
      case "nft":
        return done(runToolWell(["nft", "delete", "table", "arp", NFT_TABLE]));
      case "address": {
        const cidr = `${need.address}/${bitsOf(familyOf(need.address))}`;
        return done(runToolWell(["ip", "address", "del", cidr, "dev", need.device]));
      }
    }
  }

  load(): Result<RealServerRecord, DirectorError> {
    const file = readJsonFile(this.#file, recordProblem);
    if (!file.ok) return file;
    if (file.value.type === "damaged") {
      const { movedTo, reason } = file.value;
      this.#warn(`${this.#file} cannot be used (${reason}) and is now ${movedTo}; how things were before is not known`);
    }
    if (file.value.type !== "read") return ok(EMPTY_RECORD);
    const { bootId, wanted, undo } = file.value.value as RealServerRecord & { readonly bootId: string };
    // The kernel started anew since: nothing of it is there, and what was there before is another machine's state.
    return ok(bootId === currentBootId() ? { wanted, undo } : EMPTY_RECORD);
  }

  save({ wanted, undo }: RealServerRecord): Result<void, DirectorError> {
    const record = { version: RECORD_VERSION, bootId: currentBootId(), wanted, undo };
    return writeFileAtomically(this.#file, `${JSON.stringify(record, null, 2)}\n`);
  }
}

interface FouPort {
  readonly port?: number;
  readonly gue?: null;
  readonly family?: string;
}

function readFou({ family, port }: Need & { readonly type: "fou" }): Result<string | null, DirectorError> {
  const shown = runTool(["ip", "-j", "fou", "show"]);
  // Without the module there is nobody to ask.
  if (!shown.ok || shown.value.status !== 0) return shown.ok ? ok(null) : shown;
  const ports = parsed<FouPort>(shown.value.stdout);
  if (!ports.ok) return ports;
  const own = ports.value.find((each) => each.port === port && each.family === (family === 6 ? "inet6" : "inet"));
  if (own === undefined) return ok(null);
  return ok("gue" in own ? "gue" : "another protocol");
}

function fouFamily({ family }: { readonly family: number }): string[] {
  return family === 6 ? ["-6"] : [];
}

function currentBootId(): string {
  return readFileSync("/proc/sys/kernel/random/boot_id", "utf8").trim();
}

function done(result: Result<string, DirectorError>): Result<void, DirectorError> {
  return result.ok ? ok(undefined) : result;
}

function toolError(what: string, said: string): DirectorError {
  const [first = ""] = said.trim().split("\n");
  const code = /not permitted|must be root/i.test(first) ? "PRIVILEGE_MISSING" : "TOOL_FAILED";
  return new DirectorError(code, `\`${what}\` failed: ${first}`);
}

function jsonOf<T>(command: readonly [string, ...string[]]): Result<readonly T[], DirectorError> {
  const output = runToolWell(command);
  return output.ok ? parsed<T>(output.value) : output;
}

/** iproute2 prints nothing at all for an empty list, in some versions. */
function parsed<T>(text: string): Result<readonly T[], DirectorError> {
  if (text.trim() === "") return ok([]);
  try {
    const value: unknown = JSON.parse(text);
    return ok(Array.isArray(value) ? (value as T[]) : []);
  } catch (thrown) {
    return err(new DirectorError("TOOL_FAILED", `the output of \`ip -j\` is no JSON: ${messageOf(thrown)}`));
  }
}

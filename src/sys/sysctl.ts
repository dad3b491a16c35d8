import { readFileSync, writeFileSync } from "node:fs";
import { DirectorError, messageOf } from "../base/director-error.ts";
import { err, ok, type Result } from "../base/result.ts";

const ROOT = "/proc/sys";
/** Parts of a name. A dot in an interface's name stands for itself, because the parts come apart already. */
const PART = /^[A-Za-z0-9_@:.-]{1,64}$/;
const MAX_PARTS = 8;

/** A kernel setting: `["net", "ipv4", "conf", "eth0.5", "arp_ignore"]`. */
export type SysctlName = readonly string[];

/** The way sysctl(8) writes it: dots between the parts, and a slash for a dot within one. */
export function formatSysctl(name: SysctlName): string {
  return name.map((part) => part.replaceAll(".", "/")).join(".");
}

function pathOf(name: SysctlName): Result<string, DirectorError> {
  const isFine = name.length > 0 && name.length <= MAX_PARTS;
  if (isFine && name.every((part) => PART.test(part) && part !== "." && part !== ".."))
    return ok(`${ROOT}/${name.join("/")}`);
  return err(new DirectorError("FILE_UNREADABLE", `${JSON.stringify(name.join("."))} is not the name of a sysctl`));
}

/** The value without the final newline. A setting that this kernel does not have is FILE_UNREADABLE. */
export function readSysctl(name: SysctlName): Result<string, DirectorError> {
  const path = pathOf(name);
  if (!path.ok) return path;
  try {
    return ok(readFileSync(path.value, "utf8").trimEnd());
  } catch (thrown) {
    const what = `reading sysctl ${formatSysctl(name)} failed: ${messageOf(thrown)}`;
    return err(new DirectorError("FILE_UNREADABLE", what, { path: path.value }, thrown));
  }
}

/** @param value printable text without newlines, as the kernel documents it for this setting */
export function writeSysctl(name: SysctlName, value: string): Result<void, DirectorError> {
  const path = pathOf(name);
  if (!path.ok) return path;
  try {
    // No O_CREAT: /proc would refuse it with a misleading error.
    writeFileSync(path.value, `${value}\n`, { flag: "r+" });
    return ok(undefined);
  } catch (thrown) {
    const what = `writing sysctl ${formatSysctl(name)} = ${value} failed: ${messageOf(thrown)}`;
    return err(new DirectorError("FILE_UNWRITABLE", what, { path: path.value }, thrown));
  }
}

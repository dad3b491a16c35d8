import { readFileSync } from "node:fs";

/** Numeric id of a group of this machine; null = there is no such group. Reads /etc/group, as services without NSS do. */
export function groupIdOf(name: string, file = "/etc/group"): number | null {
  let text: string;
  try {
    text = readFileSync(file, "utf8");
  } catch {
    return null;
  }
  for (const line of text.split("\n")) {
    const [group, , id] = line.split(":");
    if (group === name && id !== undefined && /^\d{1,10}$/.test(id)) return Number(id);
  }
  return null;
}

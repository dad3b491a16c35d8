import { readFileSync } from "node:fs";

/** The version of the package that this file belongs to; "unknown" where its package.json is not to be found. */
export function readVersion(): string {
  // dist/ when installed, .build/src/cli/ in tests.
  for (const up of ["..", "../..", "../../.."]) {
    try {
      const text = readFileSync(new URL(`${up}/package.json`, import.meta.url), "utf8");
      const { name, version } = JSON.parse(text) as { readonly name?: unknown; readonly version?: unknown };
      if (name === "holdfast" && typeof version === "string") return version;
    } catch {
      // Look one folder higher.
    }
  }
  return "unknown";
}

import { existsSync, mkdirSync, rmdirSync } from "node:fs";
import { join } from "node:path";

/** Where each machine of a story has files of its own; everything else is shared between the hosts of a topology. */
const OWN_FOLDERS = ["/etc/holdfast", "/etc/keepalived", "/run/holdfast", "/var/lib/holdfast"];

/** Places for these folders on a machine that has none: made to be mounted upon, and gone afterwards. */
export class OwnFolders {
  readonly #made: string[] = [];

  /** Makes them in a host's own folder. */
  makeIn(home: string): void {
    for (const folder of OWN_FOLDERS) mkdirSync(join(home, folder), { recursive: true });
  }

  /**
   * @param home the host's own folder, for example with `etc/holdfast` in it
   * @returns what a shell in a mount namespace of its own does first
   */
  mounts(home: string): string {
    this.makeIn(home);
    for (const folder of OWN_FOLDERS) {
      if (existsSync(folder)) continue;
      mkdirSync(folder, { recursive: true });
      this.#made.push(folder);
    }
    return OWN_FOLDERS.map((folder) => `mount --bind '${join(home, folder)}' ${folder}`).join(" && ");
  }

  remove(): void {
    for (const folder of this.#made.splice(0)) rmdirSync(folder);
  }
}

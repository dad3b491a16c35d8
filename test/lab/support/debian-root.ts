import { copyFileSync, mkdirSync, readdirSync, rmSync } from "node:fs";
import { basename, join } from "node:path";
import { run } from "./commands.ts";
import { fileOf } from "./machine.ts";

/** What the kernel gives to every root. What is bound ends with the mount namespace of the command. */
const BINDINGS = ["/proc", "/sys", "/dev"];

/**
 * The files of a fresh Debian for a host that is a namespace: those on the disk of the machines, unpacked. Packages are installed
 * there, and their programs run, as on a machine of its own; there is no service manager.
 */
export class DebianRoot {
  readonly #folder: string;

  /** @param folder is made; what is in it goes with the folder around it */
  constructor(folder: string) {
    this.#folder = folder;
    mkdirSync(folder, { recursive: true });
    // No loop device and no overlay: both may be missing where this runs. It takes some seconds.
    run(["debugfs", "-R", `rdump / ${folder}`, fileOf("DISK")]);
  }

  /** Puts a package where the shell is, instead of one that was brought before. */
  bring(file: string): void {
    const home = join(this.#folder, "root");
    for (const name of readdirSync(home).filter((entry) => entry.endsWith(".deb"))) rmSync(join(home, name));
    copyFileSync(file, join(home, basename(file)));
  }

  /** @returns what runs a shell command there as root, to be run in the host's network */
  argv(command: string): string[] {
    const binds = BINDINGS.map((path) => `mount --rbind ${path} "$0${path}"`).join(" && ");
    const clean = "HOME=/root LANG=C.UTF-8 PATH=/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin";
    const enter = `${binds} && exec chroot "$0" /usr/bin/env -i -C /root ${clean} bash -c "$1"`;
    return ["unshare", "--mount", "sh", "-c", enter, this.#folder, command];
  }
}

// The disk of a machine with systemd: a small Debian, made once by mmdebstrap from Debian's own packages and kept in the cache.
// Everything in it is Debian's; what makes a machine itself comes when it boots.
import { spawnSync } from "node:child_process";
import { createHash } from "node:crypto";
import { existsSync, mkdirSync, mkdtempSync, readFileSync, renameSync, rmSync } from "node:fs";
import { join } from "node:path";
import { cacheDir, quietly } from "../kernel.mjs";

/** The release that an operator installs today: its own Node is new enough, so the package needs nothing but Debian. */
const SUITE = "trixie";
/** An ordinary small server: systemd, the tools of everybody, and what the package depends on. No network is there to fetch it. */
const PACKAGES = [
  ...["systemd", "systemd-sysv", "iproute2", "iputils-ping", "kmod", "procps", "curl", "man-db"],
  ...["nodejs", "ipvsadm", "nftables"],
];
/** An ext4 without journal: nothing writes to it. Sparse; a third is used. */
const SIZE = "1G";
/** What only costs time at each boot: there is no network to fetch from, no terminal, no device that comes and goes. */
const MASKED = [
  ...["apt-daily.timer", "apt-daily-upgrade.timer", "dpkg-db-backup.timer", "man-db.timer", "fstrim.timer"],
  ...["e2scrub_all.timer", "e2scrub_reap.service", "getty.target", "modprobe@.service", "ipvsadm.service"],
  ...["systemd-update-utmp.service", "systemd-random-seed.service", "dev-mqueue.mount", "dev-hugepages.mount"],
  ...["sys-kernel-config.mount", "sys-kernel-debug.mount", "sys-kernel-tracing.mount", "sys-fs-fuse-connections.mount"],
];

export const MACHINE_PACKAGES = ["mmdebstrap", "e2fsprogs", "debian-archive-keyring"];

/** The mirror that this machine uses, where it is a Debian; otherwise mmdebstrap knows one. */
function mirrors() {
  if (!/^ID=debian$/m.test(readFileSync("/etc/os-release", "utf8"))) return [];
  const { stdout } = spawnSync(
    "apt-get",
    ["indextargets", "--format", "$(REPO_URI) $(SUITE) $(COMPONENT) $(ORIGIN) $(LABEL)"],
    {
      encoding: "utf8",
    },
  );
  const main = stdout
    .split("\n")
    .find((line) => / main Debian Debian$/.test(line) && !/-(updates|backports)/.test(line));
  return main === undefined ? [] : [main.split(" ")[0]];
}

function makeImage(work, file) {
  const tree = join(work, "tree");
  const masks = MASKED.map((unit) => `ln -sf /dev/null "$1/etc/systemd/system/${unit}"`).join(" && ");
  quietly("mmdebstrap", [
    "--variant=minbase",
    "--mode=root",
    `--include=${PACKAGES.join(",")}`,
    // Languages are half of what documents weigh; the documents of holdfast itself are to be read.
    "--dpkgopt=path-exclude=/usr/share/locale/*",
    `--customize-hook=${masks}`,
    // Nothing is left to do at the first boot.
    '--customize-hook=touch "$1/etc/.updated" "$1/var/.updated"',
    SUITE,
    tree,
    ...mirrors(),
  ]);
  quietly("mkfs.ext4", ["-q", "-O", "^has_journal", "-m", "0", "-d", tree, file, SIZE]);
}

/**
 * @param {(line: string) => void} say
 * @returns the path of the image, from the cache or newly made; two callers at once do no harm
 */
export function ensureMachineImage(say) {
  const key = createHash("sha256")
    .update([SUITE, SIZE, ...PACKAGES, ...MASKED].join())
    .digest("hex")
    .slice(0, 12);
  const file = join(cacheDir(), `machine-${SUITE}-${key}.ext4`);
  if (existsSync(file)) return file;
  mkdirSync(cacheDir(), { recursive: true });
  say(`lab: making the disk of a Debian ${SUITE} in ${cacheDir()} (mmdebstrap; nothing of it is installed here)`);
  const work = mkdtempSync(join(cacheDir(), "machine-"));
  try {
    makeImage(work, join(work, "image"));
    renameSync(join(work, "image"), file);
  } finally {
    rmSync(work, { recursive: true, force: true });
  }
  return file;
}

// The package's control files: what it is, what it needs, and the scripts that dpkg runs.
import { readdirSync, readFileSync, statSync } from "node:fs";
import { join } from "node:path";
import { quietly } from "../lab/kernel.mjs";
import { root } from "../setup.mjs";
import { copyTo, MAINTAINER, PROGRAM_FOLDER, putFile } from "./facts.mjs";
import { CONFFILES } from "./surroundings.mjs";

const SCRIPTS = ["preinst", "postinst", "prerm", "postrm"];

/** The oldest C library that has every function which the addon calls. */
export function libcOf(addon) {
  const versions = [...addon.toString("latin1").matchAll(/GLIBC_(\d+)\.(\d+)/g)];
  const numbers = versions.map(([, major, minor]) => [Number(major), Number(minor)]);
  const [newest] = numbers.sort((a, b) => b[0] - a[0] || b[1] - a[1]);
  if (newest === undefined) throw new Error("the addon names no version of the C library");
  return newest.join(".");
}

/** As dpkg wants it: whole KiB a file, one for what is no file. */
function installedKib(stage) {
  const kibOf = (path) => {
    const facts = statSync(path);
    return facts.isFile() ? Math.ceil(facts.size / 1024) : 1;
  };
  const entries = readdirSync(stage, { recursive: true, withFileTypes: true });
  return entries.reduce(
    (sum, entry) => sum + (entry.isSymbolicLink() ? 1 : kibOf(join(entry.parentPath, entry.name))),
    0,
  );
}

function md5sums(stage) {
  const files = readdirSync(stage, { recursive: true, withFileTypes: true })
    .filter((entry) => entry.isFile())
    .map((entry) => join(entry.parentPath, entry.name).slice(stage.length + 1))
    .filter((path) => !CONFFILES.includes(`/${path}`))
    .sort();
  return quietly("md5sum", ["--", ...files], { cwd: stage });
}

function control(stage, { version, architecture }) {
  const libc = libcOf(readFileSync(join(stage, PROGRAM_FOLDER, "native/holdfast.node")));
  const { node } = JSON.parse(readFileSync(join(root, "package.json"), "utf8")).engines;
  return `Package: holdfast
Version: ${version}
Architecture: ${architecture}
Maintainer: ${MAINTAINER}
Installed-Size: ${installedKib(stage)}
Depends: nodejs (>= ${node.replace(/^>=\s*/, "")}), libc6 (>= ${libc}), kmod, iproute2, systemd | systemd-standalone-sysusers | systemd-sysusers
Suggests: ipvsadm, nftables
Section: net
Priority: optional
Description: high-availability director for Linux Virtual Server
 Two or more machines share virtual IP addresses by VRRP; health checks decide
 which real servers get connections; the kernel's IPVS forwards them by NAT,
 direct routing or tunnelling. When one machine dies, another serves on.
 .
 One YAML file says everything. A mistake in it is found before it acts, every
 state has its reason, and a planned stop or upgrade keeps clients served.
 .
 The service is enabled and waits for /etc/holdfast/holdfast.yaml; an annotated
 example is installed beside it.
`;
}

/** @param {import("./facts.mjs").Facts} facts */
export function controlFiles(stage, facts) {
  const sums = md5sums(stage);
  const text = control(stage, facts);
  putFile(stage, "DEBIAN/control", text);
  putFile(stage, "DEBIAN/md5sums", sums);
  putFile(stage, "DEBIAN/conffiles", CONFFILES.map((path) => `${path}\n`).join(""));
  for (const name of SCRIPTS) copyTo(stage, `DEBIAN/${name}`, join(root, "packaging/debian", name), 0o755);
}

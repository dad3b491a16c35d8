// Set-up for people who have just cloned: npm packages, the native addon, the build. Needs only Node and npm.
// Each step says what it does and why, and is skipped where it is already done.
import { spawnSync } from "node:child_process";
import { existsSync, readFileSync, statSync } from "node:fs";
import { dirname, resolve } from "node:path";
import { fileURLToPath, pathToFileURL } from "node:url";

export const root = resolve(dirname(fileURLToPath(import.meta.url)), "..");

/** Runs a command in the checkout with its output shown; ends this process if it fails. */
export function run(command, args, options = {}) {
  const result = spawnSync(command, args, { cwd: root, stdio: "inherit", ...options });
  if (result.status !== 0) {
    console.error(
      `holdfast: \`${[command, ...args].join(" ")}\` failed (${result.error?.message ?? `exit ${result.status ?? result.signal}`})`,
    );
    process.exit(1);
  }
}

function isInstalled(name) {
  const status = spawnSync("dpkg-query", ["--status", name], { encoding: "utf8" });
  return /^Status: \S+ \S+ installed$/m.test(status.stdout ?? "");
}

/** Installs those of the named Debian packages that are missing, saying why. As root only; otherwise says what to run. */
export function installDebianPackages(packages, why) {
  const missing = packages.filter((name) => !isInstalled(name));
  if (missing.length === 0) return;
  console.log(`set-up: installing Debian packages ${missing.join(" ")} (${why})`);
  if (process.getuid?.() !== 0) {
    console.error(`holdfast: not root; run: apt-get install --no-install-recommends ${missing.join(" ")}`);
    process.exit(77);
  }
  // Services must not start on this machine because a test wanted their program: in a mount namespace where systemd
  // does not show, at run level 1, installation scripts start nothing. Nor shall they start at the next boot.
  const env = { ...process.env, DEBIAN_FRONTEND: "noninteractive", RUNLEVEL: "1" };
  run("apt-get", ["update", "-qq"], { env });
  const install = ["apt-get", "install", "-y", "-qq", "--no-install-recommends", ...missing];
  const hidden = existsSync("/run/systemd/system")
    ? ["unshare", "--mount", "sh", "-c", 'mount -t tmpfs none /run/systemd && exec "$@"', "sh"]
    : [];
  const [command, ...args] = [...hidden, ...install];
  run(command, args, { env, stdio: ["ignore", "ignore", "inherit"] });
  for (const name of missing) {
    const unit = `/usr/lib/systemd/system/${name}.service`;
    if (!existsSync(unit) && !existsSync(unit.replace("/usr", ""))) continue;
    console.log(`set-up: ${name}.service is not enabled at boot`);
    run("systemctl", ["disable", "--quiet", `${name}.service`], { stdio: ["ignore", "ignore", "inherit"] });
  }
}

function newer(a, b) {
  return !existsSync(b) || statSync(a).mtimeMs > statSync(b).mtimeMs;
}

/** Whether what npm installed is what the lock file names; times say little after a checkout or a merge. */
function packagesAreInstalled() {
  const read = (path) => (existsSync(path) ? JSON.parse(readFileSync(path, "utf8")).packages : {});
  const installed = read(`${root}/node_modules/.package-lock.json`);
  return Object.entries(read(`${root}/package-lock.json`)).every(
    ([path, { version, optional }]) => path === "" || optional === true || installed[path]?.version === version,
  );
}

/** Whether a C compiler is there, and the headers of the C library with it: on Debian they are packages of their own. */
export function canCompile(env = process.env) {
  return (
    spawnSync("cc", ["-E", "-"], { input: "#include <sys/socket.h>\n", env, stdio: ["pipe", "ignore", "ignore"] })
      .status === 0
  );
}

export function setup() {
  if (!canCompile()) installDebianPackages(["gcc", "libc6-dev"], "compile the native addon: raw and netlink sockets");
  if (!packagesAreInstalled()) {
    console.log("set-up: npm packages (npm ci), and the native addon that their install step compiles");
    run("npm", ["ci", "--no-audit", "--no-fund"]);
  } else if (
    !existsSync(`${root}/native/holdfast.node`) ||
    newer(`${root}/native/holdfast.c`, `${root}/native/holdfast.node`)
  ) {
    console.log("set-up: the native addon (native/build.mjs)");
    run("node", ["native/build.mjs"]);
  }
  run("npm", ["run", "--silent", "build"]);
}

if (import.meta.url === pathToFileURL(process.argv[1] ?? "").href) setup();

// One run of a job in a guest: a stock kernel under qemu's own translation, on the host's files, read-only.
import { spawn } from "node:child_process";
import { copyFileSync, existsSync, mkdirSync, mkdtempSync, readFileSync, rmSync, writeFileSync } from "node:fs";
import { freemem, tmpdir } from "node:os";
import { dirname, join } from "node:path";
import { fileURLToPath } from "node:url";
import { root } from "../setup.mjs";
import { follow } from "./follow.mjs";
import { ensureInitrd } from "./initrd.mjs";
import { cacheDir, ensureKernel } from "./kernel.mjs";

export const GUEST_PACKAGES = ["qemu-system-x86", "busybox-static", "kmod"];
const here = dirname(fileURLToPath(import.meta.url));
const MEMORY_MB = Math.max(1024, Math.min(4096, Math.floor(freemem() / (2 << 20))));

export function shellQuote(word) {
  return `'${String(word).replaceAll("'", "'\\''")}'`;
}

/** The arguments of qemu. No network card, no listening port, nothing shared between two guests but the read-only files. */
function qemuArguments(kernel, initrd, dir, mode) {
  const append = "console=ttyS0 quiet panic=-1 mitigations=off nokaslr";
  const fsdev = (id, path, options) => [
    "-fsdev",
    `local,id=${id},path=${path.replaceAll(",", ",,")},security_model=none,multidevs=remap${options}`,
    "-device",
    `virtio-9p-pci,fsdev=${id},mount_tag=${id}`,
  ];
  const file = (id) => [
    "-chardev",
    `file,id=${id},path=${join(dir, id).replaceAll(",", ",,")}`,
    "-device",
    `virtserialport,chardev=${id},name=${id}`,
  ];
  return [
    "-accel",
    "tcg,thread=multi",
    "-smp",
    "2",
    "-cpu",
    "max",
    "-m",
    String(MEMORY_MB),
    "-nodefaults",
    "-no-user-config",
    "-display",
    "none",
    "-no-reboot",
    "-kernel",
    kernel.image,
    "-initrd",
    initrd,
    "-append",
    append,
    "-chardev",
    `file,id=console,path=${join(dir, "console").replaceAll(",", ",,")}`,
    "-serial",
    "chardev:console",
    ...fsdev("host", "/", ",readonly=on"),
    ...fsdev("share", join(dir, "share"), ""),
    "-device",
    "virtio-serial-pci",
    "-device",
    "virtio-rng-pci",
    ...(mode === "shell"
      ? ["-chardev", "stdio,id=terminal,signal=off", "-device", "virtconsole,chardev=terminal"]
      : [...file("out"), ...file("err")]),
  ];
}

/**
 * Boots a guest, runs a bash script there as root in the checkout, and passes its output on as it comes.
 * @param {object} job
 * @param {string} job.script      bash, run with the checkout as working directory
 * @param {"job" | "shell"} [job.mode] shell: the script owns this terminal
 * @param {Record<string, string>} [job.environment] added to the guest's environment
 * @param {number} [job.limitSeconds] qemu is killed after this time; none for a shell
 * @param {string[]} [job.results] files that the script leaves in $LAB_SHARE, copied to `resultsDir`
 * @param {string} [job.resultsDir]
 * @returns {Promise<{ status: number, seconds: number, bootSeconds: number }>} status 124 after the time limit
 */
export async function runInGuest({
  script,
  mode = "job",
  environment = {},
  limitSeconds = 1200,
  results = [],
  resultsDir,
}) {
  const kernel = ensureKernel(console.log);
  const initrd = ensureInitrd(kernel);
  const dir = mkdtempSync(join(tmpdir(), "holdfast-lab-"));
  const share = join(dir, "share");
  mkdirSync(share);
  const facts = {
    LAB_MODE: mode,
    LAB_ROOT: root,
    LAB_CACHE: cacheDir(),
    LAB_NODE: dirname(process.execPath),
    LAB_MODULES: kernel.modules,
    LAB_PATH: `${dirname(process.execPath)}:/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin`,
    LAB_ROWS: String(process.stdout.rows ?? 24),
    LAB_COLUMNS: String(process.stdout.columns ?? 80),
  };
  writeFileSync(
    join(share, "environment"),
    Object.entries(facts)
      .map(([name, value]) => `${name}=${shellQuote(value)}\n`)
      .join(""),
  );
  const exports = {
    HOME: "/root",
    LANG: "C.UTF-8",
    TERM: process.env.TERM ?? "dumb",
    LAB_SHARE: "/run/lab",
    ...environment,
  };
  const head = Object.entries(exports)
    .map(([name, value]) => `export ${name}=${shellQuote(value)}\n`)
    .join("");
  writeFileSync(join(share, "job.sh"), `${head}${script}\n`);
  copyFileSync(join(here, "guest-main.sh"), join(share, "main.sh"));
  const interactive = mode === "shell";
  const started = performance.now();
  const args = qemuArguments(kernel, initrd, dir, mode);
  // setpriv: should this process be killed outright, the guest goes with it.
  const qemu = spawn("setpriv", ["--pdeathsig", "KILL", "qemu-system-x86_64", ...args], {
    stdio: [interactive ? "inherit" : "ignore", interactive ? "inherit" : "ignore", "pipe"],
    // A terminal's Ctrl-C belongs to the guest; without one it must reach this process, which then ends the guest.
    detached: !interactive,
  });
  let complaints = "";
  qemu.stderr.setEncoding("utf8").on("data", (text) => {
    complaints = (complaints + text).slice(-4000);
  });
  const followers = interactive
    ? []
    : [follow(join(dir, "out"), process.stdout), follow(join(dir, "err"), process.stderr)];
  let ended;
  const kill = (reason) => {
    ended ??= reason;
    qemu.kill("SIGKILL");
  };
  const onSignal = (signal) => kill(signal);
  const signals = interactive ? ["SIGTERM", "SIGHUP"] : ["SIGINT", "SIGTERM", "SIGHUP"];
  for (const signal of signals) process.on(signal, onSignal);
  const timer = interactive ? undefined : setTimeout(() => kill("limit"), limitSeconds * 1000);
  try {
    const code = await new Promise((resolve) => {
      qemu.on("error", (error) => {
        complaints += error.message;
        resolve(-1);
      });
      qemu.on("close", resolve);
    });
    for (const follower of followers) await follower.finish();
    const seconds = (performance.now() - started) / 1000;
    const read = (name) => (existsSync(join(share, name)) ? readFileSync(join(share, name), "utf8").trim() : "");
    if (resultsDir !== undefined) {
      for (const name of results)
        if (existsSync(join(share, name))) copyFileSync(join(share, name), join(resultsDir, name));
    }
    const bootSeconds = Number(read("uptime") || Number.NaN);
    if (ended === "limit") {
      console.error(`lab: the guest was killed after its time limit of ${limitSeconds} s`);
      return { status: 124, seconds, bootSeconds };
    }
    if (ended !== undefined) {
      for (const signal of signals) process.off(signal, onSignal);
      rmSync(dir, { recursive: true, force: true });
      process.kill(process.pid, ended);
    }
    const status = read("status");
    if (status === "") {
      console.error(`lab: the guest ended without a result (qemu: exit ${code}). ${complaints.trim()}`);
      const log = existsSync(join(dir, "console")) ? readFileSync(join(dir, "console"), "utf8") : "";
      console.error(`lab: last words on its console:\n${log.slice(-4000)}`);
      return { status: 70, seconds, bootSeconds };
    }
    return { status: Number(status), seconds, bootSeconds };
  } finally {
    clearTimeout(timer);
    for (const follower of followers) follower.stop();
    for (const signal of signals) process.off(signal, onSignal);
    rmSync(dir, { recursive: true, force: true });
  }
}

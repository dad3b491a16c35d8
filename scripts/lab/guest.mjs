// One run of a job in a guest: a stock kernel under qemu's own translation, on the host's files, read-only.
import { spawnSync } from "node:child_process";
import { copyFileSync, existsSync, mkdirSync, mkdtempSync, readFileSync, rmSync, writeFileSync } from "node:fs";
import { freemem, tmpdir } from "node:os";
import { dirname, join } from "node:path";
import { fileURLToPath } from "node:url";
import { root } from "../setup.mjs";
import { follow } from "./follow.mjs";
import { ensureInitrd } from "./initrd.mjs";
import { cacheDir, ensureKernel } from "./kernel.mjs";
import { cutShort, supervise } from "./supervise.mjs";

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

/** What the guest reads when it starts: facts for its own scripts, the job, and the scripts themselves. */
function writeShare(share, kernel, mode, script, environment) {
  const nodeFolder = dirname(process.execPath);
  const facts = {
    LAB_MODE: mode,
    LAB_ROOT: root,
    LAB_CACHE: cacheDir(),
    LAB_NODE: nodeFolder,
    LAB_MODULES: kernel.modules,
    LAB_PATH: `${nodeFolder}:/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin`,
    LAB_ROWS: String(process.stdout.rows || 24),
    LAB_COLUMNS: String(process.stdout.columns || 80),
  };
  const exported = {
    HOME: "/root",
    LANG: "C.UTF-8",
    TERM: process.env.TERM ?? "dumb",
    LAB_SHARE: "/run/lab",
    ...environment,
  };
  const lines = (values, word) =>
    Object.entries(values).map(([name, value]) => `${word}${name}=${shellQuote(value)}\n`);
  mkdirSync(share);
  writeFileSync(join(share, "environment"), lines(facts, "").join(""));
  writeFileSync(join(share, "job.sh"), `${lines(exported, "export ").join("")}${script}\n`);
  copyFileSync(join(here, "guest-main.sh"), join(share, "main.sh"));
}

/** qemu makes the terminal raw, and restores it unless it is killed. */
function rememberTerminal() {
  if (!process.stdin.isTTY) return () => {};
  const stty = (args, stdio) => spawnSync("stty", args, { stdio, encoding: "utf8" }).stdout?.trim() ?? "";
  const settings = stty(["-g"], ["inherit", "pipe", "ignore"]);
  return () => stty([settings], "inherit");
}

/** A file that a run left in its share; undefined = it did not. */
function leftIn(share, name) {
  const path = join(share, name);
  return existsSync(path) ? readFileSync(path, "utf8") : undefined;
}

/**
 * Boots a guest, runs a bash script there as root in the checkout, and passes its output on as it comes.
 * @param {object} job
 * @param {string} job.script      bash, run with the checkout as working directory
 * @param {"job" | "shell"} [job.mode] shell: the script owns this terminal
 * @param {Record<string, string>} [job.environment] added to the guest's environment
 * @param {number} [job.limitSeconds] qemu is killed after this time; none for a shell
 * @param {string} [job.result] a file that the script leaves in $LAB_SHARE
 * @returns {Promise<{ status: number, seconds: number, bootSeconds: number, result: string | undefined }>} status 124 after the time
 *   limit; result: the text of that file
 */
export async function runInGuest(job) {
  const { script, mode = "job", environment = {}, limitSeconds = 1200, result: name } = job;
  const interactive = mode === "shell";
  const kernel = ensureKernel(console.log);
  const initrd = ensureInitrd(kernel);
  const dir = mkdtempSync(join(tmpdir(), "holdfast-lab-"));
  const share = join(dir, "share");
  const followers = interactive
    ? []
    : [follow(join(dir, "out"), process.stdout), follow(join(dir, "err"), process.stderr)];
  try {
    writeShare(share, kernel, mode, script, environment);
    const restoreTerminal = interactive ? rememberTerminal() : () => {};
    const started = performance.now();
    const terminal = interactive ? "inherit" : "ignore";
    const { code, ended, complaints } = await supervise(
      ["qemu-system-x86_64", ...qemuArguments(kernel, initrd, dir, mode)],
      { interactive, limitSeconds, spawn: { stdio: [terminal, terminal, "pipe"] } },
    );
    restoreTerminal();
    for (const follower of followers) await follower.finish();
    const seconds = (performance.now() - started) / 1000;
    const status = leftIn(share, "status")?.trim() ?? "";
    const bootSeconds = Number(leftIn(share, "uptime") ?? Number.NaN);
    const result = name === undefined ? undefined : leftIn(share, name);
    if (ended !== undefined) {
      if (ended !== "limit") rmSync(dir, { recursive: true, force: true });
      return { status: cutShort(ended, limitSeconds), seconds, bootSeconds, result };
    }
    if (status !== "") return { status: Number(status), seconds, bootSeconds, result };
    console.error(`lab: the guest ended without a result (qemu: exit ${code}). ${complaints}`);
    const log = existsSync(join(dir, "console")) ? readFileSync(join(dir, "console"), "utf8") : "";
    console.error(`lab: last words on its console:\n${log.slice(-4000)}`);
    return { status: 70, seconds, bootSeconds, result };
  } finally {
    for (const follower of followers) follower.stop();
    rmSync(dir, { recursive: true, force: true });
  }
}

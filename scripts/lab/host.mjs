// One run of a job on this machine's own kernel, in network, mount and process namespaces that end with it.
import { spawn, spawnSync } from "node:child_process";
import { copyFileSync, existsSync, mkdirSync, mkdtempSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { dirname, join } from "node:path";
import { root } from "../setup.mjs";

/** As first process of its namespaces: a /run and a /sys of its own, then the job. */
const ENTER = `
mount -t tmpfs -o mode=755 run /run && mkdir -p /run/netns /run/lock && mount -t sysfs sysfs /sys && ip link set lo up || exit 77
bash "$LAB_SHARE/job.sh"`;

/** Whether this process may make namespaces; otherwise the reason why not. */
export function whyNoNamespaces() {
  if (process.getuid?.() !== 0) return "not root";
  const probe = spawnSync("unshare", ["--mount", "--net", "--pid", "--fork", "mount", "-t", "tmpfs", "none", "/run"], {
    encoding: "utf8",
  });
  if (probe.status === 0) return undefined;
  return `namespaces cannot be made (${(probe.stderr || probe.error?.message || "unshare failed").trim()})`;
}

/** Whether this kernel has IPVS, loading the module if need be; otherwise the reason why not. */
export function whyNoIpvs() {
  if (existsSync("/proc/net/ip_vs")) return undefined;
  if (process.getuid?.() !== 0) return "not root, so ip_vs cannot be loaded";
  const load = spawnSync("modprobe", ["ip_vs"], { encoding: "utf8" });
  if (load.status === 0 && existsSync("/proc/net/ip_vs")) return undefined;
  return "the running kernel has no ip_vs and none can be loaded";
}

/** As runInGuest, on this kernel. @see guest.mjs */
export async function runOnHost({
  script,
  mode = "job",
  environment = {},
  limitSeconds = 1200,
  results = [],
  resultsDir,
}) {
  const dir = mkdtempSync(join(tmpdir(), "holdfast-lab-"));
  mkdirSync(join(dir, "tmp"));
  writeFileSync(join(dir, "job.sh"), `${script}\n`);
  const env = {
    ...process.env,
    PATH: `${dirname(process.execPath)}:/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin`,
    TMPDIR: join(dir, "tmp"),
    LAB_SHARE: dir,
    ...environment,
  };
  const started = performance.now();
  const interactive = mode === "shell";
  const namespaces = ["--mount", "--net", "--pid", "--fork", "--kill-child=SIGKILL", "--mount-proc"];
  // setpriv: should this process be killed outright, the namespaces and everything in them go with it.
  const child = spawn("setpriv", ["--pdeathsig", "KILL", "unshare", ...namespaces, "sh", "-c", ENTER], {
    cwd: root,
    env,
    stdio: interactive ? "inherit" : ["ignore", "inherit", "inherit"],
    detached: !interactive,
  });
  let ended;
  const kill = (reason) => {
    ended ??= reason;
    child.kill("SIGKILL");
  };
  const onSignal = (signal) => {
    if (!(interactive && signal === "SIGINT")) kill(signal);
  };
  const signals = ["SIGINT", "SIGTERM", "SIGHUP"];
  for (const signal of signals) process.on(signal, onSignal);
  const timer = interactive ? undefined : setTimeout(() => kill("limit"), limitSeconds * 1000);
  try {
    const code = await new Promise((resolve) => {
      child.on("error", (error) => {
        console.error(`lab: ${error.message}`);
        resolve(70);
      });
      child.on("close", (status) => resolve(status ?? 70));
    });
    if (resultsDir !== undefined) {
      for (const name of results)
        if (existsSync(join(dir, name))) copyFileSync(join(dir, name), join(resultsDir, name));
    }
    const seconds = (performance.now() - started) / 1000;
    if (ended === "limit") {
      console.error(`lab: the run was killed after its time limit of ${limitSeconds} s`);
      return { status: 124, seconds };
    }
    if (ended !== undefined) {
      for (const signal of signals) process.off(signal, onSignal);
      rmSync(dir, { recursive: true, force: true });
      process.kill(process.pid, ended);
    }
    return { status: code, seconds };
  } finally {
    clearTimeout(timer);
    for (const signal of signals) process.off(signal, onSignal);
    rmSync(dir, { recursive: true, force: true });
  }
}

// One run of a job on this machine's own kernel, in network, mount and process namespaces that end with it.
import { spawnSync } from "node:child_process";
import { existsSync, mkdirSync, mkdtempSync, readFileSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { dirname, join } from "node:path";
import { root } from "../setup.mjs";
import { cutShort, supervise } from "./supervise.mjs";

/** All that a scenario changes; they end, with every process in them, when their first process does. */
const NAMESPACES = ["--mount", "--net", "--pid", "--fork", "--kill-child=SIGKILL", "--mount-proc"];

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
export async function runOnHost(job) {
  const { script, mode = "job", environment = {}, limitSeconds = 1200, result: name } = job;
  const interactive = mode === "shell";
  const dir = mkdtempSync(join(tmpdir(), "holdfast-lab-"));
  try {
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
    const { code, ended, complaints } = await supervise(["unshare", ...NAMESPACES, "sh", "-c", ENTER], {
      interactive,
      limitSeconds,
      spawn: { cwd: root, env, stdio: interactive ? "inherit" : ["ignore", "inherit", "inherit"] },
    });
    if (complaints !== "") console.error(`lab: ${complaints}`);
    const result =
      name !== undefined && existsSync(join(dir, name)) ? readFileSync(join(dir, name), "utf8") : undefined;
    const seconds = (performance.now() - started) / 1000;
    if (ended !== undefined && ended !== "limit") rmSync(dir, { recursive: true, force: true });
    return { status: cutShort(ended, limitSeconds) ?? code, seconds, result };
  } finally {
    rmSync(dir, { recursive: true, force: true });
  }
}

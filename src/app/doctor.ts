import { release } from "node:os";
import { setTimeout as sleep } from "node:timers/promises";
import { DirectorError, errnoNameOf } from "../base/director-error.ts";
import type { IpText } from "../base/ip.ts";
import { err, ok, type Result } from "../base/result.ts";
import type { InstanceKeys } from "../config/keys.ts";
import type { DirectorConfig } from "../config/model.ts";
import type { DirectorStatus } from "../control/status.ts";
import { unexplainedAnswers } from "../doctor/arp-findings.ts";
import type { SysctlFix } from "../doctor/catalogue.ts";
import { neededOf } from "../doctor/diagnose.ts";
import type { ArpAnswers, DaemonFacts, DoctorFacts, FactInterface, HeardPacket, Unseen } from "../doctor/facts.ts";
import { hearings } from "../doctor/peer-findings.ts";
import { MAX_LISTEN_MS, type Question, type Survey, surveyOf } from "../doctor/survey.ts";
import { AdvertListener } from "../sys/advert-listener.ts";
import { whoHas } from "../sys/arp-prober.ts";
import { readInterfaces } from "../sys/interface-facts.ts";
import { clockKeeper, defaultRoutes, moduleStates, neighbourLimits, sysctlFacts } from "../sys/machine-facts.ts";
import { loadNative } from "../sys/native.ts";
import { probePaths } from "../sys/path-probe.ts";
import { daemonProcesses, ownRights } from "../sys/process-rights.ts";
import { writeSysctl } from "../sys/sysctl.ts";
import type { HmacSha256 } from "../vrrp/hmac.ts";

const LISTEN_LOOK_MS = 100;

export interface LookOptions {
  readonly config: DirectorConfig;
  readonly keys: InstanceKeys;
  /** null = no daemon answers. */
  readonly status: DirectorStatus | null;
}

/** Looks at this machine and its networks for a configuration. It changes nothing, and takes as long as it listens. */
export async function lookAround(
  { config, keys, status }: LookOptions,
  collaborators: { readonly hmac: HmacSha256 },
): Promise<DoctorFacts> {
  const unseen: Unseen[] = [];
  const note = (what: string, error: DirectorError): void => void unseen.push({ what, why: error.message });
  const native = loadNative();
  const addonProblem = native.ok ? null : native.error.message;
  const interfaces = native.ok ? interfacesOr(note) : [];
  const routes = defaultRoutes();
  const survey = surveyOf(
    config,
    interfaces,
    routes,
    neededOf(config).map(({ name }) => name),
  );
  const own = ownRights();
  const sees = native.ok && own.capabilities.includes("CAP_NET_RAW");
  if (!sees && survey.listen.length > 0) {
    unseen.push({
      what: "who answers ARP for the virtual addresses, and the adverts of others",
      why: "that needs CAP_NET_RAW and the addon",
    });
  }
  if (sees && config.instances.some(({ advertIntervalUs }) => advertIntervalUs * 3 > MAX_LISTEN_MS * 1000)) {
    unseen.push({ what: "peers with slow adverts", why: `only ${MAX_LISTEN_MS / 1000} s were listened` });
  }
  const modules = moduleStates(survey.modules);
  if (modules.get("ip_vs") === "unknown") {
    unseen.push({ what: "whether the kernel has IPVS", why: `/lib/modules/${release()} lists no modules` });
  }
  const [heard, reached] = await Promise.all([sees ? listen(survey, interfaces, note) : [], probePaths(survey.paths)]);
  const virtualAnswers = sees ? await ask(survey.virtualAddresses, interfaces, note) : [];
  const daemon = status === null ? null : daemonFacts(status);
  if (daemon?.processes.length === 0) {
    unseen.push({
      what: "the rights of the running daemon",
      why: "its processes do not show in /proc; run this as root, in the daemon's container if it has one",
    });
  }
  const { limits, unseen: unseenLimits } = neighbourLimits();
  const facts: DoctorFacts = {
    own,
    addonProblem,
    kernelRelease: release(),
    modules,
    sysctls: sysctlFacts(survey.sysctls),
    interfaces,
    defaultRoutes: routes,
    neighbours: limits,
    heard,
    virtualAnswers,
    serverAnswers: [],
    paths: reached.paths,
    clockKeeper: clockKeeper(),
    daemon,
    unseen: [...unseen, ...(config.services.length > 0 ? unseenLimits : []), ...reached.unseen],
  };
  // Only somebody unknown is worth a question to every server of the network.
  const isStrange = unexplainedAnswers(config, facts, hearings(config, facts, { ...collaborators, keys })).length > 0;
  return isStrange ? { ...facts, serverAnswers: await ask(survey.servers, interfaces, note) } : facts;
}

function daemonFacts({ pid: supervisor, processes, instances }: DirectorStatus): DaemonFacts {
  // One that is being started again has none; `holdfast status` says so.
  const children = processes.flatMap(({ name, pid }) => (pid === null ? [] : [{ name, pid }]));
  return {
    processes: daemonProcesses(supervisor, children),
    instances: instances.map(({ name, phase, priority, held }) => ({ name, phase, priority, held })),
  };
}

type Note = (what: string, error: DirectorError) => void;

function interfacesOr(note: Note): readonly FactInterface[] {
  const read = readInterfaces();
  if (read.ok) return read.value;
  note("interfaces and addresses", read.error);
  return [];
}

async function listen(survey: Survey, interfaces: readonly FactInterface[], note: Note): Promise<HeardPacket[]> {
  const listeners = survey.listen.flatMap(({ interface: name, udpPort }) => {
    const interfaceIndex = interfaces.find((each) => each.name === name)?.index ?? 0;
    const opened = AdvertListener.open({ interfaceName: name, interfaceIndex, udpPort });
    if (opened.ok) return [opened.value];
    note(`adverts on ${name}`, opened.error);
    return [];
  });
  const heard: HeardPacket[] = []; // bounded by the time and by what a network can carry
  const until = performance.now() + survey.listenMs;
  while (listeners.length > 0 && performance.now() < until) {
    await sleep(LISTEN_LOOK_MS);
    // When it arrived matters to the second only, for the clocks of signatures.
    for (const listener of listeners) heard.push(...listener.take(Date.now()));
  }
  for (const listener of listeners) listener.close();
  return heard;
}

async function ask(
  questions: readonly Question[],
  interfaces: readonly FactInterface[],
  note: Note,
): Promise<ArpAnswers[]> {
  const networks = interfaces.flatMap(({ name, index, mac }) => {
    const addresses = [...new Set(questions.filter((each) => each.interface === name).map(({ address }) => address))];
    return addresses.length === 0 || mac === null ? [] : [{ name, index, mac, addresses }];
  });
  const answers = await Promise.all(
    networks.map(async ({ name, index, mac, addresses }) => {
      const heard = await whoHas({ interfaceName: name, interfaceIndex: index, mac }, addresses);
      if (heard.ok)
        return [...heard.value].map(([address, macs]: [IpText, readonly string[]]) => ({
          interface: name,
          address,
          macs,
        }));
      note(`ARP on ${name}`, heard.error);
      return [];
    }),
  );
  return answers.flat();
}

/** Carries out what `--fix` does; the first that is refused ends it. */
export function applyFixes(fixes: readonly SysctlFix[]): Result<readonly string[], DirectorError> {
  const done: string[] = [];
  for (const { name, value } of fixes) {
    const written = writeSysctl(name, value);
    if (!written.ok) {
      const errno = errnoNameOf(written.error.cause);
      return err(new DirectorError("FILE_UNWRITABLE", written.error.message, { errno }, written.error));
    }
    done.push(`${name.map((part) => part.replaceAll(".", "/")).join(".")}=${value}`);
  }
  return ok(done);
}

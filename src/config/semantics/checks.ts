import { formatDurationUs } from "../../base/duration.ts";
import type { CheckConfig } from "../model.ts";
import type { ConfigProblem, Finding, KeyPath, Location } from "../problem.ts";
import type { PlacedService } from "./services.ts";

/** Finds the place of a key under defaults.check of the main file; undefined where the file does not have it. */
export type DefaultsProblem = (key: "interval" | "timeout", finding: Finding) => ConfigProblem | undefined;

/** Rules about the checks of one service and of its servers, beyond what one check says about itself. */
export function checkProblems(service: PlacedService, defaultsProblem: DefaultsProblem): ConfigProblem[] {
  const problems = checkLists(service).flatMap(({ path, checks }) => [
    ...checks.flatMap((check, index) => timingProblems(service, [...path, index], check, defaultsProblem)),
    ...udpProblems(service, path, checks),
  ]);
  const isInherited = service.value.servers.some((_, index) => !service.has("servers", index, "checks"));
  return isInherited && !service.has("checks") ? [...problems, uncheckedServers(service)] : problems;
}

/** A list of checks as it is written, and as it was built for the first server that uses it. */
export interface CheckList {
  readonly path: KeyPath;
  readonly checks: readonly CheckConfig[];
}

/** Each list of checks of a service, once: the service's, and those that servers have instead. */
export function checkLists(service: PlacedService): readonly CheckList[] {
  const { servers } = service.value;
  const own = servers.flatMap((server, index) =>
    service.has("servers", index, "checks") ? [{ path: ["servers", index, "checks"], checks: server.checks }] : [],
  );
  const inheriting = servers.find((_, index) => !service.has("servers", index, "checks"));
  return inheriting === undefined ? own : [{ path: ["checks"], checks: inheriting.checks }, ...own];
}

/** How the file calls the kind of a check. */
export function kindOf(check: CheckConfig): "tcp" | "http" | "https" | "script" {
  return check.type === "http" && check.tls !== null ? "https" : check.type;
}

function uncheckedServers(service: PlacedService): ConfigProblem {
  return service.problemAtKey([], {
    severity: "warning",
    code: "suspicious",
    message: `service \`${service.value.name}\` has no checks, so a dead server keeps its share of the clients`,
    hint: "add `checks: [tcp]`, or `checks: []` to say that none are wanted",
  });
}

/** A second attempt would begin while the first one runs, and "interval × fall" would not bound the time to a verdict. */
function timingProblems(
  service: PlacedService,
  at: KeyPath,
  check: CheckConfig,
  defaultsProblem: DefaultsProblem,
): ConfigProblem[] {
  if (check.timeoutUs <= check.intervalUs) return [];
  const kind = kindOf(check);
  const longer = `is longer than the interval ${formatDurationUs(check.intervalUs)}`;
  const finding = (message: string): Finding => ({
    code: "conflict",
    message,
    expected: `a timeout of at most ${formatDurationUs(check.intervalUs)}`,
    hint: "the next attempt would begin while this one still runs",
  });
  const timeout = `the timeout ${formatDurationUs(check.timeoutUs)}`;
  if (service.has(...at, kind, "timeout")) {
    const interval: Location | undefined = service.has(...at, kind, "interval")
      ? service.locate(...at, kind, "interval")
      : defaultsProblem("interval", finding(""))?.location;
    const related = interval === undefined ? [] : [{ message: "the interval stands", location: interval }];
    return [service.problem([...at, kind, "timeout"], finding(`${timeout} ${longer}`), ...related)];
  }
  // A timeout that nobody wrote never exceeds the interval, so this one is written under defaults.
  const byDefault = defaultsProblem("timeout", finding(`${timeout} ${longer}`));
  if (!service.has(...at, kind, "interval")) return byDefault === undefined ? [] : [byDefault];
  const related = byDefault === undefined ? [] : [{ message: "the default stands", location: byDefault.location }];
  return [
    service.problem(
      [...at, kind, "interval"],
      finding(`${timeout} from the defaults ${longer} of this check`),
      ...related,
    ),
  ];
}

function udpProblems(service: PlacedService, path: KeyPath, checks: readonly CheckConfig[]): ConfigProblem[] {
  const { listen } = service.value;
  if (listen.length === 0 || listen.some(({ protocol }) => protocol !== "udp")) return [];
  return checks.flatMap((check, index) => {
    if (check.type === "script" || check.port !== null) return [];
    const finding: Finding = {
      severity: "warning",
      code: "suspicious",
      message: `this ${kindOf(check)} check connects by TCP to the port of a UDP service`,
      hint: "give the check a port of its own where the server listens by TCP, or use a script",
    };
    return [service.problem([...path, index], finding)];
  });
}

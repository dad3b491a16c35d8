import { formatDurationUs } from "../../base/duration.ts";
import type { CheckConfig } from "../model.ts";
import type { ConfigProblem, Finding, KeyPath } from "../problem.ts";
import { CHECK_KINDS, isHeaderName, type RawCheck, type RawHttp } from "../schema/checks.ts";
import type { PlacedService } from "./services.ts";

/** Header fields that the request sets itself. */
const OWN_HEADERS: ReadonlySet<string> = new Set([
  "connection",
  "content-length",
  "keep-alive",
  "transfer-encoding",
  "upgrade",
  "expect",
  "te",
  "trailer",
]);

/** Rules about the checks of one service and of its servers. */
export function checkProblems(service: PlacedService): ConfigProblem[] {
  const { raw, value } = service;
  const problems: ConfigProblem[] = [];
  const lists: {
    readonly path: KeyPath;
    readonly checks: readonly RawCheck[];
    readonly built: readonly CheckConfig[];
  }[] = [];
  // The service's checks as they were built for a server that has no checks of its own.
  const inheriting = raw.servers.findIndex((server) => "port" in server || server.checks === undefined);
  if (raw.checks !== undefined)
    lists.push({ path: ["checks"], checks: raw.checks, built: value.servers[inheriting]?.checks ?? [] });
  for (const [index, server] of raw.servers.entries()) {
    if ("port" in server || server.checks === undefined) continue;
    lists.push({
      path: ["servers", index, "checks"],
      checks: server.checks,
      built: value.servers[index]?.checks ?? [],
    });
  }
  for (const { path, checks, built } of lists) {
    for (const [index, check] of checks.entries()) {
      const at = [...path, index];
      const shape = oneKind(service, at, check);
      if (shape !== null) {
        problems.push(shape);
        continue;
      }
      problems.push(...settingsProblems(service, at, check));
    }
    const isComplete = built.length === checks.length;
    if (isComplete)
      for (const [index, check] of built.entries()) problems.push(...timingProblems(service, [...path, index], check));
    if (isComplete) problems.push(...udpProblems(service, path, built));
  }
  if (raw.servers.length > 0 && raw.checks === undefined && inheriting >= 0) problems.push(uncheckedServers(service));
  return problems;
}

function uncheckedServers(service: PlacedService): ConfigProblem {
  return service.problemAtKey([], {
    severity: "warning",
    code: "suspicious",
    message: `service \`${service.value.name}\` has no checks, so a dead server keeps its share of the clients`,
    hint: "add `checks: [tcp]`, or `checks: []` to say that none are wanted",
  });
}

/** An entry names exactly one kind. */
function oneKind(service: PlacedService, path: KeyPath, check: RawCheck): ConfigProblem | null {
  if (typeof check === "string") return null;
  const kinds = CHECK_KINDS.filter((kind) => check[kind] !== undefined);
  if (kinds.length === 1) {
    if (check.script === undefined || check.script.run !== undefined) return null;
    const finding: Finding = {
      code: "missing-key",
      message: "`run` is missing",
      expected: "a list: the absolute path of a program, then its arguments",
      hint: "write `script: { run: [/path/of/program] }`",
    };
    return service.problem([...path, "script"], finding);
  }
  const named = kinds.map((kind) => `\`${kind}\``).join(" and ");
  return service.problem(kinds.length === 0 ? path : [...path, kinds[1] ?? ""], {
    code: "bad-value",
    message: kinds.length === 0 ? "this check names no kind" : `one check cannot be ${named} at once`,
    expected: "one of the keys `tcp`, `http`, `https`, `script`",
    hint: kinds.length === 0 ? null : "put each on a line of its own after a dash",
  });
}

function settingsProblems(service: PlacedService, at: KeyPath, check: RawCheck): ConfigProblem[] {
  if (typeof check === "string") return [];
  const problems: ConfigProblem[] = [];
  const program = check.script?.run?.[0];
  if (program !== undefined && !program.startsWith("/")) {
    problems.push(
      service.problem([...at, "script", "run", 0], {
        code: "bad-value",
        message: "the program is not an absolute path",
        expected: "the absolute path of a program, for example /etc/holdfast/checks/load.sh",
        hint: program.includes(" ")
          ? "there is no shell: write each argument as an entry of the list"
          : "programs are not searched for on the PATH",
      }),
    );
  }
  for (const kind of ["http", "https"] as const) {
    const http: RawHttp | undefined = check[kind];
    if (http !== undefined) problems.push(...httpProblems(service, [...at, kind], http));
  }
  return problems;
}

function httpProblems(service: PlacedService, at: KeyPath, http: RawHttp): ConfigProblem[] {
  const problems: ConfigProblem[] = [];
  const say = (below: KeyPath, finding: Finding) => problems.push(service.problem([...at, ...below], finding));
  const sayAtKey = (below: KeyPath, finding: Finding) =>
    problems.push(service.problemAtKey([...at, ...below], finding));
  for (const name of Object.keys(http.headers ?? {})) {
    const lower = name.toLowerCase();
    if (lower === "host")
      sayAtKey(["headers", name], {
        code: "bad-value",
        message: "the Host header has a key of its own",
        hint: "write `host:` beside `headers:`",
      });
    else if (OWN_HEADERS.has(lower))
      sayAtKey(["headers", name], {
        code: "bad-value",
        message: `the header field ${name} is set by holdfast itself`,
        hint: "remove it",
      });
    else if (!isHeaderName(name))
      sayAtKey(["headers", name], {
        code: "bad-value",
        message: "this is not the name of a header field",
        hint: name.includes(":") ? "a space is missing after the colon" : null,
      });
  }
  const body = http.expect?.body;
  if (body !== undefined) {
    if ((body.contains === undefined) === (body.matches === undefined)) {
      say(["expect", "body"], { code: "bad-value", message: "`body` needs exactly one of `contains` and `matches`" });
    }
    if (http.method === "HEAD") {
      say(["expect", "body"], {
        code: "impossible",
        message: "an answer to HEAD has no body",
        hint: "write `method: GET`, or remove body",
      });
    }
  }
  const tls = http.tls;
  if (tls !== undefined && (tls.cert === undefined) !== (tls.key === undefined)) {
    const [given, missing] = tls.cert === undefined ? ["key", "cert"] : ["cert", "key"];
    sayAtKey(["tls", given], {
      code: "missing-key",
      message: `\`${given}\` needs \`${missing}\` beside it`,
      hint: "a client certificate consists of both",
    });
  }
  return problems;
}

/** A second attempt would begin while the first one runs, and one dead server would be counted twice. */
function timingProblems(service: PlacedService, at: KeyPath, check: CheckConfig): ConfigProblem[] {
  if (check.timeoutUs <= check.intervalUs) return [];
  const kind = check.type === "http" && check.tls !== null ? "https" : check.type;
  const isOwnTimeout = service.has(...at, kind, "timeout");
  const isOwnInterval = service.has(...at, kind, "interval");
  const path = isOwnTimeout ? [...at, kind, "timeout"] : isOwnInterval ? [...at, kind, "interval"] : at;
  const from = isOwnTimeout ? "" : ", which comes from the defaults,";
  const finding: Finding = {
    code: "conflict",
    message: `the timeout ${formatDurationUs(check.timeoutUs)}${from} is longer than the interval ${formatDurationUs(check.intervalUs)}`,
    expected: `a timeout of at most ${formatDurationUs(check.intervalUs)}`,
    hint: "the next attempt would begin while this one still runs",
  };
  return [service.problem(path, finding)];
}

function udpProblems(service: PlacedService, path: KeyPath, built: readonly CheckConfig[]): ConfigProblem[] {
  const { listen } = service.value;
  if (listen.length === 0 || listen.some(({ protocol }) => protocol !== "udp")) return [];
  return built.flatMap((check, index) => {
    if (check.type === "script" || check.port !== null) return [];
    const finding: Finding = {
      severity: "warning",
      code: "suspicious",
      message: `this ${check.name.replace(/-\d+$/, "")} check connects by TCP to the port of a UDP service`,
      hint: "give the check a port of its own where the server listens by TCP, or use a script",
    };
    return [service.problem([...path, index], finding)];
  });
}

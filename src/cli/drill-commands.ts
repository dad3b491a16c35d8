import { formatDurationUs } from "../base/duration.ts";
import { EXIT, type ExitCode } from "../base/exit-codes.ts";
import { asSentence } from "../base/sentence.ts";
import { ControlClient } from "../control/client.ts";
import type { DrillRequest } from "../control/drill-api.ts";
import { type DrillReport, type DrillSummary, renderReport } from "../drill/report.ts";
import type { AskedFrom } from "./commands/drill.ts";
import { withDaemon } from "./daemon-commands.ts";
import { BroughtProber, type StartLines } from "./drill-lines.ts";
import { paintsFor, type Terminal, type WordPaint } from "./terminal.ts";

/** The slowest adverts twice there and back, and the probe before and after. */
const DRILL_TIMEOUT_MS = 1_800_000;
const ANSWER_TIMEOUT_MS = 10_000;
const EVERY_DEFAULT_US = 10_000;
const TIMEOUT_DEFAULT_US = 1_000_000;

export interface DrillCommandOptions {
  readonly controlSocket: string;
  readonly json: boolean;
}

export interface RunOptions extends DrillCommandOptions {
  readonly instance: string;
  readonly request: DrillRequest;
  readonly from: AskedFrom | null;
}

/** `holdfast drill run`: 0 passed, 1 failed or refused, 4 no daemon. */
export function drillRunCommand(options: RunOptions, terminal: Terminal, startLines: StartLines): Promise<ExitCode> {
  return withDaemon(terminal, async () => {
    const { controlSocket: path, instance, from, json } = options;
    const client = new ControlClient({ path, timeoutMs: DRILL_TIMEOUT_MS });
    const result =
      from === null ? await client.drill(instance, options.request) : await drillFrom(options, from, startLines);
    if (!result.ok) {
      terminal.err.write(`holdfast: no drill: ${asSentence(result.error.message)}\n`);
      return EXIT.FAILED;
    }
    print(result.value, json, terminal);
    return result.value.result === "passed" ? EXIT.OK : EXIT.FAILED;
  });
}

/** The prober runs as whoever gave the command: their keys for ssh, not the daemon's. */
async function drillFrom(
  { controlSocket: path, instance, request }: RunOptions,
  from: AskedFrom,
  startLines: StartLines,
) {
  const status = await new ControlClient({ path, timeoutMs: ANSWER_TIMEOUT_MS }).status();
  const address = status.instances.find(({ name }) => name === instance)?.addresses[0]?.split("/")[0];
  const target = request.target ?? (address === undefined ? undefined : `icmp://${address}`);
  const client = new ControlClient({ path, timeoutMs: DRILL_TIMEOUT_MS });
  // It refuses an instance that it does not know.
  if (target === undefined) return client.drill(instance, request);
  const prober = new BroughtProber(proberCommand(from, target, request), {
    bring: (brought) => new ControlClient({ path, timeoutMs: ANSWER_TIMEOUT_MS }).bringLines(brought),
    startLines,
  });
  try {
    return await client.drill(instance, { ...request, target, broughtFrom: describe(from) });
  } finally {
    prober.close();
  }
}

function proberCommand(from: AskedFrom, target: string, request: DrillRequest): readonly [string, ...string[]] {
  const { everyUs = EVERY_DEFAULT_US, timeoutUs = TIMEOUT_DEFAULT_US } = request;
  const words = [target, "--every", formatDurationUs(everyUs), "--timeout", formatDurationUs(timeoutUs), "--until-eof"];
  if (from.type === "command") return [from.words[0], ...from.words.slice(1), ...words];
  // The words go through a shell on the other side.
  const quoted = words.map((word) => `'${word.replaceAll("'", "'\\''")}'`);
  return ["ssh", "-o", "BatchMode=yes", "-T", from.host, "holdfast", "probe", ...quoted];
}

function describe(from: AskedFrom): string {
  return from.type === "ssh" ? from.host : from.words.join(" ");
}

function print(report: DrillReport, json: boolean, terminal: Terminal): void {
  terminal.out.write(json ? `${JSON.stringify(report, null, 2)}\n` : renderReport(report));
}

/** `holdfast drill list`: 0, 4 no daemon. */
export function drillListCommand({ controlSocket: path, json }: DrillCommandOptions, terminal: Terminal) {
  return withDaemon(terminal, async () => {
    const drills = await new ControlClient({ path, timeoutMs: ANSWER_TIMEOUT_MS }).drills();
    const paint = paintsFor(terminal);
    if (json) terminal.out.write(`${JSON.stringify({ drills }, null, 2)}\n`);
    else if (drills.length === 0)
      terminal.out.write("no drill has been run yet: holdfast drill run INSTANCE --kind handover\n");
    else terminal.out.write(drills.map((drill) => `${summaryLine(drill, paint)}\n`).join(""));
    return EXIT.OK;
  });
}

function summaryLine({ id, kind, result, gapUs, askedBy, reasons }: DrillSummary, paint: WordPaint): string {
  const painted = result === "passed" ? paint.good(result) : paint.bad(result);
  const gap = gapUs === null ? "" : `  gap ${formatDurationUs(Math.round(gapUs / 100) * 100)}`;
  const why = reasons.length === 0 ? "" : `  ${reasons.join("; ")}`;
  return `${id}  ${kind}  ${painted}${gap}  ${paint.dim(`by ${askedBy}`)}${why}`;
}

/** `holdfast drill show`: 0, 1 there is no such report, 4 no daemon. */
export function drillShowCommand(options: DrillCommandOptions & { readonly id: string | null }, terminal: Terminal) {
  return withDaemon(terminal, async () => {
    const client = new ControlClient({ path: options.controlSocket, timeoutMs: ANSWER_TIMEOUT_MS });
    const report = await client.drillReport(options.id ?? "latest");
    if (!report.ok) {
      terminal.err.write(`holdfast: ${report.error.message}. holdfast drill list shows what there is.\n`);
      return EXIT.FAILED;
    }
    print(report.value, options.json, terminal);
    return EXIT.OK;
  });
}

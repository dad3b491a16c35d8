import { formatDurationUs } from "../base/duration.ts";
import type { ScriptCheckConfig } from "../config/model.ts";
import type { ProcessRequest, ProcessRunner } from "../ports/process-runner.ts";
import type { CheckTarget, SignalChecker } from "./checker.ts";
import { fail, type Outcome, pass, quote } from "./outcome.ts";

const MAX_OUTPUT_BYTES = 4096;
/** Between SIGTERM and SIGKILL for a script that has passed its deadline. */
const KILL_GRACE_MS = 500;
const PATH = "/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin";

const MAX_WEIGHT = 65_535;
/** Exit codes from here on mean "up with weight code - 2", as keepalived's misc_dynamic has it. */
const FIRST_WEIGHT_CODE = 2;
const WEIGHT_LINE = /^weight=(.*)$/gm;

/** What a script that judges this node for an instance is told. */
export interface TrackTarget {
  readonly instance: string;
  /** Name of the script among those of the instance. */
  readonly script: string;
}

/** Passes when a program says so by its exit code; it may set the server's weight too. */
export class ScriptChecker implements SignalChecker {
  readonly #check: ScriptCheckConfig;
  readonly #request: ProcessRequest;
  readonly #runner: ProcessRunner;

  constructor(
    options: { readonly check: ScriptCheckConfig; readonly target: CheckTarget | TrackTarget },
    runner: ProcessRunner,
  ) {
    const { check, target } = options;
    this.#check = check;
    this.#runner = runner;
    this.#request = {
      command: check.command,
      // The whole environment: a script's result must not depend on how the daemon was started, and what the daemon
      // was given (credentials, proxies) is not the script's business.
      env: { PATH, ...variables(target) },
      maxOutputBytes: MAX_OUTPUT_BYTES,
      killGraceMs: KILL_GRACE_MS,
    };
  }

  async attempt(signal: AbortSignal): Promise<Outcome> {
    const outcome = await this.#runner.run(this.#request, signal);
    const program = this.#check.command[0];
    switch (outcome.type) {
      case "exited":
        return this.#check.setsWeight
          ? judgeWeighing(program, outcome.code, outcome.stdout)
          : judge(program, outcome.code, outcome.stdout);
      case "signalled":
        return fail("script_signal", `${program} was ended by ${outcome.signal}`);
      case "aborted":
        return fail("timeout", `${program} did not end within ${formatDurationUs(this.#check.timeoutUs)}`);
      case "failed":
        return fail("script_start", `${program} could not be run: ${quote(outcome.message)}`);
    }
  }

  close(): void {}
}

function variables(target: CheckTarget | TrackTarget): Record<string, string> {
  if ("instance" in target) return { HOLDFAST_INSTANCE: target.instance, HOLDFAST_SCRIPT: target.script };
  return {
    HOLDFAST_SERVICE: target.service,
    HOLDFAST_CHECK: target.check,
    HOLDFAST_ADDRESS: target.address,
    HOLDFAST_PORT: String(target.port),
    HOLDFAST_FAMILY: String(target.family),
  };
}

/** Without `weight: true` only exit code 0 is up: a code that a shell or a crash produced must not pass. */
function judge(program: string, code: number, stdout: string): Outcome {
  const sentence = exitSentence(program, code, stdout);
  return code === 0 ? pass(sentence) : fail("script_exit", sentence);
}

function judgeWeighing(program: string, code: number, stdout: string): Outcome {
  const sentence = exitSentence(program, code, stdout);
  if (code !== 0 && code < FIRST_WEIGHT_CODE) return fail("script_exit", sentence);
  const said = [...stdout.matchAll(WEIGHT_LINE)].at(-1)?.[1]?.trim();
  if (said !== undefined) {
    const weight = /^\d{1,5}$/.test(said) ? Number(said) : Number.NaN;
    if (weight <= MAX_WEIGHT) return { passed: true, weight, detail: sentence };
    return fail(
      "script_weight",
      `${program} printed weight=${quote(said)}; expected a whole number, 0 to ${MAX_WEIGHT}`,
    );
  }
  if (code === 0) return pass(sentence);
  return { passed: true, weight: code - FIRST_WEIGHT_CODE, detail: sentence };
}

function exitSentence(program: string, code: number, stdout: string): string {
  const said = quote(stdout);
  return `${program} exited with ${code}${said === "" ? "" : `: ${said}`}`;
}

import { type Command, InvalidArgumentError } from "commander";
import type { ExitCode } from "../../base/exit-codes.ts";
import { asSentence } from "../../base/sentence.ts";
import { parseTarget, type Target } from "../../drill/target.ts";
import { addCommand, type CommandLine, exitCodes, flagsOf } from "./command.ts";
import { durationBetween } from "./duration-option.ts";

export interface ProbeOptions {
  readonly target: Target;
  readonly everyUs: number;
  readonly timeoutUs: number;
  readonly forUs: number;
  readonly isUntilEof: boolean;
}

export interface ProbeHandler {
  probe(options: ProbeOptions): Promise<ExitCode>;
}

export function targetOf(text: string): Target {
  const target = parseTarget(text);
  if (!target.ok) throw new InvalidArgumentError(asSentence(target.error));
  return target.value;
}

export const everyOption = durationBetween(1_000, 10_000_000, "1ms to 10s");
export const timeoutOption = durationBetween(10_000, 60_000_000, "10ms to 1m");
const forOption = durationBetween(100_000, 86_400_000_000, "100ms to 1d");

/** Microseconds, and as the help shows them. */
export const EVERY_DEFAULT_US = 10_000;
export const TIMEOUT_DEFAULT_US = 1_000_000;
const FOR_DEFAULT_US = 600_000_000;

export function addProbe({ program, handlers, finish }: CommandLine<ProbeHandler>): void {
  addCommand(
    program,
    "probe",
    "ask an address at a steady pace and print each answer, one JSON object a line: the outside view of a drill",
    "holdfast probe icmp://192.0.2.10 --for 1m",
    "holdfast probe http://192.0.2.10/healthz --every 20ms",
  )
    .argument("<target>", "icmp://ADDRESS, tcp://ADDRESS:PORT or http://ADDRESS[:PORT]/PATH", targetOf)
    .option("--every <duration>", "pace of the questions, 1ms to 10s (default: 10ms)", everyOption)
    .option("--timeout <duration>", "a question fails after this long (default: 1s)", timeoutOption)
    .option("--for <duration>", "end by itself after this long (default: 10m)", forOption)
    .option("--until-eof", "end when standard input does, for whoever starts it from elsewhere")
    .addHelpText("after", exitCodes("0 every question was answered, 1 some were not, 77 ICMP is not allowed"))
    .action(async (target: Target, _options: unknown, command: Command) => {
      const {
        every: everyUs = EVERY_DEFAULT_US,
        timeout: timeoutUs = TIMEOUT_DEFAULT_US,
        for: forUs = FOR_DEFAULT_US,
      } = command.optsWithGlobals<Partial<Record<"every" | "timeout" | "for", number>>>();
      const { untilEof: isUntilEof } = flagsOf(command, "untilEof");
      finish(await handlers.probe({ target, everyUs, timeoutUs, forUs, isUntilEof }));
    });
}

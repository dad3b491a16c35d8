import { EXIT, type ExitCode } from "../base/exit-codes.ts";
import { orThrow } from "../base/result.ts";
import { formatProbeLine } from "../drill/probe-lines.ts";
import { formatTarget, type Target } from "../drill/target.ts";
import type { Asker } from "../ports/asker.ts";
import { systemClock, TimeoutAlarms, TimerfdAlarms } from "../sys/clock.ts";
import { HttpAsker } from "../sys/http-asker.ts";
import { IcmpAsker } from "../sys/icmp-asker.ts";
import { loadNative } from "../sys/native.ts";
import { openTcpConnector } from "../sys/tcp-connector.ts";
import { Prober } from "./prober.ts";

export interface ProbeCommandOptions {
  readonly target: Target;
  readonly everyUs: number;
  readonly timeoutUs: number;
  readonly forUs: number;
  /** End when standard input does: whoever started it is gone, or wants no more. */
  readonly isUntilEof: boolean;
}

/** `holdfast probe`: asks until it is told to stop. Returns 0 when every question was answered, 1 otherwise. */
export function runProbe(options: ProbeCommandOptions): Promise<ExitCode> {
  const { target, everyUs, timeoutUs, forUs, isUntilEof } = options;
  const native = loadNative();
  const asker = askerFor(target);
  return new Promise((resolve) => {
    const prober = new Prober(
      { target: formatTarget(target), everyUs, timeoutUs, forUs },
      {
        clock: systemClock,
        alarms: native.ok ? new TimerfdAlarms(native.value) : new TimeoutAlarms(),
        asker,
        write: (line) => void process.stdout.write(formatProbeLine(line)),
        ended: (failed) => {
          if (isUntilEof) process.stdin.destroy();
          resolve(failed === 0 ? EXIT.OK : EXIT.FAILED);
        },
      },
    );
    for (const signal of ["SIGINT", "SIGTERM", "SIGHUP"] as const) process.once(signal, () => prober.end());
    if (!isUntilEof) return;
    process.stdin.on("end", () => prober.end());
    process.stdin.on("error", () => prober.end());
    process.stdin.resume();
  });
}

function askerFor(target: Target): Asker {
  if (target.type === "icmp") return orThrow(IcmpAsker.open(target.address));
  if (target.type === "http") return new HttpAsker(target.endpoint, target.path);
  const connector = openTcpConnector();
  return {
    ask: (_id, done) => {
      const attempt = connector.connect(target.endpoint, (outcome) =>
        done(outcome.type === "connected" ? null : outcome.errno),
      );
      return { forget: () => attempt.cancel() };
    },
    close: () => undefined,
  };
}

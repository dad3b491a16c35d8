import type { Writable } from "node:stream";
import winston from "winston";
import type { LogEntry, Logger, LogLevel } from "../ports/logger.ts";
import { Backlog } from "./backlog.ts";

/** Syslog priorities; journald reads them from the `<N>` in front of a line. */
const SYSLOG: Readonly<Record<LogLevel, number>> = { error: 3, warning: 4, notice: 5, info: 6, debug: 7 };

export interface WinstonLoggerOptions {
  readonly level: LogLevel;
  readonly format: "text" | "json";
  /** Name of this node, in every JSON line. */
  readonly node: string;
  /** Put `<N>` in front of lines: when journald reads them, which takes it off again. */
  readonly syslogPrefix: boolean;
}

/** One line, whatever the message holds: a log line that breaks in two can be forged by whoever chose its text. */
function oneLine(text: string): string {
  return text.replace(/[\u0000-\u001f\u007f-\u009f]+/g, " ");
}

/**
 * Lines to stdout for journald. The supervisor owns it; children relay theirs. A reader that is slow, hangs or goes away costs
 * lines, never memory without bound and never the daemon.
 */
export class WinstonLogger implements Logger {
  readonly #winston: winston.Logger;
  readonly #backlog: Backlog;
  #options: WinstonLoggerOptions;

  constructor(options: WinstonLoggerOptions, stream: Writable = process.stdout) {
    this.#options = options;
    this.#backlog = new Backlog(stream, (dropped) => this.#tellDropped(dropped));
    // A closed pipe is no reason to end.
    stream.on("error", () => undefined);
    this.#winston = winston.createLogger({
      levels: SYSLOG,
      level: options.level,
      transports: [new winston.transports.Stream({ stream })],
      format: winston.format.printf((info) => String(info.message)),
    });
  }

  reconfigure(options: WinstonLoggerOptions): void {
    this.#options = options;
    this.#winston.level = options.level;
  }

  log(entry: LogEntry): void {
    if (!this.#winston.isLevelEnabled(entry.level)) return;
    if (!this.#backlog.admits(entry.event !== undefined)) return;
    this.#winston.log({ level: entry.level, message: this.#line(entry) });
  }

  #tellDropped(dropped: number): void {
    const lines = dropped === 1 ? "1 log line was" : `${dropped} log lines were`;
    this.log({
      level: "warning",
      source: "supervisor",
      message: `${lines} dropped before this one because nobody read them in time; \`holdfast events\` has the changes of state`,
      facts: { dropped },
    });
  }

  #line(entry: LogEntry): string {
    const { format, node, syslogPrefix } = this.#options;
    const { level, source, message, facts, event } = entry;
    const priority = syslogPrefix ? `<${SYSLOG[level]}>` : "";
    const time = new Date().toISOString();
    if (format === "json") {
      // Fields without a value are left out.
      const line = { time, level, node, source, message, facts, event };
      return `${priority}${JSON.stringify(line)}`;
    }
    return `${priority === "" ? `${time} ${level.padEnd(7)} ` : priority}${source}: ${oneLine(message)}`;
  }
}

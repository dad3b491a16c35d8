import winston from "winston";
import type { LogEntry, Logger, LogLevel } from "../ports/logger.ts";

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

/** Lines to stdout for journald. The supervisor owns it; children relay theirs. */
export class WinstonLogger implements Logger {
  readonly #winston: winston.Logger;
  #options: WinstonLoggerOptions;

  constructor(options: WinstonLoggerOptions, stream: NodeJS.WritableStream = process.stdout) {
    this.#options = options;
    // A reader that goes away (a closed pipe, journald restarting) costs log lines, never the daemon.
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
    this.#winston.log({ level: entry.level, message: this.#line(entry) });
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

// Program: logs to its standard output as the supervisor does. Each number that its parent sends it is so many lines of a
// thousand characters; it answers with what waits for its reader then, in characters. A program that is named as its argument is
// its child, as the supervisor has some.
import { StartedChild } from "../../src/ipc/started-child.ts";
import { WinstonLogger } from "../../src/log/winston-logger.ts";

const logger = new WinstonLogger({ level: "info", format: "text", node: "lb1", syslogPrefix: true });

const [program] = process.argv.slice(2);
if (program !== undefined) new StartedChild(program, []);

process.on("message", (count: number) => {
  for (let index = 0; index < count; index += 1)
    logger.log({ level: "info", source: "test", message: "x".repeat(1_000) });
  // An error of the stream comes a turn later.
  setImmediate(() => process.send?.(process.stdout.writableLength));
});

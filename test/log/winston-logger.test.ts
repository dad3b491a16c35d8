import assert from "node:assert/strict";
import { PassThrough, Writable } from "node:stream";
import { WinstonLogger, type WinstonLoggerOptions } from "../../src/log/winston-logger.ts";

const options: WinstonLoggerOptions = { level: "info", format: "text", node: "lb1", syslogPrefix: true };

function capture(change: Partial<WinstonLoggerOptions>) {
  const stream = new PassThrough();
  return { logger: new WinstonLogger({ ...options, ...change }, stream), text: () => String(stream.read() ?? "") };
}

describe("log: winston", () => {
  it("puts the syslog priority first for journald", () => {
    const { logger, text } = capture({});
    logger.log({ level: "warning", source: "vrrp", message: "instance web4: backup -> master" });
    assert.equal(text(), "<4>vrrp: instance web4: backup -> master\n");
  });

  it("never lets a message start a line of its own or reach the terminal", () => {
    const { logger, text } = capture({});
    logger.log({ level: "notice", source: "checker", message: 'body was "\r\n<0>kernel: panic\u001b[2J"' });
    const line = text();
    assert.equal(line.indexOf("\n"), line.length - 1);
    assert.ok(!line.includes("\u001b"));
  });

  it("keeps below its level quiet, and follows a reload", () => {
    const { logger, text } = capture({});
    logger.log({ level: "debug", source: "a", message: "hidden" });
    assert.equal(text(), "");
    logger.reconfigure({ ...options, level: "debug" });
    logger.log({ level: "debug", source: "a", message: "seen" });
    assert.equal(text(), "<7>a: seen\n");
  });

  it("survives a reader that goes away", async () => {
    const stream = new Writable({
      write: (_chunk, _encoding, done) => done(Object.assign(new Error("write EPIPE"), { code: "EPIPE" })),
    });
    const logger = new WinstonLogger(options, stream);
    const failed = new Promise((resolve) => stream.once("close", resolve));
    logger.log({ level: "error", source: "a", message: "lost" });
    await failed;
    logger.log({ level: "error", source: "a", message: "lost as well" });
  });

  it("writes JSON with the facts when asked", () => {
    const { logger, text } = capture({ format: "json", syslogPrefix: false });
    logger.log({ level: "error", source: "checker", message: "gone", facts: { server: "10.0.0.11:80" } });
    const { time, ...rest } = JSON.parse(text()) as Record<string, unknown>;
    assert.ok(!Number.isNaN(Date.parse(String(time))));
    assert.deepEqual(rest, {
      level: "error",
      node: "lb1",
      source: "checker",
      message: "gone",
      facts: { server: "10.0.0.11:80" },
    });
    const journal = capture({ format: "json" });
    journal.logger.log({ level: "error", source: "checker", message: "gone" });
    assert.match(journal.text(), /^<3>\{.*\}\n$/, "journald takes the priority off and keeps the JSON");
  });

  it("goes on when its reader went away", async () => {
    const broken = new Writable({ write: (_chunk, _encoding, done) => done(new Error("write EPIPE")) });
    const logger = new WinstonLogger({ level: "info", format: "text", node: "lb1", syslogPrefix: false }, broken);
    for (const message of ["one", "two"]) {
      logger.log({ level: "info", source: "test", message });
      await new Promise((resolve) => setImmediate(resolve));
    }
  });
});

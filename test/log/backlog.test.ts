import assert from "node:assert/strict";
import { type ChildProcess, execFileSync, fork } from "node:child_process";
import { once } from "node:events";
import { closeSync, constants, mkdtempSync, openSync, rmSync } from "node:fs";
import { Socket } from "node:net";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { createInterface } from "node:readline";
import { type Readable, Writable } from "node:stream";
import { fileURLToPath } from "node:url";
import { WinstonLogger, type WinstonLoggerOptions } from "../../src/log/winston-logger.ts";
import type { EventFacts } from "../../src/ports/logger.ts";

const MIB = 1024 * 1024;
const TALKER = fileURLToPath(new URL("../support/log-talker.js", import.meta.url));
const CHILD = fileURLToPath(new URL("../../../test/fixtures/children/last-words.mjs", import.meta.url));

const options: WinstonLoggerOptions = { level: "info", format: "text", node: "lb1", syslogPrefix: true };

const event: EventFacts = {
  type: "instance",
  subject: "instance web4",
  from: "backup",
  to: "master",
  cause: "no advert",
};

/** A reader that takes nothing until it is let, as a pipe to a journald that hangs. */
class SlowReader extends Writable {
  readonly lines: string[] = [];
  #reads = false;
  #waiting: (() => void) | null = null;

  override _write(chunk: Buffer, _encoding: string, done: () => void): void {
    const take = (): void => {
      this.lines.push(String(chunk).trimEnd());
      done();
    };
    if (this.#reads) take();
    else this.#waiting = take;
  }

  /** Reads everything that waits, and what comes from now on. */
  async read(): Promise<void> {
    this.#reads = true;
    this.#waiting?.();
    this.#waiting = null;
    while (this.writableLength > 0) await new Promise((resolve) => setImmediate(resolve));
  }

  hang(): void {
    this.#reads = false;
  }
}

const talk = (logger: WinstonLogger, count: number, message = "x".repeat(1_000)): void => {
  for (let index = 0; index < count; index += 1) logger.log({ level: "info", source: "test", message });
};

describe("log: a reader that hangs", () => {
  it("leaves a mebibyte waiting and no more, and is told once how many lines it missed", async () => {
    const reader = new SlowReader();
    const logger = new WinstonLogger(options, reader);
    talk(logger, 5_000);
    assert.ok(reader.writableLength >= MIB && reader.writableLength < MIB + 2_000, `${reader.writableLength}`);
    await reader.read();
    const told = reader.lines.filter((line) => line.includes("dropped"));
    const kept = reader.lines.length - 1;
    assert.deepEqual(told, [
      `<4>supervisor: ${5_000 - kept} log lines were dropped before this one because nobody read them in time; \`holdfast events\` has the changes of state`,
    ]);
    assert.equal(reader.lines.at(-1), told[0], "it comes where they are missing");
    talk(logger, 3);
    assert.equal(reader.lines.length, kept + 4, "and then all is as before");
  });

  it("is told again when it hangs again, and not of lines below the level", async () => {
    const reader = new SlowReader();
    const logger = new WinstonLogger(options, reader);
    for (const round of [1, 2]) {
      reader.hang();
      talk(logger, 2_000);
      for (let index = 0; index < 50; index += 1) logger.log({ level: "debug", source: "test", message: "hidden" });
      await reader.read();
      const told = reader.lines.filter((line) => line.includes("dropped"));
      assert.equal(told.length, round);
      const missing = Number(/(\d+) log lines/.exec(told.at(-1) ?? "")?.[1]);
      assert.equal(reader.lines.length - round + missing * round, 2_000 * round);
    }
  });

  it("has changes of state written beyond that, to a bound of their own", async () => {
    const reader = new SlowReader();
    const logger = new WinstonLogger(options, reader);
    talk(logger, 2_000);
    logger.log({ level: "notice", source: "vrrp", message: "instance web4: backup -> master", event });
    const many = 2_000;
    for (let index = 0; index < many; index += 1)
      logger.log({ level: "notice", source: "checker", message: "y".repeat(1_000), event });
    assert.ok(reader.writableLength >= 2 * MIB && reader.writableLength < 2 * MIB + 2_000, `${reader.writableLength}`);
    await reader.read();
    assert.ok(reader.lines.includes("<5>vrrp: instance web4: backup -> master"));
  });
});

describe("log: standard output is a pipe", () => {
  /** Bounded by the tests; each ends what it started. */
  const started: ChildProcess[] = [];
  const start = (stdout: "pipe" | number, ...args: readonly string[]): ChildProcess => {
    const child = fork(TALKER, [...args], { stdio: ["ignore", stdout, "pipe", "ipc"] });
    started.push(child);
    return child;
  };
  afterEach(() => {
    for (const child of started.splice(0)) child.kill("SIGKILL");
  });

  /** @returns what waits in the process afterwards */
  const talks = async (child: ChildProcess, lines: number): Promise<number> => {
    child.send(lines);
    const [waiting] = (await once(child, "message")) as [number];
    return waiting;
  };

  it("that nobody reads costs a mebibyte; whoever reads on learns what is missing", async () => {
    const child = start("pipe");
    const waiting = await talks(child, 5_000);
    assert.ok(waiting >= MIB && waiting < MIB + 2_000, `${waiting}`);
    assert.ok((await talks(child, 5_000)) <= waiting, "and stays at that");
    const lines = createInterface({ input: child.stdout as Readable });
    let seen = 0;
    for await (const line of lines) {
      const missing = /^<4>supervisor: (\d+) log lines were dropped/.exec(line)?.[1];
      if (missing !== undefined) {
        assert.equal(seen + Number(missing), 10_000);
        break;
      }
      seen += 1;
    }
  });

  it("holds up nobody who has children, whose last words come to the same place", async () => {
    const child = start("pipe", CHILD);
    const [words] = (await once(child.stderr as Readable, "data")) as [Buffer];
    assert.equal(String(words), "these were my last words\n");
    // A pipe that blocks would have this wait for ever.
    assert.ok((await talks(child, 5_000)) >= MIB);
  });

  it("whose reader is gone costs lines and nothing else", async () => {
    const child = start("pipe");
    const closed = once(child.stdout as Readable, "close");
    child.stdout?.destroy();
    await closed;
    for (const count of [1, 100, 5_000, 1]) assert.equal(await talks(child, count), 0);
    assert.equal(child.exitCode, null);
  });

  it("that gets another reader is read on", async () => {
    const folder = mkdtempSync(join(tmpdir(), "holdfast-log-"));
    try {
      const pipe = join(folder, "pipe");
      execFileSync("mkfifo", [pipe]);
      const openReader = (): number => openSync(pipe, constants.O_RDONLY | constants.O_NONBLOCK);
      const first = openReader();
      const writer = openSync(pipe, "w");
      const child = start(writer);
      closeSync(writer);
      assert.ok((await talks(child, 5_000)) >= MIB);
      closeSync(first);
      // What waited for the first one goes with it.
      while ((await talks(child, 0)) > 0);
      const second = createInterface({ input: new Socket({ fd: openReader() }) });
      const told = (async () => {
        let seen = 0;
        for await (const line of second) {
          if (line.includes("dropped")) return seen;
          seen += 1;
        }
        return Number.NaN;
      })();
      await talks(child, 1);
      const seen = await told;
      assert.ok(seen < 100, `${seen} lines, more than the pipe itself holds`);
    } finally {
      rmSync(folder, { recursive: true });
    }
  });
});

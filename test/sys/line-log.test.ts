import assert from "node:assert/strict";
import { appendFileSync, mkdtempSync, readdirSync, readFileSync, rmSync, statSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { LineLog, readLines } from "../../src/sys/line-log.ts";

const isGood = (line: string): boolean => /^line \d+$/.test(line);
const lines = (from: number, to: number) => Array.from({ length: to - from + 1 }, (_, i) => `line ${from + i}`);

describe("lines on disk", () => {
  let dir: string;
  let log: LineLog;
  const options = () => ({ dir: join(dir, "log"), maxSegmentBytes: 50, maxSegments: 3 });
  const files = () => readdirSync(join(dir, "log")).sort();
  const path = (name: string) => join(dir, "log", name);

  beforeEach(() => {
    dir = mkdtempSync(join(tmpdir(), "holdfast-lines-"));
    log = new LineLog(options());
  });
  afterEach(async () => {
    await log.close();
    rmSync(dir, { recursive: true });
  });

  it("come back in order", async () => {
    assert.deepEqual(log.recover(10, isGood), { lines: [], problems: [] });
    assert.deepEqual(await log.append(lines(1, 2)), { written: 2, error: null });
    assert.deepEqual(await log.append(["line 3"]), { written: 1, error: null });
    assert.equal(readFileSync(path("00000001.jsonl"), "utf8"), "line 1\nline 2\nline 3\n");
    assert.deepEqual(new LineLog(options()).recover(10, isGood), { lines: lines(1, 3), problems: [] });
    assert.deepEqual(readLines(options().dir, 2, isGood).lines, lines(2, 3));
    assert.equal(statSync(path("00000001.jsonl")).mode & 0o777, 0o640);
  });

  it("are bounded: a full segment is followed by another, and the oldest go", async () => {
    assert.equal((await log.append(lines(1, 40))).written, 40);
    assert.deepEqual(files(), ["00000005.jsonl", "00000006.jsonl", "00000007.jsonl"]);
    for (const name of files()) assert.ok(statSync(path(name)).size <= 50);
    assert.deepEqual(readLines(options().dir, 100, isGood).lines, lines(26, 40));
    assert.deepEqual(readLines(options().dir, 3, isGood).lines, lines(38, 40));
    await log.append([`${"x".repeat(200)}`]);
    assert.equal(files().length, 3, "one line that is longer than a segment has one of its own");
  });

  it("go on in the last segment after a restart", async () => {
    await log.append(lines(1, 2));
    await log.close();
    log = new LineLog(options());
    await log.append(["line 3"]);
    assert.deepEqual(files(), ["00000001.jsonl"]);
    assert.deepEqual(readLines(options().dir, 9, isGood).lines, lines(1, 3));
  });

  it("a part of a line that a crash left is cut off, and said", async () => {
    for (const torn of ["lin", "line 3\nli", "\u0000\u0000\u0000\u0000", "junk\nmore junk\n"]) {
      rmSync(join(dir, "log"), { recursive: true, force: true });
      await log.append(lines(1, 2));
      await log.close();
      appendFileSync(path("00000001.jsonl"), torn);
      const { lines: found, problems } = log.recover(9, isGood);
      const whole = torn.startsWith("line 3") ? lines(1, 3) : lines(1, 2);
      assert.deepEqual(found, whole);
      assert.match(problems.join(), /00000001\.jsonl: the last \d+ bytes were written in part and are cut off/);
      await log.append(["line 4"]);
      assert.deepEqual(log.recover(9, isGood), { lines: [...whole, "line 4"], problems: [] });
      await log.close();
    }
  });

  it("damage in the middle costs the damaged lines, and reading alone changes nothing", async () => {
    await log.append(lines(1, 3));
    const damaged = readFileSync(path("00000001.jsonl"), "utf8").replace("line 2", "l\u0000ne 2");
    writeFileSync(path("00000001.jsonl"), `${damaged}line`);
    const { lines: found, problems } = readLines(options().dir, 9, isGood);
    assert.deepEqual(found, ["line 1", "line 3"]);
    assert.match(problems.join(), /1 damaged lines are left out/);
    assert.equal(readFileSync(path("00000001.jsonl"), "utf8"), `${damaged}line`);
  });

  it("a file that is nothing but damage becomes empty and is used again", async () => {
    await log.append(["line 1"]);
    await log.close();
    writeFileSync(path("00000001.jsonl"), "\u0000".repeat(4096));
    assert.deepEqual(log.recover(9, isGood).lines, []);
    await log.append(["line 2"]);
    assert.deepEqual(log.recover(9, isGood), { lines: ["line 2"], problems: [] });
  });

  it("what cannot be written is said, and works when it can", async () => {
    writeFileSync(join(dir, "log"), "a file in the place of the folder");
    const { written, error } = await log.append(["line 1"]);
    assert.equal(written, 0);
    assert.equal(error?.code, "FILE_UNWRITABLE");
    assert.throws(() => log.recover(9, isGood), /ENOTDIR/);
    rmSync(join(dir, "log"));
    assert.deepEqual(await log.append(["line 1"]), { written: 1, error: null });
  });
});

import assert from "node:assert/strict";
import { spawn, spawnSync } from "node:child_process";
import { once } from "node:events";
import { closeSync, openSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { createInterface } from "node:readline";
import { fileURLToPath } from "node:url";
import { run } from "../test/lab/support/commands.ts";
import type { Figures } from "./figures.ts";
import { planTable, toIpvsadm } from "./plan.ts";
import { serversInTable } from "./process-facts.ts";

const TABLE_PROCESS = fileURLToPath(new URL("table-process.js", import.meta.url));

function clear(): void {
  run(["ipvsadm", "-C"]);
}

/** Wall time of `ipvsadm -R` with a file on standard input, from its start to its end. */
function timeIpvsadm(file: string, expected: number): number {
  const input = openSync(file, "r");
  const started = performance.now();
  const result = spawnSync("ipvsadm", ["-R"], { stdio: [input, "inherit", "inherit"] });
  const tookMs = performance.now() - started;
  closeSync(input);
  assert.equal(result.status, 0, "ipvsadm -R");
  assert.equal(serversInTable("self"), expected);
  return tookMs;
}

interface Answer {
  readonly tookMs: number;
  /** Until the last operation had been answered; null if there was none. */
  readonly completeMs: number | null;
  readonly isAsWanted: boolean;
  readonly changes: number;
}

/** A fresh process with holdfast's own code, which loads when told. */
class TableProcess {
  readonly #child;
  readonly #lines: AsyncIterator<string>;

  constructor(services: number, serversEach: number) {
    const args = [TABLE_PROCESS, String(services), String(serversEach)];
    this.#child = spawn(process.execPath, args, { stdio: ["pipe", "pipe", "inherit"] });
    this.#lines = createInterface({ input: this.#child.stdout })[Symbol.asyncIterator]();
  }

  async #line(): Promise<string> {
    const { value, done } = await this.#lines.next();
    assert.ok(done !== true, "the table process ended early");
    return value;
  }

  async ready(): Promise<void> {
    assert.equal(await this.#line(), "ready");
  }

  async reconcile(): Promise<Answer> {
    this.#child.stdin.write("reconcile\n");
    const answer = JSON.parse(await this.#line()) as Answer;
    assert.ok(answer.isAsWanted, "the table is as wanted after reconcile");
    return answer;
  }

  async end(): Promise<void> {
    const ended = once(this.#child, "exit");
    this.#child.stdin.end("end\n");
    await ended;
  }
}

const COMPLETE = "new process: table complete";
const READ_BACK = "… and read back";
const COMPLETE_AGAIN = "same process again: table complete";
const READ_BACK_AGAIN = "… and read back, again";

/** Ten thousand servers into an empty table, and the same table looked over again. */
export async function benchTableLoad(figures: Figures, dir: string, rounds: number): Promise<void> {
  for (const [services, serversEach] of [
    [10, 1000],
    [1, 10_000],
  ] as const) {
    const part = `table, ${services} × ${serversEach}`;
    const expected = services * serversEach;
    const file = join(dir, `table-${services}`);
    writeFileSync(file, toIpvsadm(planTable(services, serversEach)));
    const add = (measure: string, program: string, value: number): void =>
      figures.add(part, measure, "ms", program, value);
    for (let round = 0; round < rounds; round += 1) {
      clear();
      const theirs = timeIpvsadm(file, expected);
      for (const measure of [COMPLETE, READ_BACK, COMPLETE_AGAIN, READ_BACK_AGAIN]) add(measure, "ipvsadm -R", theirs);
      clear();
      const started = performance.now();
      const loader = new TableProcess(services, serversEach);
      await loader.ready();
      const first = await loader.reconcile();
      const wholeMs = performance.now() - started;
      assert.equal(serversInTable("self"), expected);
      add(COMPLETE, "holdfast", first.completeMs ?? Number.NaN);
      add(READ_BACK, "holdfast", first.tookMs);
      add("… with the start of Node", "holdfast", wholeMs);
      clear();
      const second = await loader.reconcile();
      assert.equal(serversInTable("self"), expected);
      add(COMPLETE_AGAIN, "holdfast", second.completeMs ?? Number.NaN);
      add(READ_BACK_AGAIN, "holdfast", second.tookMs);
      const none = await loader.reconcile();
      assert.equal(none.changes, 0);
      add("a pass over the loaded table, nothing to do", "holdfast", none.tookMs);
      await loader.end();
    }
    clear();
  }
}

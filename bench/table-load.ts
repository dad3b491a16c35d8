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
    for (let round = 0; round < rounds; round += 1) {
      clear();
      figures.add(part, "first load by a process", "ms", "ipvsadm -R", timeIpvsadm(file, expected));
      clear();
      const started = performance.now();
      const loader = new TableProcess(services, serversEach);
      await loader.ready();
      const first = await loader.reconcile();
      const wholeMs = performance.now() - started;
      assert.equal(serversInTable("self"), expected);
      figures.add(part, "first load by a process", "ms", "holdfast", first.tookMs);
      figures.add(part, "the same with the start of Node", "ms", "holdfast", wholeMs);
      figures.add(part, "nothing to do, first time", "ms", "holdfast", (await loader.reconcile()).tookMs);
      clear();
      figures.add(part, "second load by that process", "ms", "holdfast", (await loader.reconcile()).tookMs);
      assert.equal(serversInTable("self"), expected);
      const none = await loader.reconcile();
      assert.equal(none.changes, 0);
      figures.add(part, "nothing to do, again", "ms", "holdfast", none.tookMs);
      await loader.end();
    }
    clear();
  }
}

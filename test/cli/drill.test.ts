import assert from "node:assert/strict";
import { BroughtProber } from "../../src/cli/drill-lines.ts";
import { type Handlers, runProgram } from "../../src/cli/program.ts";
import type { BroughtProbe } from "../../src/control/drill-api.ts";
import { waitUntil } from "../support/wait-until.ts";

async function holdfast(...argv: readonly string[]) {
  const calls: unknown[] = [];
  const said: string[] = [];
  const record = async (call: unknown) => {
    calls.push(call);
    return 0 as const;
  };
  const output = { write: (text: string) => void said.push(text), isTerminal: false };
  const handlers = { drillRun: record, drillList: record, drillShow: record, probe: record, scheduleList: record };
  const exitCode = await runProgram(argv, "0", handlers as unknown as Handlers, { out: output, err: output, env: {} });
  return { exitCode, calls, said: said.join("") };
}

describe("holdfast drill, on the command line", () => {
  it("hands over what is wanted, and nothing that is not said", async () => {
    const plain = await holdfast("drill", "run", "web4", "--kind", "handover");
    const where = { runDir: "/run/holdfast", stateDir: "/var/lib/holdfast", debug: false };
    assert.deepEqual(plain.calls, [
      { ...where, instance: "web4", request: { kind: "handover" }, from: null, json: false },
    ]);
    const words =
      "--target http://192.0.2.10/x --every 20ms --timeout 500ms --max-gap 4s --max-failed 3 --max-steady 5s";
    const full = await holdfast(
      ..."drill run web4 --kind takeover --max-return-gap 1s --no-return --json --run-dir /r".split(" "),
      ...words.split(" "),
      "--probe-command",
      " kubectl exec  client -- holdfast probe",
    );
    assert.deepEqual(full.calls, [
      {
        ...where,
        runDir: "/r",
        instance: "web4",
        request: {
          kind: "takeover",
          target: "http://192.0.2.10/x",
          everyUs: 20_000,
          timeoutUs: 500_000,
          maxGapUs: 4_000_000,
          maxFailed: 3,
          maxSteadyUs: 5_000_000,
          maxReturnGapUs: 1_000_000,
          returns: false,
        },
        from: { type: "command", words: ["kubectl", "exec", "client", "--", "holdfast", "probe"] },
        json: true,
      },
    ]);
    const far = await holdfast("drill", "run", "web4", "--kind", "handover", "--probe-from", "root@client1");
    assert.deepEqual((far.calls[0] as { from: unknown }).from, { type: "ssh", host: "root@client1" });
    assert.deepEqual((await holdfast("drill", "show", "x", "--json")).calls, [{ ...where, id: "x", json: true }]);
    assert.deepEqual((await holdfast("drill", "show")).calls, [{ ...where, id: null, json: false }]);
    assert.deepEqual((await holdfast("schedule", "list")).calls, [{ ...where, json: false }]);
  });

  it("refuses what makes no sense with a sentence", async () => {
    const run = ["drill", "run", "web4"];
    const rows: readonly (readonly [readonly string[], RegExp])[] = [
      [run, /required option '--kind <kind>' not specified/],
      [[...run, "--kind", "reboot"], /Allowed choices are handover, takeover/],
      [[...run, "--kind", "handover", "--probe-from=-oProxyCommand=reboot"], /It is a host or USER@HOST/],
      [[...run, "--kind", "handover", "--probe-from", "a b"], /It is a host or USER@HOST/],
      [[...run, "--kind", "handover", "--probe-command", " "], /It names no program/],
      [[...run, "--kind", "handover", "--probe-command", "x", "--probe-from", "y"], /cannot be used with option/],
      [[...run, "--kind", "handover", "--max-gap", "5"], /a duration needs a unit/],
      [[...run, "--kind", "handover", "--max-failed", "-1"], /argument missing|It must be 0 to 1000000/],
      [[...run, "--kind", "handover", "--every", "1us"], /It must be 1ms to 10s/],
      [[...run, "--kind", "handover", "--target", "http://www.example.org/"], /expected/],
      [["drill"], /Usage: holdfast drill|Practise a failover/],
    ];
    for (const [argv, sentence] of rows) {
      const { exitCode, calls, said } = await holdfast(...argv);
      assert.equal(exitCode, 64, argv.join(" "));
      assert.deepEqual(calls, []);
      assert.match(said, sentence);
    }
  });
});

describe("lines of a prober, brought to the daemon", () => {
  interface Scene {
    readonly brought: BroughtProbe[];
    say(line: string): void;
    quit(reason: string): void;
    readonly done: string[];
    readonly prober: BroughtProber;
  }

  /** @param answer what the daemon says to the n-th request */
  function start(answer: (count: number) => boolean | null): Scene {
    const brought: BroughtProbe[] = [];
    const done: string[] = [];
    let events: { onLine(line: string): void; onEnd(reason: string): void } | undefined;
    let count = 0;
    const prober = new BroughtProber(["prober"], {
      startLines: (_command, handlers) => {
        events = handlers;
        return { end: () => void done.push("end"), kill: () => void done.push("kill") };
      },
      bring: async (lines) => {
        const wantsMore = answer(count);
        count += 1;
        if (wantsMore === null) return { ok: false, error: { code: "CONTROL_REFUSED", message: "no drill" } };
        brought.push(lines);
        return { ok: true, value: { wantsMore } };
      },
    });
    return { brought, done, prober, say: (line) => events?.onLine(line), quit: (reason) => events?.onEnd(reason) };
  }

  it("are kept until a drill takes them, and come in their order, each once", async () => {
    const scene = start((count) => (count < 3 ? null : true));
    for (const line of ["a", "b", "c"]) scene.say(line);
    await waitUntil(() => scene.brought.length > 0);
    scene.say("d");
    scene.quit("it ended");
    await waitUntil(() => scene.brought.some(({ ended }) => ended !== undefined));
    scene.prober.close();
    assert.deepEqual(
      scene.brought.flatMap(({ lines }) => lines),
      ["a", "b", "c", "d"],
    );
    assert.deepEqual(
      scene.brought.map(({ ended }) => ended).filter((ended) => ended !== undefined),
      ["it ended"],
    );
  });

  it("end when the drill wants no more", async () => {
    const scene = start(() => false);
    scene.say("a");
    await waitUntil(() => scene.done.includes("end"));
    scene.prober.close();
    assert.deepEqual(scene.done.at(-1), "kill");
  });

  it("Ctrl-C ends the prober, not the command", async () => {
    const scene = start(() => true);
    process.emit("SIGINT");
    assert.deepEqual(scene.done, ["kill"]);
    scene.prober.close();
  });
});

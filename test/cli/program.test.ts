import assert from "node:assert/strict";
import { mkdtempSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import type { Command } from "commander";
import { DirectorError } from "../../src/base/director-error.ts";
import { EXIT, type ExitCode } from "../../src/base/exit-codes.ts";
import { check } from "../../src/cli/check.ts";
import { DEFAULT_FILE, DEFAULT_RUN_DIR } from "../../src/cli/commands/command.ts";
import type { EventsOptions } from "../../src/cli/commands/events.ts";
import type { SchemaOptions } from "../../src/cli/commands/schema.ts";
import type { StatusOptions } from "../../src/cli/commands/status.ts";
import { describeProgram, type Handlers, runProgram } from "../../src/cli/program.ts";
import { nodeFiles } from "../../src/sys/node-files.ts";
import { load } from "../config/support.ts";

interface Outcome {
  readonly exitCode: ExitCode;
  readonly out: string;
  readonly err: string;
  readonly calls: readonly unknown[];
}

async function holdfast(
  argv: readonly string[],
  options: {
    readonly isTerminal?: boolean;
    readonly env?: Record<string, string>;
    readonly run?: Handlers["run"];
  } = {},
): Promise<Outcome> {
  const printed = { out: "", err: "" };
  const calls: unknown[] = [];
  const output = (name: "out" | "err") => ({
    write: (text: string) => {
      printed[name] += text;
    },
    isTerminal: options.isTerminal === true,
  });
  const record = async (call: unknown): Promise<ExitCode> => {
    calls.push(call);
    return EXIT.OK;
  };
  const terminal = { out: output("out"), err: output("err"), env: options.env ?? {} };
  const exitCode = await runProgram(
    argv,
    "1.2.3",
    {
      check: async (wanted) => check({ ...wanted, nodeName: "lb1" }, terminal, nodeFiles),
      run: options.run ?? record,
      plan: record,
      confirm: record,
      reload: record,
      events: record,
      schema: record,
      handover: record,
      realserver: record,
      override: record,
      probe: record,
      scheduleList: record,
      drillRun: record,
      drillList: record,
      drillShow: record,
      import: record,
      doctor: record,
      completion: record,
      status: async (call) => {
        calls.push(call);
        return EXIT.DEGRADED;
      },
    },
    terminal,
  );
  return { exitCode, ...printed, calls };
}

/** The words of ours in a command line, as a shell reads them. */
function wordsOf(example: string): readonly string[] {
  const ours = /(?:^|[\s(])(holdfast [^|>&)]*)/.exec(example)?.[1] ?? example;
  const words = ours.matchAll(/"([^"]*)"|'([^']*)'|(\S+)/g);
  return [...words].map(([, double, single, bare]) => double ?? single ?? bare ?? "");
}

describe("the command line", () => {
  it("hands options to run, reload and status, and returns their exit codes", async () => {
    const run = await holdfast(["run", "a.yaml", "--run-dir", "/r", "--state-dir", "/s", "--debug"]);
    assert.deepEqual(run.calls, [{ file: "a.yaml", runDir: "/r", stateDir: "/s", debug: true }]);
    const status = await holdfast(["--run-dir", "/r", "status", "--json"]);
    assert.equal(status.exitCode, EXIT.DEGRADED);
    assert.deepEqual(status.calls, [
      {
        runDir: "/r",
        stateDir: "/var/lib/holdfast",
        debug: false,
        json: true,
        all: false,
        service: null,
        watchUs: null,
      },
    ]);
    const reload = await holdfast(["reload"]);
    const globals = { runDir: DEFAULT_RUN_DIR, stateDir: "/var/lib/holdfast", debug: false };
    assert.deepEqual(reload.calls, [{ ...globals, confirm: null, json: false }]);
    assert.deepEqual((await holdfast(["plan", "a.yaml", "--json"])).calls, [
      { file: "a.yaml", ...globals, json: true },
    ]);
    const trial = await holdfast(["reload", "--confirm", "5m"]);
    assert.deepEqual(trial.calls, [{ ...globals, confirm: "5m", json: false }]);
    assert.deepEqual((await holdfast(["confirm", "--undo"])).calls, [{ ...globals, undo: true, json: false }]);
    const bad = await holdfast(["reload", "--confirm", "5"]);
    assert.equal(bad.exitCode, EXIT.USAGE);
    assert.match(bad.err, /such as 5m/);
    assert.deepEqual((await holdfast(["plan"])).calls, [{ file: DEFAULT_FILE, ...globals, json: false }]);
    assert.deepEqual((await holdfast(["run"])).calls, [
      { file: DEFAULT_FILE, runDir: DEFAULT_RUN_DIR, stateDir: "/var/lib/holdfast", debug: false },
    ]);
  });

  it("hands to status what is shown and how often", async () => {
    const of = async (...argv: readonly string[]) => {
      const [call] = (await holdfast(["status", ...argv])).calls as [StatusOptions];
      return [call.all, call.service, call.watchUs, call.json];
    };
    assert.deepEqual(await of("--all"), [true, null, null, false]);
    assert.deepEqual(await of("--service", "web", "--watch"), [false, "web", 2_000_000, false]);
    assert.deepEqual(await of("--watch", "500ms", "--json"), [false, null, 500_000, true]);
  });

  it("hands to schema of what", async () => {
    const [plain, status] = [await holdfast(["schema"]), await holdfast(["schema", "status"])];
    assert.deepEqual(
      [plain, status].map(({ calls: [call] }) => (call as SchemaOptions).of),
      ["config", "status"],
    );
  });

  it("hands to events which are wanted", async () => {
    const [plain] = (await holdfast(["events"])).calls as [EventsOptions];
    assert.deepEqual(plain.query, { after: null, limit: 40, types: [], sinceMs: null });
    assert.deepEqual([plain.follow, plain.json], [false, false]);
    const [follow] = (await holdfast(["events", "-f", "-n", "5", "--type", "server,drift", "--json"])).calls as [
      EventsOptions,
    ];
    assert.deepEqual(follow.query, { after: null, limit: 5, types: ["server", "drift"], sinceMs: null });
    assert.deepEqual([follow.follow, follow.json], [true, true]);
    const [ago] = (await holdfast(["events", "--since", "2h"])).calls as [EventsOptions];
    assert.equal(ago.query.limit, 10_000);
    assert.ok(Math.abs(Date.now() - 7_200_000 - (ago.query.sinceMs ?? 0)) < 60_000);
    const [day] = (await holdfast(["events", "--since", "2026-01-31"])).calls as [EventsOptions];
    assert.equal(day.query.sinceMs, new Date(2026, 0, 31).getTime());
  });

  it("hands orders over servers to the daemon's side, with times as the control API takes them", async () => {
    const globals = { runDir: DEFAULT_RUN_DIR, stateDir: "/var/lib/holdfast", debug: false };
    const at = { service: "web", server: "10.0.0.11:80" };
    const words = ["web", "10.0.0.11:80"];
    const rows: readonly (readonly [readonly string[], unknown])[] = [
      [
        ["drain", ...words, "--deadline", "10m", "--until", "2h", "--reason", "new kernel", "--wait"],
        {
          order: { type: "drain", ...at, until: "2h", deadline: "10m", reason: "new kernel" },
          wait: true,
          json: false,
        },
      ],
      [["disable", ...words, "--json"], { order: { type: "disable", ...at }, wait: false, json: true }],
      [["weight", ...words, "0"], { order: { type: "weight", ...at, weight: 0 }, wait: false, json: false }],
      [
        ["enable", "all", "all"],
        { order: { type: "enable", service: "all", server: "all" }, wait: false, json: false },
      ],
    ];
    for (const [argv, wanted] of rows)
      assert.deepEqual((await holdfast(argv)).calls, [{ ...globals, ...(wanted as object) }], argv.join(" "));
    const wrong: readonly (readonly [readonly string[], RegExp])[] = [
      [["drain", "web"], /missing required argument 'server'/],
      [["drain", ...words, "--until", "tomorrow"], /argument 'tomorrow' is invalid\. expected a length of time/],
      [["drain", ...words, "--deadline", "10"], /a duration needs a unit/],
      [["drain", ...words, "--deadline", "0s"], /for no wait at all there is `holdfast disable`/],
      [["weight", ...words, "70000"], /a weight is a whole number from 0 to 65535/],
      [["weight", ...words], /missing required argument 'weight'/],
      [["enable", ...words, "--until", "2h"], /unknown option '--until'/],
    ];
    for (const [argv, sentence] of wrong) {
      const { exitCode, err, calls } = await holdfast(argv);
      assert.equal(exitCode, EXIT.USAGE, argv.join(" "));
      assert.match(err, sentence);
      assert.deepEqual(calls, []);
    }
  });

  it("gives help with examples for every command, each a command line that it takes", async () => {
    const program = describeProgram("1.2.3");
    const pathsBelow = (command: Command, path: readonly string[]): readonly (readonly string[])[] => [
      path,
      ...command.commands.flatMap((below) => pathsBelow(below, [...path, below.name()])),
    ];
    const paths = pathsBelow(program, []);
    assert.ok(paths.length > 25, `${paths.length} commands`);
    for (const path of paths) {
      const { exitCode, out, err } = await holdfast([...path, "--help"]);
      assert.deepEqual([exitCode, err], [EXIT.OK, ""], path.join(" "));
      const examples = /\nExamples?:\n((?: {2}.*\n)+)/.exec(out)?.[1]?.trimEnd().split("\n") ?? [];
      assert.ok(examples.length > 0, `${path.join(" ")} has no example`);
      for (const example of examples) {
        const [name, ...argv] = wordsOf(example);
        assert.deepEqual([name, ...argv.slice(0, path.length)], ["holdfast", ...path], example);
        const taken = await holdfast(argv);
        assert.notEqual(taken.exitCode, EXIT.USAGE, `${example}: ${taken.err}`);
      }
    }
    assert.equal((await holdfast(["--version"])).out, "1.2.3\n");
  });

  it("answers wrong usage with one sentence and 64", async () => {
    const rows: readonly (readonly [readonly string[], RegExp])[] = [
      [["chek"], /^holdfast: unknown command 'chek'\. Did you mean check\?\n$/],
      [["chek", "--help"], /^holdfast: unknown command 'chek'\. Did you mean check\?\n$/],
      [["--run-dir", "/x", "nosuch", "x", "-h"], /^holdfast: unknown command 'nosuch'\. See `holdfast --help`\.\n$/],
      [["drill", "rum", "--help"], /^holdfast: unknown command 'rum'\. Did you mean run\?\n$/],
      [["check", "--strct"], /^holdfast: unknown option '--strct'\. Did you mean --strict\?\n$/],
      [["check", "a", "b"], /^holdfast: too many arguments for 'check'\. .* See `holdfast --help`\.\n$/],
      [
        ["events", "-n", "many"],
        /option '-n, --lines <count>' argument 'many' is invalid\. It is a whole number up to/,
      ],
      [["events", "--since", "7"], /argument '7' is invalid\. Write how long ago, such as 2h, or a time/],
      [["events", "--type", "sever"], /"sever" is no type of event; daemon, process, instance/],
      [["schema", "plan"], /value 'plan' is invalid for argument 'of'\. Allowed choices are config, status, event\./],
      [["status", "--watch", "5"], /argument '5' is invalid\. Write how often, with a unit/],
      [["status", "--watch", "10ms"], /It is from 100ms to 1h\./],
      [["status", "--run-dir"], /^holdfast: option '--run-dir <dir>' argument missing\. See `holdfast --help`\.\n$/],
    ];
    for (const [argv, sentence] of rows) {
      const { exitCode, out, err } = await holdfast(argv);
      assert.equal(exitCode, EXIT.USAGE, argv.join(" "));
      assert.match(err, sentence);
      assert.equal(out, "");
    }
    assert.equal((await holdfast([])).exitCode, EXIT.USAGE);
  });

  it("turns what a command throws into a sentence, and shows a stack only on request", async () => {
    const run = async (): Promise<ExitCode> => {
      throw new DirectorError("DAEMON_RUNNING", "another holdfast answers on /run/x", {}, new Error("EADDRINUSE"));
    };
    const brief = await holdfast(["run"], { run });
    assert.equal(brief.exitCode, EXIT.FAILED);
    assert.equal(
      brief.err,
      "holdfast: another holdfast answers on /run/x. Another holdfast uses this run directory; stop it, or give this one its own --run-dir.\n",
    );
    const long = await holdfast(["run", "--debug"], { run });
    assert.match(long.err, /\n {4}at [\s\S]*caused by: Error: EADDRINUSE/);
  });

  it("calls its own faults by their name", async () => {
    const run = async (): Promise<ExitCode> => {
      throw new TypeError("x is not a function");
    };
    const { exitCode, err } = await holdfast(["run"], { run });
    assert.equal(exitCode, EXIT.OWN_FAULT);
    assert.equal(
      err,
      "holdfast: x is not a function. This is a bug in holdfast; run the command again with --debug to see where.\n",
    );
    const long = await holdfast(["run", "--debug"], { run });
    assert.equal(long.exitCode, EXIT.OWN_FAULT);
    assert.match(
      long.err,
      /^holdfast: .* please report it with what follows\.\nTypeError: x is not a function\n {4}at /,
    );
  });
});

describe("holdfast check", () => {
  let folder = "";
  const file = (name: string, text: string): string => {
    const path = join(folder, name);
    writeFileSync(path, text);
    return path;
  };
  const GOOD = "vrrp: { instances: { a: { interface: eth0, vrid: 1, addresses: [192.0.2.10/24] } } }\n";

  beforeEach(() => {
    folder = mkdtempSync(join(tmpdir(), "holdfast-check-"));
  });
  afterEach(() => rmSync(folder, { recursive: true }));

  it("says on stdout that all is well", async () => {
    const path = file("a.yaml", GOOD);
    assert.deepEqual(await holdfast(["check", path, "--strict"]), {
      exitCode: EXIT.OK,
      out: `${path}: 1 instance, 0 services, 0 servers; no problems\n`,
      err: "",
      calls: [],
    });
  });

  it("exits with 1 for warnings only when asked to", async () => {
    const path = file("a.yaml", `${GOOD}services: { web: { listen: 192.0.2.10:80, servers: [10.0.0.11:80] } }\n`);
    assert.equal((await holdfast(["check", path])).exitCode, EXIT.OK);
    assert.equal((await holdfast(["check", path, "--strict"])).exitCode, EXIT.FAILED);
    assert.equal((await holdfast(["check", file("b.yaml", "x"), "--strict"])).exitCode, EXIT.BAD_CONFIG);
  });

  it("explains on stdout, in YAML that loads", async () => {
    const { out, err } = await holdfast(["check", file("a.yaml", GOOD), "--explain"]);
    assert.match(out, /^ {6}advertise: 1s$/m);
    assert.ok(load(out).ok);
    assert.match(err, /no problems\n$/);
  });

  it("explains no secrets", async () => {
    const path = file(
      "a.yaml",
      `${GOOD}services: { web: { listen: 192.0.2.10:80, servers: [10.0.0.11:80], checks: [{ http: { headers: { Authorization: Basic s3cret, X-Probe: shown } } }] } }`,
    );
    for (const options of [["--explain"], ["--explain", "--json"]]) {
      const { exitCode, out } = await holdfast(["check", path, ...options]);
      assert.equal(exitCode, EXIT.OK);
      assert.ok(out.includes("shown") && !out.includes("s3cret"), out);
    }
  });

  it("prints JSON for programs", async () => {
    const path = file("a.yaml", "nod: lb1\n");
    const { exitCode, out, err } = await holdfast(["check", path, "--json"]);
    const report = JSON.parse(out);
    assert.equal(exitCode, EXIT.BAD_CONFIG);
    assert.equal(err, "");
    assert.equal(report.valid, false);
    assert.deepEqual(report.errors[0].location, { file: path, line: 1, column: 1 });
    const good = JSON.parse((await holdfast(["check", file("b.yaml", GOOD), "--json", "--explain"])).out);
    assert.equal(good.config.instances[0].vrid, 1);
  });

  it("colours for people only", async () => {
    const path = file("a.yaml", "nod: lb1\n");
    const isColoured = async (options: Parameters<typeof holdfast>[1]) =>
      (await holdfast(["check", path], options)).err.includes("\u001b[");
    assert.equal(await isColoured({ isTerminal: true }), true);
    assert.equal(await isColoured({ isTerminal: true, env: { NO_COLOR: "1" } }), false);
    assert.equal(await isColoured({ isTerminal: true, env: { TERM: "dumb" } }), false);
    assert.equal(await isColoured({}), false);
  });

  it("says why a file cannot be read, and is not held up by what is no file", async () => {
    assert.match((await holdfast(["check", join(folder, "none")])).err, /there is no such file/);
    assert.match((await holdfast(["check", folder])).err, /it is a folder/);
    assert.match((await holdfast(["check", "/dev/zero"])).err, /larger than 4 MiB/);
    assert.equal(nodeFiles.stat(join(folder, "none")), null);
  });
});

#!/usr/bin/env node
import { hostname, userInfo } from "node:os";
import { join } from "node:path";
import { fileURLToPath } from "node:url";
import { setFlagsFromString } from "node:v8";
import { DirectorError } from "./base/director-error.ts";
import { EXIT, type ExitCode } from "./base/exit-codes.ts";
import { lastWords } from "./base/last-words.ts";
import type { Handlers } from "./cli/program.ts";
import type { FirstChildren } from "./ipc/started-child.ts";

/**
 * Picks a role and loads only what it needs: the vrrp process must come up without commander, yaml or zod.
 * The roles under `internal` are started by the supervisor, never by people.
 */
const INTERNAL_ROLES: Readonly<Record<string, () => Promise<void>>> = {
  vrrp: async () => (await import("./app/vrrp-process.ts")).runVrrpProcess(),
  checker: async () => (await import("./app/checker-process.ts")).runCheckerProcess(),
};

/** `holdfast internal sweep [FILE] [--run-dir DIR] [--state-dir DIR]`, run by the service manager after a stop. Never fails one. */
async function runSweep(args: readonly string[]): Promise<ExitCode> {
  const [{ sweep }, { nodeFiles }, { parseArgs }, defaults] = await Promise.all([
    import("./app/sweep.ts"),
    import("./sys/node-files.ts"),
    import("node:util"),
    import("./cli/commands/command.ts"),
  ]);
  const { values, positionals } = parseArgs({
    args: [...args],
    strict: false,
    allowPositionals: true,
    options: { "run-dir": { type: "string" }, "state-dir": { type: "string" } },
  });
  const [file = defaults.DEFAULT_FILE] = positionals;
  const { "run-dir": runDir = defaults.DEFAULT_RUN_DIR, "state-dir": stateDir = defaults.DEFAULT_STATE_DIR } = values;
  await sweep(
    {
      file,
      runDir: String(runDir),
      stateDir: String(stateDir),
      nodeName: hostname(),
      program: PROGRAM,
    },
    {
      files: nodeFiles,
      logger: { log: ({ level, source, message }) => void process.stderr.write(`${level} ${source}: ${message}\n`) },
    },
  );
  return EXIT.OK;
}

/** `holdfast internal complete -- WORDS`, asked by the completion scripts: what the last word may become. */
async function runComplete(words: readonly string[]): Promise<ExitCode> {
  const [{ complete, formatCompletion }, { namesFromDaemon }, { describeProgram }, { DEFAULT_RUN_DIR }] =
    await Promise.all([
      import("./cli/completion/complete.ts"),
      import("./cli/completion/daemon-names.ts"),
      import("./cli/program.ts"),
      import("./cli/commands/command.ts"),
    ]);
  const given = words.indexOf("--run-dir") + 1;
  const runDir = (given > 0 && words[given]) || DEFAULT_RUN_DIR;
  const names = namesFromDaemon(controlSocketIn(runDir));
  process.stdout.write(formatCompletion(await complete(describeProgram(""), words, names)));
  return EXIT.OK;
}

const PROGRAM = fileURLToPath(import.meta.url);

/** How long the end of a daemon waits for a log that nobody reads. */
const LOG_DRAIN_MS = 2_000;

/** Those that a daemon begins ahead; null = this is none. */
let firstChildren: FirstChildren | null = null;

async function beginChildren(): Promise<FirstChildren> {
  const { FirstChildren } = await import("./ipc/started-child.ts");
  firstChildren ??= new FirstChildren(PROGRAM);
  return firstChildren;
}

function endChildren(): void {
  firstChildren?.end();
}

async function main(argv: readonly string[]): Promise<ExitCode | null> {
  const [first, role = ""] = argv;
  const internal = first === "internal" && process.send !== undefined ? INTERNAL_ROLES[role] : undefined;
  if (internal !== undefined) {
    await internal();
    return null;
  }
  if (first === "internal" && role === "sweep") return runSweep(argv.slice(2));
  if (first === "internal" && role === "complete") return runComplete(argv.slice(3));
  if (first === "run") {
    // Before anything else is loaded: the first advert waits for them.
    await beginChildren();
    // What a burst of news leaves to the young generation of V8 stays with it: up to 32 MiB. This process is idle most of the time.
    setFlagsFromString("--semi-space-growth-factor=1");
  }
  const [{ runProgram }, { readVersion }, { onSuspend }] = await Promise.all([
    import("./cli/program.ts"),
    import("./cli/version.ts"),
    import("./sys/suspend.ts"),
  ]);
  const stream = (output: NodeJS.WriteStream) => ({
    write: (text: string) => void output.write(text),
    isTerminal: output.isTTY === true,
    size: () => (output.isTTY === true && output.columns > 0 ? { columns: output.columns, rows: output.rows } : null),
    onResize: (listener: () => void) => {
      output.on("resize", listener);
      return () => void output.off("resize", listener);
    },
    onSuspend,
  });
  const terminal = { out: stream(process.stdout), err: stream(process.stderr), env: process.env };
  const handlers: Handlers = {
    run: async (options) => {
      const [{ runDaemon }, { nodeFiles }, firstChildren] = await Promise.all([
        import("./app/daemon.ts"),
        import("./sys/node-files.ts"),
        beginChildren(),
      ]);
      return runDaemon(
        { ...options, nodeName: hostname(), version: readVersion(), program: PROGRAM, env: process.env },
        { files: nodeFiles, complain: terminal.err.write, firstChildren },
      ).catch(tellBug);
    },
    check: async (options) => {
      const [{ check }, { nodeFiles }] = await Promise.all([import("./cli/check.ts"), import("./sys/node-files.ts")]);
      return check({ ...options, nodeName: hostname() }, terminal, nodeFiles);
    },
    plan: async ({ file, runDir, stateDir, json }) => {
      const [{ planCommand }, { planOffline }, { nodeFiles }] = await Promise.all([
        import("./cli/plan.ts"),
        import("./app/offline-plan.ts"),
        import("./sys/node-files.ts"),
      ]);
      return planCommand({ file, controlSocket: controlSocketIn(runDir), json }, terminal, {
        planOffline: (status) => planOffline({ file, stateDir, nodeName: hostname(), status }, nodeFiles),
      });
    },
    reload: async ({ runDir, confirm, json }) => {
      const { reloadCommand } = await import("./cli/daemon-commands.ts");
      return reloadCommand({ controlSocket: controlSocketIn(runDir), confirm, json }, terminal);
    },
    confirm: async ({ runDir, undo, json }) => {
      const { confirmCommand } = await import("./cli/daemon-commands.ts");
      return confirmCommand({ controlSocket: controlSocketIn(runDir), undo, json }, terminal);
    },
    status: async ({ runDir, ...wanted }) => {
      const { statusCommand } = await import("./cli/status.ts");
      const signal = untilInterrupted(wanted.watchUs !== null);
      return statusCommand({ ...wanted, controlSocket: controlSocketIn(runDir) }, terminal, signal);
    },
    schema: async (options) => {
      const { schemaCommand } = await import("./cli/schema.ts");
      return schemaCommand(options, terminal);
    },
    events: async ({ runDir, stateDir, ...wanted }) => {
      const [{ eventsCommand, readStoredEvents }, { readLines }] = await Promise.all([
        import("./cli/events.ts"),
        import("./sys/line-log.ts"),
      ]);
      return eventsCommand({ ...wanted, controlSocket: controlSocketIn(runDir) }, terminal, {
        readStored: () => readStoredEvents(stateDir, readLines),
        signal: untilInterrupted(wanted.follow),
      });
    },
    override: async ({ runDir, order, wait, json }) => {
      const { overrideCommand } = await import("./cli/override-command.ts");
      const by = process.env.SUDO_USER ?? userName();
      return overrideCommand({ controlSocket: controlSocketIn(runDir), order, by, wait, json }, terminal);
    },
    drillRun: async ({ runDir, ...options }) => {
      const [{ drillRunCommand }, { startLineProcess }] = await Promise.all([
        import("./cli/drill-commands.ts"),
        import("./sys/line-process.ts"),
      ]);
      return drillRunCommand({ ...options, controlSocket: controlSocketIn(runDir) }, terminal, startLineProcess);
    },
    drillList: async ({ runDir, json }) => {
      const { drillListCommand } = await import("./cli/drill-commands.ts");
      return drillListCommand({ controlSocket: controlSocketIn(runDir), json }, terminal);
    },
    drillShow: async ({ runDir, id, json }) => {
      const { drillShowCommand } = await import("./cli/drill-commands.ts");
      return drillShowCommand({ controlSocket: controlSocketIn(runDir), id, json }, terminal);
    },
    scheduleList: async ({ runDir, json }) => {
      const { scheduleListCommand } = await import("./cli/schedule-command.ts");
      return scheduleListCommand({ controlSocket: controlSocketIn(runDir), json }, terminal);
    },
    probe: async (options) => {
      const { runProbe } = await import("./app/probe-command.ts");
      return runProbe(options);
    },
    handover: async ({ runDir, instance, json }) => {
      const { handoverCommand } = await import("./cli/daemon-commands.ts");
      return handoverCommand({ controlSocket: controlSocketIn(runDir), instance, json }, terminal);
    },
    realserver: async (options) => {
      const [{ realServerCommand }, { KernelRealServerHost, REAL_SERVER_LOCK }, { withLockFile }, { nodeFiles }] =
        await Promise.all([
          import("./cli/realserver.ts"),
          import("./sys/real-server-host.ts"),
          import("./sys/lock-file.ts"),
          import("./sys/node-files.ts"),
        ]);
      return realServerCommand(options, terminal, {
        host: new KernelRealServerHost(options, {
          warn: (sentence) => terminal.err.write(`holdfast: ${sentence}.\n`),
        }),
        files: nodeFiles,
        nodeName: hostname(),
        isRoot: process.geteuid?.() === 0,
        alone: (use) => (options.dryRun ? use() : withLockFile(join(options.stateDir, REAL_SERVER_LOCK), use)),
      });
    },
    import: async (options) => {
      const [{ importFile }, { nodeFiles }] = await Promise.all([
        import("./cli/import.ts"),
        import("./sys/node-files.ts"),
      ]);
      return importFile({ ...options, nodeName: hostname() }, terminal, nodeFiles);
    },
    doctor: async (options) => {
      const [{ doctorCommand }, { applyFixes, lookAround }, { nodeFiles }, { hmacSha256 }] = await Promise.all([
        import("./cli/doctor.ts"),
        import("./app/doctor.ts"),
        import("./sys/node-files.ts"),
        import("./app/advert-auth.ts"),
      ]);
      return doctorCommand(
        { ...options, nodeName: hostname(), controlSocket: controlSocketIn(options.runDir) },
        terminal,
        {
          files: nodeFiles,
          hmac: hmacSha256,
          look: (wanted) => lookAround(wanted, { hmac: hmacSha256 }),
          fix: applyFixes,
        },
      );
    },
    completion: async ({ shell }) => {
      const { completionScript } = await import("./cli/completion/scripts.ts");
      terminal.out.write(completionScript(shell));
      return EXIT.OK;
    },
  };
  return runProgram(argv, readVersion(), handlers, terminal);
}

/** Ctrl-C ends what would go on for ever in good order, and anything else at once. */
function untilInterrupted(isEndless: boolean): AbortSignal {
  const interrupt = new AbortController();
  if (!isEndless) return interrupt.signal;
  for (const signal of ["SIGINT", "SIGTERM"] as const) process.once(signal, () => interrupt.abort());
  return interrupt.signal;
}

/** Name of whoever runs this; their number where the system knows no name. */
function userName(): string {
  try {
    return userInfo().username;
  } catch {
    return `uid ${process.getuid?.()}`;
  }
}

function controlSocketIn(runDir: string): string {
  return join(runDir, "control.sock");
}

/** Whether this process is of the daemon: the supervisor or one of its children. */
function isDaemon(): boolean {
  return firstChildren !== null || ["run", "internal"].includes(process.argv[2] ?? "");
}

/** A bug ends the daemon with its place in the log; what is expected to go wrong is told by whoever runs the command. */
function tellBug(thrown: unknown): ExitCode {
  if (thrown instanceof DirectorError) throw thrown;
  const { text, exitCode } = lastWords(thrown, true);
  process.stderr.write(text);
  return exitCode;
}

// `holdfast events -f | head` ends with its reader. The daemon goes on without one.
if (process.argv[2] !== "internal")
  process.stdout.on("error", (thrown: NodeJS.ErrnoException) => {
    if (isDaemon()) return;
    if (thrown.code === "EPIPE") process.exit(EXIT.OK);
    process.stderr.write(
      `holdfast: the output cannot be written: ${thrown.message}. Check that the disk is not full.\n`,
    );
    process.exit(EXIT.FAILED);
  });
// Nobody hears the complaint; the exit code says it still.
process.stderr.on("error", () => undefined);

// A fault of our own: last words, then the end; whoever started this process starts it again.
process.on("uncaughtException", (thrown) => {
  const { text, exitCode } = lastWords(thrown, isDaemon() || process.argv.includes("--debug"));
  process.stderr.write(text);
  process.exit(isDaemon() ? EXIT.OWN_FAULT : exitCode);
});

// The exit code is set and not forced, so that everything printed reaches a pipe.
const exitCode = await main(process.argv.slice(2));
endChildren();
if (exitCode !== null) process.exitCode = exitCode;
// A daemon waits no longer than this for the reader of its log: whoever stopped it may want to start it again.
if (firstChildren !== null) setTimeout(() => process.exit(), LOG_DRAIN_MS).unref();

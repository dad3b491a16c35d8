import { existsSync, fstatSync, mkdirSync, statSync } from "node:fs";
import { dirname, join } from "node:path";
import { DirectorError, errnoNameOf, messageOf } from "../base/director-error.ts";
import { EXIT, type ExitCode } from "../base/exit-codes.ts";
import { err, ok, type Result } from "../base/result.ts";
import { type ConfigTexts, isOnDisk, KeptFiles, RecordingFiles } from "../config/config-texts.ts";
import { diffModels } from "../config/diff.ts";
import type { FileAccess } from "../config/file-access.ts";
import { loadConfigFiles } from "../config/load-files.ts";
import { countProblems, renderProblem } from "../config/render.ts";
import { EVENTS_FOLDER } from "../control/events.ts";
import { CONTROL_SOCKET } from "../control/server.ts";
import type { FirstChildren } from "../ipc/started-child.ts";
import { groupIdOf } from "../sys/groups.ts";
import { LineLog } from "../sys/line-log.ts";
import { openServiceManager } from "../sys/sd-notify.ts";
import { describeChanges } from "./describe-changes.ts";
import { OVERRIDES_FILE } from "./override-book.ts";
import type { LoadedConfig } from "./reloader.ts";
import { chooseAtStart } from "./start-config.ts";
import { fileStore } from "./state-store.ts";
import { Supervisor } from "./supervisor.ts";
import { TRIAL_FILE, TrialBook } from "./trial-book.ts";
import { startWatchdog, watchdogTimeUs } from "./watchdog.ts";

/** In the state directory. */
const SCHEDULES_FILE = "schedules.json";

/** Group whose members may use the control socket. */
const CONTROL_GROUP = "holdfast";

/** 8 MiB: about thirty thousand events. */
const EVENT_SEGMENTS = { maxSegmentBytes: 1024 * 1024, maxSegments: 8 } as const;

export interface DaemonOptions {
  readonly file: string;
  readonly runDir: string;
  readonly stateDir: string;
  /** Name of this node where the configuration names none. */
  readonly nodeName: string;
  readonly version: string;
  /** The program that children run. */
  readonly program: string;
  readonly env: Readonly<Record<string, string | undefined>>;
}

export interface DaemonCollaborators {
  readonly files: FileAccess;
  /** Children that were begun ahead; whoever began them ends what is not taken. */
  readonly firstChildren: Pick<FirstChildren, "take">;
  /** Prints problems that end the start. */
  complain(text: string): void;
}

/** `holdfast run`: the daemon in the foreground. Returns the exit code when it was stopped or could not start. */
export async function runDaemon(options: DaemonOptions, collaborators: DaemonCollaborators): Promise<ExitCode> {
  const { files } = collaborators;
  const load = (isReload: boolean) => loadText(options, files, isReload);
  const loadKept = (texts: ConfigTexts) => loadText(options, new KeptFiles(texts, files), false);
  const onDisk = (texts: ConfigTexts) => isOnDisk(texts, files);
  const book = new TrialBook({ store: fileStore(join(options.stateDir, TRIAL_FILE)) });
  const damage = book.load();
  const chosen = chooseAtStart({ book, load: () => load(false), loadKept, isOnDisk: onDisk, wallMs: Date.now });
  if (!chosen.ok) {
    collaborators.complain(chosen.error);
    return EXIT.BAD_CONFIG;
  }
  const { loaded, wentBack } = chosen.value;
  for (const [dir, mode] of [
    [options.runDir, 0o755],
    [options.stateDir, 0o750],
  ] as const) {
    makeFolder(dir, mode);
  }
  const manager = openServiceManager(options.env.NOTIFY_SOCKET);
  const notify = manager.ok ? (...lines: readonly string[]) => void manager.value.notify(...lines) : () => undefined;
  const supervisor = new Supervisor(
    {
      file: options.file,
      runDir: options.runDir,
      controlSocket: join(options.runDir, CONTROL_SOCKET),
      controlGroupId: groupIdOf(CONTROL_GROUP),
      stateDir: options.stateDir,
      program: options.program,
      version: options.version,
      wentBack,
      syslogPrefix: isJournal(options.env.JOURNAL_STREAM),
    },
    damage === null ? loaded : { ...loaded, warnings: [...loaded.warnings, damage] },
    {
      load: () => load(true),
      loadKept,
      isOnDisk: onDisk,
      trialBook: book,
      firstChildren: collaborators.firstChildren,
      diff: (before, after) => describeChanges(diffModels(before, after)),
      notify,
      scheduleStore: fileStore(join(options.stateDir, SCHEDULES_FILE)),
      overrideStore: fileStore(join(options.stateDir, OVERRIDES_FILE)),
      eventStore: new LineLog({ dir: join(options.stateDir, EVENTS_FOLDER), ...EVENT_SEGMENTS }),
    },
  );
  const withinUs = watchdogTimeUs(options.env, process.pid);
  if (withinUs !== undefined) startWatchdog({ withinUs }, { isWell: () => supervisor.isWell(), notify });
  return supervisor.run();
}

/**
 * Whether standard output goes to journald. The variable alone does not say so: whatever a service starts inherits it.
 * @param stream $JOURNAL_STREAM, device and inode of the journal's end
 * @see systemd.exec(5)
 */
function isJournal(stream: string | undefined): boolean {
  if (stream === undefined) return false;
  try {
    const { dev, ino } = fstatSync(1, { bigint: true });
    return stream === `${dev}:${ino}`;
  } catch {
    return false;
  }
}

/** @throws DirectorError FILE_UNWRITABLE */
function makeFolder(dir: string, mode: number): void {
  try {
    if (statSync(dir, { throwIfNoEntry: false })?.isDirectory()) return;
    // Node tries for ever where the folder above is there and cannot have another one, as in /proc.
    mkdirSync(dir, { recursive: !existsSync(dirname(dir)), mode });
  } catch (thrown) {
    const facts = { dir, errno: errnoNameOf(thrown) };
    throw new DirectorError("FILE_UNWRITABLE", `cannot make the folder ${dir}: ${messageOf(thrown)}`, facts, thrown);
  }
}

/**
 * Reads and validates the file. Problems with the files that checks name refuse a reload, while a start reports them and
 * serves: those checks fail and say so, which is better than a director that does not come up at night.
 */
function loadText(options: DaemonOptions, access: FileAccess, isReload: boolean): Result<LoadedConfig, string> {
  const { file, nodeName, env } = options;
  const files = new RecordingFiles(access);
  const loaded = loadConfigFiles(file, { nodeName, credentialsDir: env.CREDENTIALS_DIRECTORY ?? null }, files);
  const problems = loaded.ok ? loaded.value.fileProblems : loaded.error;
  const isRefused = !loaded.ok || (isReload && problems.some(({ severity }) => severity === "error"));
  if (isRefused) {
    const text = problems.map((problem) => `${renderProblem(problem)}\n\n`).join("");
    return err(`${text}${file}: ${countProblems(problems)}\n`);
  }
  const warnings = [...loaded.value.warnings, ...problems].map(
    ({ location, message }) => `${location.file}:${location.line}:${location.column}: ${message}`,
  );
  const texts = files.textsOf(loaded.value.files);
  const { config, keys, headerSecrets } = loaded.value;
  return ok({ config, keys, headerSecrets, warnings, texts });
}

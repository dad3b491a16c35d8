import type * as z from "zod";
import { err, ok, type Result } from "../base/result.ts";
import { buildInstance, buildNode, buildSchedule, buildService } from "./build-model.ts";
import type { DirectorConfig, GroupConfig, ScheduleConfig } from "./model.ts";
import { ParsedFile } from "./parsed-file.ts";
import { Placed } from "./placed.ts";
import { type ConfigProblem, type Finding, type KeyPath, type Location, quoteKey, type SourceFile } from "./problem.ts";
import {
  groupSchema,
  includedSkeletonSchema,
  NAME_ACCEPTS,
  NAME_PATTERN,
  type RawRoot,
  skeletonSchema,
} from "./schema/root.ts";
import { scheduleSchema } from "./schema/schedules.ts";
import { serviceSchema } from "./schema/services.ts";
import { instanceSchema } from "./schema/vrrp.ts";
import { schemaProblems } from "./schema-problems.ts";
import { instanceProblems, type PlacedInstance } from "./semantics/instances.ts";
import { metricsProblems } from "./semantics/metrics.ts";
import { referenceProblems } from "./semantics/references.ts";
import { type PlacedService, serviceProblems } from "./semantics/services.ts";

/** Problems that are reported at most; more would hide the first ones. */
export const MAX_PROBLEMS = 100;

export interface ConfigSources {
  readonly main: SourceFile;
  /** Files that the patterns of `patternsOf` matched, in the order in which they count. */
  readonly included: readonly SourceFile[];
  /** Name of the node where the file has none: the host name. */
  readonly nodeName: string;
}

export interface LoadedConfig {
  readonly config: DirectorConfig;
  readonly warnings: readonly ConfigProblem[];
  /** Where the parts of the model were read, for findings about files they name. */
  readonly services: readonly PlacedService[];
  readonly instances: readonly PlacedInstance[];
}

/**
 * Reads a whole configuration.
 * @returns the model with every default filled in, and warnings; or every problem that was found, errors and warnings in
 *   the order of the files. Never throws because of the text.
 */
export function loadConfig(sources: ConfigSources): Result<LoadedConfig, readonly ConfigProblem[]> {
  return loadParsed({ ...sources, main: new ParsedFile(sources.main) });
}

/** The same with a main file that is parsed already. */
export function loadParsed(sources: ParsedSources): Result<LoadedConfig, readonly ConfigProblem[]> {
  return new Loader(sources).load();
}

interface ParsedSources extends Omit<ConfigSources, "main"> {
  readonly main: ParsedFile;
}

/** A pattern under `include:` of the main file. */
export interface IncludePattern {
  readonly pattern: string;
  readonly index: number;
}

/** The include patterns of the main file; empty where there are none or they are malformed, which loadConfig reports. */
export function patternsOf(main: ParsedFile): readonly IncludePattern[] {
  const value = main.plainAt(["include"]);
  if (!Array.isArray(value)) return [];
  return value.flatMap((pattern: unknown, index) =>
    typeof pattern === "string" && pattern !== "" ? [{ pattern, index }] : [],
  );
}

class Loader {
  readonly #sources: ParsedSources;
  readonly #problems: ConfigProblem[] = [];
  readonly #instances: PlacedInstance[] = [];
  readonly #groups: Placed<GroupConfig>[] = [];
  readonly #services: PlacedService[] = [];
  readonly #schedules: Placed<ScheduleConfig>[] = [];
  /** First places of names; bounded by the entries of the files. */
  readonly #names = new Map<string, Location>();
  #areInstancesComplete = true;
  #defaults: RawRoot["defaults"];

  constructor(sources: ParsedSources) {
    this.#sources = sources;
  }

  load(): Result<LoadedConfig, readonly ConfigProblem[]> {
    const { main } = this.#sources;
    const root = this.#readMain(main);
    this.#defaults = root?.raw.defaults;
    this.#readParts(main);
    for (const source of this.#sources.included) this.#readIncluded(new ParsedFile(source));
    const areDefaultsKnown = root?.broken.has("defaults") === false;
    this.#report(instanceProblems(this.#instances));
    this.#report(
      referenceProblems({
        main,
        raw: root?.raw ?? null,
        instances: this.#instances,
        groups: this.#groups,
        services: this.#services,
        schedules: this.#schedules,
        areAllKnown: this.#areInstancesComplete,
      }),
    );
    this.#report(
      serviceProblems(this.#services, {
        instances: this.#instances,
        areInstancesComplete: this.#areInstancesComplete,
        defaultsProblem: areDefaultsKnown ? (key, finding) => defaultsProblem(main, key, finding) : null,
      }),
    );
    this.#report(this.#sameScheduleName());
    this.#report(metricsProblems(main, root?.raw ?? null));
    this.#report(this.#nothingToDo(main));
    const problems = tidy(this.#problems, [main.source.file.path, ...this.#sources.included.map(({ path }) => path)]);
    if (problems.some(({ severity }) => severity === "error")) return err(problems);
    return ok({
      config: {
        ...buildNode(root?.raw ?? null, this.#sources.nodeName),
        instances: this.#instances.map(({ value }) => value),
        groups: this.#groups.map(({ value }) => value),
        services: this.#services.map(({ value }) => value),
        schedules: this.#schedules.map(({ value }) => value),
      },
      warnings: problems,
      services: this.#services,
      instances: this.#instances,
    });
  }

  /** Not `push(...)`: a hostile file may have more problems than a call may have arguments. */
  #report(problems: Iterable<ConfigProblem>): void {
    for (const problem of problems) this.#problems.push(problem);
  }

  #readMain(file: ParsedFile): { readonly raw: RawRoot; readonly broken: ReadonlySet<string> } | null {
    this.#report(file.problems);
    if (file.tree === null) {
      this.#areInstancesComplete = false;
      if (file.problems.length === 0) {
        this.#problems.push(
          file.problem([], {
            code: "empty",
            message: "the file holds no configuration",
            expected: "keys such as `vrrp:` and `services:`",
            hint: "see the annotated example that comes with holdfast, etc/holdfast.yaml",
          }),
        );
      }
      return null;
    }
    const root = this.#readPart(file, [], skeletonSchema);
    if (root === null || root.broken.has("vrrp")) this.#areInstancesComplete = false;
    return root;
  }

  #readIncluded(file: ParsedFile): void {
    this.#report(file.problems);
    // An included file may be empty: nothing to add yet.
    if (file.tree === null) {
      if (file.problems.length > 0) this.#areInstancesComplete = false;
      return;
    }
    const result = parseSafely(includedSkeletonSchema, file.plainAt([]));
    if (result?.success === false) {
      this.#areInstancesComplete = false;
      const belongsToMain = new Set(Object.keys(skeletonSchema.shape));
      for (const problem of schemaProblems(file, [], result.error)) {
        const isMainKey = problem.code === "unknown-key" && belongsToMain.has(problem.keyPath);
        this.#problems.push(
          isMainKey
            ? { ...problem, message: `${quoteKey(problem.keyPath)} belongs in the main file`, hint: "move it there" }
            : problem,
        );
      }
    }
    this.#readParts(file);
  }

  /** Reads every instance, service and schedule by itself, so that a mistake in one does not hide those in others. */
  #readParts(file: ParsedFile): void {
    for (const [name, path] of this.#named(file, ["vrrp", "instances"], "instance")) {
      const part = this.#readPart(file, path, instanceSchema);
      if (part === null || part.broken.has("addresses")) this.#areInstancesComplete = false;
      if (part !== null) this.#instances.push(new Placed({ value: buildInstance(name, part.raw), ...part }));
    }
    for (const [name, path] of this.#named(file, ["vrrp", "groups"], "group")) {
      const part = this.#readPart(file, path, groupSchema);
      if (part !== null) this.#groups.push(new Placed({ value: { name, instances: part.raw }, ...part }));
    }
    const context = { defaults: this.#defaults?.check, folder: file.source.file.folder };
    for (const [name, path] of this.#named(file, ["services"], "service")) {
      const part = this.#readPart(file, path, serviceSchema);
      if (part !== null) this.#services.push(new Placed({ value: buildService(name, part.raw, context), ...part }));
    }
    const schedules = file.plainAt(["schedules"]);
    for (const index of Array.isArray(schedules) ? schedules.keys() : []) {
      const part = this.#readPart(file, ["schedules", index], scheduleSchema);
      if (part !== null) this.#schedules.push(new Placed({ value: buildSchedule(part.raw), ...part }));
    }
  }

  /** Reads one part; a part with mistakes is read again without them, for the rules that do not need what is wrong. */
  #readPart<S extends z.ZodType>(file: ParsedFile, path: KeyPath, schema: S) {
    const plain = file.plainAt(path);
    const result = parseSafely(schema, plain);
    if (result === null) {
      this.#report([
        file.problemAtKey(path, { code: "too-complex", message: "there are too many mistakes here to list" }),
      ]);
      return null;
    }
    if (result.success) return { raw: result.data, file, path, broken: new Set<string>() };
    this.#report(schemaProblems(file, path, result.error));
    for (const issue of result.error.issues) leaveOut(plain, issue);
    const steps = result.error.issues.map(({ path: [first] }) => first);
    const broken = new Set(steps.flatMap((step) => (step === undefined ? [] : [String(step)])));
    const again = parseSafely(schema, plain);
    return again?.success === true ? { raw: again.data, file, path, broken } : null;
  }

  /** The entries of a map of named parts; bad and repeated names are reported, repeated ones left out. */
  #named(file: ParsedFile, at: KeyPath, kind: string): (readonly [string, KeyPath])[] {
    const map = file.plainAt(at);
    if (typeof map !== "object" || map === null || Array.isArray(map)) return [];
    return Object.keys(map).flatMap((name) => {
      const path = [...at, name];
      if (!NAME_PATTERN.test(name)) {
        const message = `${quoteKey(name)} cannot be the name of ${kind === "instance" ? "an" : "a"} ${kind}`;
        this.#problems.push(file.problemAtKey(path, { code: "bad-value", message, expected: NAME_ACCEPTS }));
      }
      const first = this.#names.get(`${kind} ${name}`);
      if (first === undefined) {
        this.#names.set(`${kind} ${name}`, file.problemAtKey(path, { code: "conflict", message: "" }).location);
        return [[name, path] as const];
      }
      const message = `there are two ${kind}s with the name \`${name}\``;
      this.#problems.push(
        file.problemAtKey(path, { code: "conflict", message, hint: "rename one of them" }, [
          { message: "first defined", location: first },
        ]),
      );
      return [];
    });
  }

  #nothingToDo(main: ParsedFile): ConfigProblem[] {
    const parts = this.#names.size + this.#schedules.length;
    if (parts > 0 || this.#problems.length > 0) return [];
    const message = "the configuration has neither instances nor services, so there is nothing to do";
    const hint = "add them under `vrrp:` and `services:`";
    return [main.problem([], { severity: "warning", code: "suspicious", message, hint })];
  }

  #sameScheduleName(): ConfigProblem[] {
    const first = new Map<string, Placed<ScheduleConfig>>();
    return this.#schedules.flatMap((schedule) => {
      const other = first.get(schedule.value.name);
      if (other === undefined) {
        first.set(schedule.value.name, schedule);
        return [];
      }
      const finding = {
        code: "conflict",
        message: `there are two schedules with the name ${JSON.stringify(schedule.value.name)}`,
        hint: "rename one of them",
      } as const;
      return [schedule.problem(["name"], finding, { message: "first defined", location: other.locate("name") })];
    });
  }
}

/**
 * The schema library passes issues on as arguments of a call, of which there is a limit: a few hundred thousand mistakes,
 * which aliases can make of a small file, exceed it.
 * @returns null in that case
 */
function parseSafely<S extends z.ZodType>(schema: S, plain: unknown): z.ZodSafeParseResult<z.output<S>> | null {
  try {
    return schema.safeParse(plain);
  } catch (thrown) {
    if (thrown instanceof RangeError) return null;
    throw thrown;
  }
}

/** Where the main file sets a default of checks. */
function defaultsProblem(main: ParsedFile, key: string, finding: Finding): ConfigProblem | undefined {
  const path = ["defaults", "check", key];
  return main.has(path) ? main.problem(path, finding) : undefined;
}

/**
 * Removes from plain data what an issue is about. List entries cannot go, their positions are places: the whole list
 * becomes empty instead.
 */
function leaveOut(plain: unknown, issue: z.core.$ZodIssue): void {
  const isUnknownKey = issue.code === "unrecognized_keys";
  let parent: unknown = plain;
  for (const step of isUnknownKey ? issue.path : issue.path.slice(0, -1)) {
    parent = typeof parent === "object" && parent !== null ? Reflect.get(parent, step) : undefined;
  }
  if (Array.isArray(parent)) parent.length = 0;
  else if (typeof parent === "object" && parent !== null) {
    for (const name of isUnknownKey ? issue.keys : issue.path.slice(-1)) Reflect.deleteProperty(parent, name);
  }
}

/** In the order of the files, each once, and not more than a person can read. */
export function tidy(problems: readonly ConfigProblem[], files: readonly string[]): readonly ConfigProblem[] {
  const order = new Map(files.map((file, index) => [file, index]));
  const seen = new Set<string>();
  const sorted = problems
    .filter((problem) => {
      // An aliased value is wrong once, however often it is used.
      const { file, line, column } = problem.location;
      const key = `${file}:${line}:${column} ${problem.message}`;
      const isNew = !seen.has(key);
      seen.add(key);
      return isNew;
    })
    .sort(
      (a, b) =>
        (order.get(a.location.file) ?? 0) - (order.get(b.location.file) ?? 0) ||
        a.location.line - b.location.line ||
        a.location.column - b.location.column,
    );
  if (sorted.length <= MAX_PROBLEMS) return sorted;
  const errors = sorted.filter(({ severity }) => severity === "error");
  const kept = (errors.length > 0 ? errors : sorted).slice(0, MAX_PROBLEMS - 1);
  const last = kept.at(-1);
  if (last === undefined) return kept;
  const message = `at least ${sorted.length - kept.length} more problems are not shown`;
  return [
    ...kept,
    { ...last, code: "too-many-problems", message, expected: null, hint: "correct these first", related: [] },
  ];
}

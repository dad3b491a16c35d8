import type { ParsedFile } from "./parsed-file.ts";
import type { ConfigProblem, Finding, KeyPath, Location } from "./problem.ts";

/** A part of the model with the place it was read from. */
export class Placed<Model, Raw = unknown> {
  readonly value: Model;
  /** As the schema left it: what was written, without defaults. */
  readonly raw: Raw;
  readonly file: ParsedFile;
  readonly path: KeyPath;
  /** Keys of the part that hold a mistake, and were left out. */
  readonly broken: ReadonlySet<string>;

  constructor(options: {
    readonly value: Model;
    readonly raw: Raw;
    readonly file: ParsedFile;
    readonly path: KeyPath;
    readonly broken: ReadonlySet<string>;
  }) {
    this.value = options.value;
    this.raw = options.raw;
    this.file = options.file;
    this.path = options.path;
    this.broken = options.broken;
  }

  /** Whether none of these keys holds a mistake: rules ask before they judge what they may not see. */
  isSound(...keys: readonly string[]): boolean {
    return keys.every((key) => !this.broken.has(key));
  }

  locate(...below: KeyPath): Location {
    return this.file.locate([...this.path, ...below]);
  }

  has(...below: KeyPath): boolean {
    return this.file.has([...this.path, ...below]);
  }

  /** A problem at a value below this part; `related` names the other place of a conflict. */
  problem(below: KeyPath, finding: Finding, ...related: ConfigProblem["related"]): ConfigProblem {
    return this.file.problem([...this.path, ...below], finding, related);
  }

  problemAtKey(below: KeyPath, finding: Finding, ...related: ConfigProblem["related"]): ConfigProblem {
    return this.file.problemAtKey([...this.path, ...below], finding, related);
  }
}

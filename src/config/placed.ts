import type { ParsedFile } from "./parsed-file.ts";
import type { ConfigProblem, Finding, KeyPath, Location } from "./problem.ts";

/** A part of the model with the place it was read from. */
export class Placed<Model, Raw = unknown> {
  readonly value: Model;
  /** As the schema left it: what was written, without defaults. */
  readonly raw: Raw;
  readonly file: ParsedFile;
  readonly path: KeyPath;
  /** False where wrong keys were left out: then only rules that join it with other parts apply. */
  readonly isWhole: boolean;

  constructor(options: {
    readonly value: Model;
    readonly raw: Raw;
    readonly file: ParsedFile;
    readonly path: KeyPath;
    readonly isWhole: boolean;
  }) {
    this.value = options.value;
    this.raw = options.raw;
    this.file = options.file;
    this.path = options.path;
    this.isWhole = options.isWhole;
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

import { mkdirSync, readdirSync, rmSync } from "node:fs";
import { join } from "node:path";
import { setImmediate as nextTurn } from "node:timers/promises";
import { messageOf } from "../base/director-error.ts";
import { type DrillReport, type DrillSummary, REPORT_VERSION, summaryOf } from "../drill/report.ts";
import { readJsonFile, writeFileAtomically } from "../sys/atomic-file.ts";

/** Folder of the state directory. */
const FOLDER = "drills";
/** As `idOf` makes them: they sort by time. */
const FILE = /^(\d{8}T\d{6}Z-[A-Za-z0-9._-]{1,63})\.json$/;
export const DRILL_ID = /^\d{8}T\d{6}Z-[A-Za-z0-9._-]{1,63}$/;

/** `20261126T140000Z-web4` */
export function drillIdOf(startedAt: Date, instance: string): string {
  return `${startedAt.toISOString().slice(0, 19).replace(/[-:]/g, "")}Z-${instance}`;
}

/** Reports of drills in the state directory; the oldest go when there are more than are to be kept. */
export class DrillStore {
  readonly #folder: string;
  readonly #complain: (sentence: string) => void;
  /** What lists show, by id, so that no report is read twice for it; bounded by the reports that are kept. */
  readonly #summaries = new Map<string, DrillSummary>();

  constructor(stateDir: string, complain: (sentence: string) => void) {
    this.#folder = join(stateDir, FOLDER);
    this.#complain = complain;
  }

  /** @param keep how many stay, this one included */
  save(report: DrillReport, keep: number): void {
    try {
      mkdirSync(this.#folder, { recursive: true, mode: 0o750 });
      const path = join(this.#folder, `${report.id}.json`);
      const written = writeFileAtomically(path, `${JSON.stringify(report)}\n`, 0o640);
      if (written.ok) this.#summaries.set(report.id, summaryOf(report));
      else this.#complain(`the report of drill ${report.id} is not kept: ${written.error.message}`);
      for (const id of this.#ids().slice(keep)) rmSync(join(this.#folder, `${id}.json`), { force: true });
    } catch (thrown) {
      this.#complain(`the report of drill ${report.id} is not kept: ${messageOf(thrown)}`);
    }
  }

  /** The latest first. Reports hold every question, some of them megabytes: between two that are read others get their turn. */
  async list(): Promise<readonly DrillSummary[]> {
    const ids = this.#ids();
    for (const id of this.#summaries.keys()) if (!ids.includes(id)) this.#summaries.delete(id);
    for (const id of ids) {
      if (this.#summaries.has(id)) continue;
      const report = this.read(id);
      if (report !== null) this.#summaries.set(id, summaryOf(report));
      await nextTurn();
    }
    return ids.flatMap((id) => this.#summaries.get(id) ?? []);
  }

  /** @param id null = the latest */
  read(id: string | null): DrillReport | null {
    const wanted = id ?? this.#ids()[0];
    // An id becomes part of a path.
    if (wanted === undefined || !DRILL_ID.test(wanted)) return null;
    const file = readJsonFile(join(this.#folder, `${wanted}.json`), problemOf);
    if (!file.ok) {
      this.#complain(`the report of drill ${wanted} cannot be read: ${file.error.message}`);
      return null;
    }
    if (file.value.type === "damaged")
      this.#complain(
        `the report of drill ${wanted} is damaged (${file.value.reason}); set aside as ${file.value.movedTo}`,
      );
    return file.value.type === "read" ? (file.value.value as DrillReport) : null;
  }

  /** The latest first. */
  #ids(): readonly string[] {
    try {
      return readdirSync(this.#folder)
        .flatMap((name) => FILE.exec(name)?.[1] ?? [])
        .sort()
        .reverse();
    } catch {
      return [];
    }
  }
}

function problemOf(value: unknown): string | undefined {
  if (typeof value !== "object" || value === null) return "no report";
  const { version, id, reasons, samples, drawings } = value as Partial<Record<keyof DrillReport, unknown>>;
  if (version !== REPORT_VERSION) return `of version ${String(version)}`;
  const isWhole = typeof id === "string" && [reasons, samples, drawings].every(Array.isArray);
  return isWhole ? undefined : "an incomplete report";
}

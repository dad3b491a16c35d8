/** What one measurement came to in every round, for one program. */
export interface Samples {
  readonly part: string;
  readonly measure: string;
  readonly program: string;
  readonly unit: string;
  /** One per round, in order. */
  readonly values: readonly number[];
  /** What the values may come to at most, where something says so. */
  readonly allowed?: number;
}

export function median(values: readonly number[]): number {
  const sorted = [...values].sort((a, b) => a - b);
  const middle = sorted.length >> 1;
  const upper = sorted[middle] ?? Number.NaN;
  return sorted.length % 2 === 1 ? upper : ((sorted[middle - 1] ?? Number.NaN) + upper) / 2;
}

/** @param share 0–1; the value that this share of the values does not exceed */
export function percentile(values: readonly number[], share: number): number {
  const sorted = [...values].sort((a, b) => a - b);
  return sorted[Math.min(sorted.length - 1, Math.ceil(share * sorted.length) - 1)] ?? Number.NaN;
}

/** Collects samples by what they measure; bounded by the measures and rounds of a run. */
export class Figures {
  readonly #samples = new Map<
    string,
    { part: string; measure: string; program: string; unit: string; values: number[] }
  >();

  /** What a measure may come to at most, where something says so; by part and measure. */
  readonly #allowed = new Map<string, number>();

  /** Says what a measure may come to at most, in its own unit. */
  allow(part: string, measure: string, atMost: number): void {
    this.#allowed.set(`${part}|${measure}`, atMost);
  }

  /** Adds the value of one round and says it. */
  add(part: string, measure: string, unit: string, program: string, value: number): void {
    const key = `${part}|${measure}|${program}`;
    const entry = this.#samples.get(key) ?? { part, measure, program, unit, values: [] };
    entry.values.push(value);
    this.#samples.set(key, entry);
    console.log(`bench: ${part}: ${measure}: ${program}: ${number(value)} ${unit}`);
  }

  all(): readonly Samples[] {
    return [...this.#samples].map(([, entry]) => {
      const allowed = this.#allowed.get(`${entry.part}|${entry.measure}`);
      return allowed === undefined ? entry : { ...entry, allowed };
    });
  }
}

function number(value: number): string {
  if (!Number.isFinite(value)) return "–";
  const digits = Math.abs(value) >= 100 ? 0 : Math.abs(value) >= 10 ? 1 : Math.abs(value) >= 1 ? 2 : 3;
  return value.toFixed(digits);
}

function cell(samples: Samples | undefined): string {
  if (samples === undefined) return "–";
  const { values } = samples;
  if (values.length === 1) return number(values[0] ?? Number.NaN);
  return `${number(median(values))} (${number(Math.min(...values))}–${number(Math.max(...values))})`;
}

/**
 * One row per measure: medians with ranges of holdfast and of what stands beside it, the difference and the ratio of the
 * medians, and what is allowed.
 * @returns a Markdown table
 */
export function table(samples: readonly Samples[]): string {
  const rows: string[] = [
    "| part | measure | unit | holdfast | beside it | difference | ratio | allowed |",
    "|--|--|--|--:|--:|--:|--:|--:|",
  ];
  for (const measure of new Set(samples.map((entry) => `${entry.part}|${entry.measure}`))) {
    const of = samples.filter((entry) => `${entry.part}|${entry.measure}` === measure);
    const ours = of.find(({ program }) => program === "holdfast");
    const others = of.filter(({ program }) => program !== "holdfast");
    const [part, name] = measure.split("|");
    const { unit = "", allowed = Number.NaN } = of[0] ?? {};
    for (const other of others.length > 0 ? others : [undefined]) {
      const medians = ours && other ? [median(ours.values), median(other.values)] : [];
      const [our = Number.NaN, their = Number.NaN] = medians;
      const beside = other === undefined ? "–" : `${other.program} ${cell(other)}`;
      rows.push(
        `| ${part} | ${name} | ${unit} | ${cell(ours)} | ${beside} | ${number(our - their)} | ${number(our / their)} | ${number(allowed)} |`,
      );
    }
  }
  return `${rows.join("\n")}\n`;
}

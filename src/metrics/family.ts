import type { MetricsSnapshot } from "./snapshot.ts";

export type FamilyType = "counter" | "gauge" | "histogram" | "summary";

export type Labels = Readonly<Record<string, string>>;

/** One line of the text that a scrape gets. */
export interface Sample {
  readonly labels: Labels;
  readonly value: number;
  /** Where it is not the family's: `…_bucket`, `…_sum`, `…_count`. */
  readonly metricName?: string;
}

/** All samples of one name, read from a snapshot. Nothing is counted here: what is shown was counted where it happens. */
export interface Family {
  readonly name: string;
  readonly type: FamilyType;
  /** A sentence: what it says, and what its labels mean where that is not plain. */
  readonly help: string;
  /** In the order in which they are written; without `le`. */
  readonly labels: readonly string[];
  read(snapshot: MetricsSnapshot): Iterable<Sample>;
}

/** The values of the labels in their order, then the value. */
export type Row = readonly [...labels: string[], value: number];

/**
 * @param rows one row a sample; what is not known is left out, not told as 0
 */
export function family(
  type: "counter" | "gauge",
  name: string,
  labels: readonly string[],
  help: string,
  rows: (snapshot: MetricsSnapshot) => Iterable<Row>,
): Family {
  return {
    name,
    type,
    help,
    labels,
    *read(snapshot) {
      for (const row of rows(snapshot)) yield { labels: labelled(labels, row), value: row.at(-1) as number };
    },
  };
}

/** How durations are spread: those within each bound, all, and their sum. */
export interface Distribution {
  readonly labels: Labels;
  /** Seconds, rising, with how many values are at most that. */
  readonly within: readonly (readonly [bound: number, count: number])[];
  readonly count: number;
  readonly sum: number;
}

export function histogram(
  name: string,
  labels: readonly string[],
  help: string,
  read: (snapshot: MetricsSnapshot) => Iterable<Distribution>,
): Family {
  return { name, type: "histogram", help, labels, read: (snapshot) => samplesOf(name, read(snapshot), true) };
}

/** As a histogram without bounds: how many and how much, for averages over any time. */
export function summary(
  name: string,
  labels: readonly string[],
  help: string,
  read: (snapshot: MetricsSnapshot) => Iterable<Distribution>,
): Family {
  return { name, type: "summary", help, labels, read: (snapshot) => samplesOf(name, read(snapshot), false) };
}

function* samplesOf(name: string, distributions: Iterable<Distribution>, hasBuckets: boolean): Iterable<Sample> {
  for (const { labels, within, count, sum } of distributions) {
    if (hasBuckets) {
      const metricName = `${name}_bucket`;
      for (const [bound, value] of within) yield { metricName, labels: { ...labels, le: String(bound) }, value };
      yield { metricName, labels: { ...labels, le: "+Inf" }, value: count };
    }
    yield { metricName: `${name}_sum`, labels, value: sum };
    yield { metricName: `${name}_count`, labels, value: count };
  }
}

function labelled(names: readonly string[], row: Row): Labels {
  const labels: Record<string, string> = {};
  names.forEach((name, index) => {
    labels[name] = row[index] as string;
  });
  return labels;
}

export function truth(statement: boolean): number {
  return statement ? 1 : 0;
}

/** @param iso a time of the status */
export function secondsOf(iso: string): number {
  return Date.parse(iso) / 1000;
}

const MICROSECONDS_PER_SECOND = 1_000_000;

export function seconds(us: number): number {
  return us / MICROSECONDS_PER_SECOND;
}

import { setImmediate as turn } from "node:timers/promises";
import { type Metric, Registry, type RegistryContentType } from "prom-client";
import { FAMILIES } from "./families.ts";
import type { Family, Sample } from "./family.ts";
import type { MetricsSnapshot } from "./snapshot.ts";

const TEXT: RegistryContentType = Registry.PROMETHEUS_CONTENT_TYPE;
const OPEN_METRICS: RegistryContentType = Registry.OPENMETRICS_CONTENT_TYPE;

/**
 * A text is given again for as long as it took to make, times this: for whoever scrapes in a loop, texts are made in a
 * tenth of this process's time, and with few servers a text is some milliseconds old.
 */
const REUSE = 9;

/** Samples that are written in one turn: some milliseconds. */
const SAMPLES_PER_TURN = 2_000;

/** What a scrape gets. */
export interface Exposed {
  readonly contentType: string;
  /** One for all who ask while it is fresh: many slow readers cost no memory. */
  readonly body: Buffer;
}

export interface ExpositionCollaborators {
  snapshot(): MetricsSnapshot;
  /** Monotonic milliseconds. */
  nowMs(): number;
}

interface Made extends Exposed {
  readonly untilMs: number;
}

/** Turns snapshots into the text that Prometheus reads, in either of its two formats. */
export class Exposition {
  readonly #with: ExpositionCollaborators;
  /** One for each format: that of OpenMetrics renames its counters. */
  readonly #writers = new Map([TEXT, OPEN_METRICS].map((type) => [type, new Writer(type)]));
  /** The last text of each format, and the one that is being made: those who ask meanwhile get that. */
  readonly #made = new Map<RegistryContentType, Made>();
  #making: Promise<unknown> = Promise.resolve();
  readonly #underWay = new Map<RegistryContentType, Promise<Made>>();

  constructor(collaborators: ExpositionCollaborators) {
    this.#with = collaborators;
  }

  /** @param accept the header of the request: Prometheus prefers OpenMetrics */
  async expose(accept: string | undefined): Promise<Exposed> {
    const type = formatFor(accept);
    const made = this.#made.get(type);
    if (made !== undefined && this.#with.nowMs() < made.untilMs) return made;
    return this.#underWay.get(type) ?? this.#begin(type);
  }

  #begin(type: RegistryContentType): Promise<Made> {
    // One after the other: two at once would leave others half as many turns.
    const making = this.#making.then(() => this.#make(type)).finally(() => this.#underWay.delete(type));
    this.#making = making.catch(() => undefined);
    this.#underWay.set(type, making);
    return making;
  }

  async #make(type: RegistryContentType): Promise<Made> {
    const startMs = this.#with.nowMs();
    const parts: Buffer[] = []; // bounded by the families and the configured objects
    for await (const part of this.#writers.get(type)?.write(this.#with.snapshot()) ?? []) parts.push(part);
    if (type === OPEN_METRICS) parts.push(Buffer.from("# EOF\n"));
    const body = Buffer.concat(parts);
    const nowMs = this.#with.nowMs();
    const made = { contentType: type, body, untilMs: nowMs + (nowMs - startMs) * REUSE };
    this.#made.set(type, made);
    return made;
  }
}

/** Writes all families in one format. */
class Writer {
  readonly #registry = new Registry<RegistryContentType>();
  readonly #metrics: readonly ReadMetric[];

  constructor(type: RegistryContentType) {
    this.#registry.setContentType(type);
    this.#metrics = FAMILIES.map((family) => new ReadMetric(nameIn(type, family), family));
    // The registry asks a metric for no more than this; the classes of the library count for themselves.
    for (const metric of this.#metrics) this.#registry.registerMetric(metric as unknown as Metric);
  }

  /** Page by page, with a turn for everybody else before each: ten thousand servers are a hundred thousand lines. */
  async *write(snapshot: MetricsSnapshot): AsyncGenerator<Buffer, void> {
    for (const metric of this.#metrics) {
      let isFirst = true;
      for (const page of pagesOf(metric.family.read(snapshot))) {
        await turn();
        metric.page = page;
        const text = await this.#registry.getSingleMetricAsString(metric.name);
        yield Buffer.from(`${isFirst ? text : withoutHead(text)}\n`);
        isFirst = false;
      }
      metric.page = [];
    }
  }
}

/** A family in the shape in which prom-client's registry reads metrics. */
class ReadMetric {
  readonly name: string;
  readonly family: Family;
  /** What the registry reads: as many of the samples as are written in one turn. */
  page: readonly Sample[] = [];

  constructor(name: string, family: Family) {
    this.name = name;
    this.family = family;
  }

  get(): Promise<unknown> {
    const { type, help } = this.family;
    return Promise.resolve({ name: this.name, help, type, aggregator: "sum", values: this.page });
  }
}

/** Samples in pages; one at least, which may be empty. */
function* pagesOf(samples: Iterable<Sample>): Generator<readonly Sample[], void> {
  let page: Sample[] = []; // bounded by SAMPLES_PER_TURN
  for (const sample of samples) {
    if (page.length === SAMPLES_PER_TURN) {
      yield page;
      page = [];
    }
    page.push(sample);
  }
  yield page;
}

/** Without the two lines that say what the name means: they stand before the first page alone. */
function withoutHead(text: string): string {
  return text.slice(text.indexOf("\n", text.indexOf("\n") + 1) + 1);
}

/** In OpenMetrics `_total` belongs to the samples of a counter, not to its name; the registry writes it there. */
function nameIn(type: RegistryContentType, { name, type: familyType }: Family): string {
  return type === OPEN_METRICS && familyType === "counter" ? name.replace(/_total$/, "") : name;
}

/** The format that the client likes better; the plain one where it does not say. */
function formatFor(accept: string | undefined): RegistryContentType {
  return likes(accept, "application/openmetrics-text") > likes(accept, "text/plain") ? OPEN_METRICS : TEXT;
}

/** @returns the greatest `q` that an Accept header gives a type; 0 = it is not named */
function likes(accept: string | undefined, type: string): number {
  const parts = (accept ?? "").split(",").map((part) => part.split(";").map((word) => word.trim()));
  const qualities = parts
    .filter(([name]) => name?.toLowerCase() === type)
    .map(([, ...parameters]) => Number(parameters.find((word) => word.startsWith("q="))?.slice(2) ?? 1));
  return Math.max(0, ...qualities.filter((quality) => quality >= 0));
}

import { type Metric, Registry, type RegistryContentType } from "prom-client";
import { FAMILIES } from "./families.ts";
import type { Family, FamilyType, Sample } from "./family.ts";
import type { MetricsSnapshot } from "./snapshot.ts";

const TEXT: RegistryContentType = Registry.PROMETHEUS_CONTENT_TYPE;
const OPEN_METRICS: RegistryContentType = Registry.OPENMETRICS_CONTENT_TYPE;

/**
 * A text is given again for as long as it took to make, times this: for whoever scrapes in a loop, texts are made in a
 * tenth of this process's time, and with few servers a text is some milliseconds old.
 */
const REUSE = 9;

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
  readonly #registries: ReadonlyMap<RegistryContentType, Registry<RegistryContentType>>;
  /** The snapshot that is being written. */
  #snapshot: MetricsSnapshot | null = null;
  /** The last text of each format, and the one that is being made: those who ask meanwhile get that. */
  readonly #made = new Map<RegistryContentType, Made>();
  #making: Promise<unknown> = Promise.resolve();
  readonly #underWay = new Map<RegistryContentType, Promise<Made>>();

  constructor(collaborators: ExpositionCollaborators) {
    this.#with = collaborators;
    this.#registries = new Map([TEXT, OPEN_METRICS].map((type) => [type, this.#registryOf(type)]));
  }

  /** @param accept the header of the request: Prometheus prefers OpenMetrics */
  async expose(accept: string | undefined): Promise<Exposed> {
    const type = formatFor(accept);
    const made = this.#made.get(type);
    if (made !== undefined && this.#with.nowMs() < made.untilMs) return made;
    return this.#underWay.get(type) ?? this.#begin(type);
  }

  #begin(type: RegistryContentType): Promise<Made> {
    // One after the other: both formats read the same snapshot field.
    const making = this.#making.then(() => this.#make(type)).finally(() => this.#underWay.delete(type));
    this.#making = making.catch(() => undefined);
    this.#underWay.set(type, making);
    return making;
  }

  /** Family by family, with a turn for everybody else between them: ten thousand servers are a hundred thousand lines. */
  async #make(type: RegistryContentType): Promise<Made> {
    const startMs = this.#with.nowMs();
    this.#snapshot = this.#with.snapshot();
    const registry = this.#registries.get(type);
    const parts: string[] = []; // bounded by FAMILIES
    for (const { name } of registry?.getMetricsAsArray() ?? []) {
      parts.push((await registry?.getSingleMetricAsString(name)) ?? "");
      await turn();
    }
    this.#snapshot = null;
    const body = Buffer.from(`${parts.join("\n")}\n${type === OPEN_METRICS ? "# EOF\n" : ""}`);
    const nowMs = this.#with.nowMs();
    const made = { contentType: type, body, untilMs: nowMs + (nowMs - startMs) * REUSE };
    this.#made.set(type, made);
    return made;
  }

  #registryOf(type: RegistryContentType): Registry<RegistryContentType> {
    const registry = new Registry<RegistryContentType>();
    registry.setContentType(type);
    for (const family of FAMILIES) {
      const read = () => (this.#snapshot === null ? [] : family.read(this.#snapshot));
      // The registry asks a metric for no more than this; the classes of the library count for themselves.
      registry.registerMetric(new ReadMetric(nameIn(type, family), family, read) as unknown as Metric);
    }
    return registry;
  }
}

/** A family in the shape in which prom-client's registry reads metrics. */
class ReadMetric {
  readonly name: string;
  readonly help: string;
  readonly type: FamilyType;
  readonly aggregator = "sum";
  readonly #read: () => Iterable<Sample>;

  constructor(name: string, { help, type }: Family, read: () => Iterable<Sample>) {
    this.name = name;
    this.help = help;
    this.type = type;
    this.#read = read;
  }

  get(): Promise<unknown> {
    const { name, help, type, aggregator } = this;
    return Promise.resolve({ name, help, type, aggregator, values: [...this.#read()] });
  }
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

function turn(): Promise<void> {
  return new Promise((resolve) => setImmediate(resolve));
}

import * as z from "zod";
import { innerOfSchema, keyDocOf, shapesOfSchema, valueDocOf } from "./schema/kit.ts";
import { rootSchema } from "./schema/root.ts";

/** A map of the configuration: a section of the reference. */
export interface ReferenceSection {
  /** Key paths that lead to it, the first one as its title: `vrrp.instances.NAME`; empty = the top of the file. */
  readonly paths: readonly string[];
  readonly description: string;
  readonly keys: readonly ReferenceKey[];
}

/** What there is to know about a key. Texts have `code` in backticks. */
export interface ReferenceKey {
  readonly key: string;
  readonly takes: string;
  /** As it would be written; null = the key must be given. */
  readonly default: string | null;
  readonly description: string;
}

interface Section {
  readonly paths: string[];
  readonly description: string;
}

/** Sections by their schema, in the order of the page; bounded by the schema. */
type Sections = Map<z.ZodObject, Section>;

/** What holds for the whole file: a paragraph, and notes. */
export const REFERENCE_LEAD = `One YAML file says everything: \`/etc/holdfast/holdfast.yaml\`, or the file named on the command line. \`holdfast check FILE\`
prints every mistake in it, with the line and what to write instead; \`holdfast check --explain FILE\` prints it with every
default filled in. \`etc/holdfast.yaml\` is an annotated example.`;

export const REFERENCE_NOTES = [
  `YAML 1.2: \`yes\`, \`no\`, \`on\` and \`off\` are text; anchors, aliases and merge keys (\`<<\`) work.`,
  `Nothing is guessed. Numbers stand without quotes, durations with their unit (\`500ms\`, \`2s\`, \`1.5s\`, \`5m\`, \`1h\`, \`1d\`),
  sizes with theirs (\`64KiB\`). Unknown keys are errors.`,
  `At most 100 problems are printed; where there are more, the last of them says how many, and errors go before warnings.`,
  `An IPv6 address with a port stands in brackets and quotes: \`"[2001:db8::10]:80"\`.`,
  `Names of instances and services consist of letters, digits, dots, dashes and underscores.`,
  `Values of headers such as Authorization or Cookie, and of \`key\` under \`tls\`, never appear in messages.`,
  `Files named under \`include\` may hold \`vrrp.instances\`, \`services\` and \`schedules\`. Their names are relative to the main
  file; \`*\` and \`?\` stand for any characters, not for a leading dot. Matches are read in alphabetical order.`,
];

/** Every section, outside in, from the schema's own descriptions. */
export function referenceSections(): readonly ReferenceSection[] {
  const sections: Sections = new Map();
  collect(rootSchema, "", "The top of the main file.", sections);
  return [...sections].map(([schema, section]) => ({ ...section, keys: keysOf(schema) }));
}

/** docs/configuration.md. */
export function referencePage(): string {
  const notes = REFERENCE_NOTES.map((note) => `- ${note}\n`).join("");
  const origin = `This page is generated from the schema that \`check\` uses (src/config/schema/); \`UPDATE_FIXTURES=1 npm run test:unit\`
rewrites it.`;
  const introduction = `# Configuration\n\n${REFERENCE_LEAD}\n\n${notes}\n${origin}\n`;
  return [introduction, ...referenceSections().map(renderSection)].join("\n");
}

/** Finds the maps with known keys inside a value, outside in. A map that is used in several places is one section. */
function collect(schema: z.ZodType, path: string, description: string, sections: Sections): void {
  const inner = unwrap(schema);
  if (inner instanceof z.ZodArray) {
    collect(inner.element as z.ZodType, `${path}[]`, description, sections);
    return;
  }
  if (inner instanceof z.ZodRecord) {
    collect(inner.valueType as z.ZodType, `${path}.NAME`, description, sections);
    return;
  }
  if (!(inner instanceof z.ZodObject)) {
    for (const shape of Object.values(shapesOfSchema(inner) ?? {})) {
      if (shape !== undefined) collect(shape, path, description, sections);
    }
    return;
  }
  const known = sections.get(inner);
  if (known !== undefined) {
    known.paths.push(path);
    return;
  }
  sections.set(inner, { paths: [path], description });
  for (const [key, value] of Object.entries(inner.shape)) {
    collect(value, path === "" ? key : `${path}.${key}`, keyDocOf(value)?.description ?? "", sections);
  }
}

function keysOf(schema: z.ZodObject): readonly ReferenceKey[] {
  return Object.entries(schema.shape).map(([key, value]) => {
    const doc = keyDocOf(value);
    return {
      key,
      takes: valueDocOf(unwrap(value))?.accepts ?? "",
      default: doc?.default ?? null,
      description: doc?.description ?? "",
    };
  });
}

function renderSection({ paths, description, keys }: ReferenceSection): string {
  const [first = "", ...others] = paths;
  const rows = keys.map((row) => {
    const cells = [`\`${row.key}\``, row.takes, row.default ?? "**required**", row.description];
    return `| ${cells.map((cell) => cell.replaceAll("|", "\\|")).join(" | ")} |`;
  });
  const title = first === "" ? "## Top level" : `## \`${first}\``;
  const also = others.length === 0 ? [] : [`The same under ${others.map((path) => `\`${path}\``).join(", ")}.`, ""];
  return [
    title,
    "",
    description,
    "",
    ...also,
    "| key | takes | default | meaning |",
    "|--|--|--|--|",
    ...rows,
    "",
  ].join("\n");
}

/** Peels off what does not change the value: optional keys and rules. */
function unwrap(schema: z.ZodType): z.ZodType {
  if (schema instanceof z.ZodOptional) return unwrap(schema.unwrap() as z.ZodType);
  const inner = innerOfSchema(schema);
  return inner === undefined ? schema : unwrap(inner);
}

import assert from "node:assert/strict";
import { type Block, blocksOf, commandsOf, textOf } from "./documents.ts";

/** Commands that no scenario types, and why not. That the program or npm takes them is tested with all others. */
export const NOT_RUN: readonly { readonly pattern: RegExp; readonly reason: string }[] = [
  { pattern: /^npm (ci|test|run test:unit)\b/, reason: "it is what brings and runs the tests" },
  { pattern: /^npm run format$/, reason: "it writes to the checkout; `npm test` has the same tool look" },
  { pattern: /^npm run demo\b/, reason: "test/lab/demo.lab.ts runs what it runs, and judges it" },
  { pattern: /^npm run docs$/, reason: "test/lab/completion.lab.ts and the package run what it runs" },
  { pattern: /^npm run package$/, reason: "scenarios on machines run what it runs, and install what it makes" },
];

export function reasonNotToRun(command: string): string | undefined {
  return NOT_RUN.find(({ pattern }) => pattern.test(command))?.reason;
}

/** What a scenario of the lab carries out of a page: every block, or those under some headings. */
export interface Part {
  readonly page: string;
  /** Its file is `test/lab/SCENARIO.lab.ts`. */
  readonly scenario: "documents" | "operator" | "systemd" | "drill";
  readonly headings?: readonly string[];
  /** Commands that another scenario types. */
  readonly leaves?: RegExp;
}

export const INSTALLS_PACKAGE = /^apt install /;

/**
 * Who carries out which page. Scenarios take what they type from here, and a command that is in no part and not in NOT_RUN fails
 * test/docs.test.ts: a new page cannot be forgotten, nor a new block of an old one.
 */
export const PARTS: readonly Part[] = [
  { page: "README.md", scenario: "documents", headings: ["A real configuration"] },
  // Hosts of this scenario share one root and one kernel, with the program of this checkout: no package is installed there, and the
  // service manager is played. `operator` types all of the page: on directors that are machines with systemd, and on real servers that are
  // namespaces with a Debian of their own, into which the package is installed; only there no unit is started, since nothing boots.
  { page: "docs/install.md", scenario: "documents", leaves: INSTALLS_PACKAGE },
  { page: "docs/install.md", scenario: "operator" },
  { page: "docs/install-nat-tun.md", scenario: "documents" },
  { page: "docs/doctor.md", scenario: "documents" },
  { page: "docs/metrics.md", scenario: "documents" },
  { page: "docs/vrrp.md", scenario: "documents" },
  { page: "docs/operations.md", scenario: "documents", headings: ["Take a server out"] },
  { page: "docs/operations.md", scenario: "operator", headings: ["Upgrade"] },
  { page: "docs/drills.md", scenario: "drill" },
  { page: "docs/real-servers.md", scenario: "documents", headings: ["dr", "A route on the router", "tun"] },
  { page: "docs/real-servers.md", scenario: "systemd", headings: ["At every start: the unit"] },
];

/** A block that shows what is printed, or holds a file that is neither ours nor a command, and the test that holds it to that. */
export interface Shown {
  readonly page: string;
  readonly heading: RegExp;
  readonly test: string;
}

/** Every block of the languages `text`, `sh` and `json`; one that is not here fails test/docs.test.ts. */
export const SHOWN: readonly Shown[] = [
  { page: "docs/checks.md", heading: /^Run a script$/, test: "test/checks/script-process.test.ts" },
  { page: "docs/doctor.md", heading: /^The doctor$/, test: "test/samples.test.ts" },
  { page: "docs/drills.md", heading: /^Drills$/, test: "test/samples.test.ts" },
  { page: "docs/metrics.md", heading: /^Metrics$/, test: "test/lab/metrics.lab.ts" },
  { page: "docs/operations.md", heading: /holdfast status/, test: "test/samples.test.ts" },
  { page: "docs/operations.md", heading: /holdfast events/, test: "test/samples.test.ts" },
  { page: "docs/operations.md", heading: /holdfast plan/, test: "test/samples.test.ts" },
];

export const isShown = ({ language }: Block): boolean => ["text", "sh", "json"].includes(language);

/** The one block under a heading that shows something. */
export function shownUnder(page: string, heading: RegExp): string {
  assert.ok(
    SHOWN.some((each) => each.page === page && each.heading.source === heading.source),
    `test/support/document-parts.ts does not say who compares ${heading} of ${page}`,
  );
  const [block, ...more] = blocksOf(textOf(page)).filter((each) => isShown(each) && heading.test(each.heading));
  assert.ok(block !== undefined && more.length === 0, `${page} has one sample under ${heading}`);
  return block.text;
}

function blocksOfPart({ page, headings }: Part): readonly Block[] {
  return blocksOf(textOf(page)).filter(({ heading }) => headings === undefined || headings.includes(heading));
}

/** The blocks of a page that are a scenario's to carry out. */
export function partOf(page: string, scenario: Part["scenario"]): readonly Block[] {
  const part = PARTS.find((each) => each.page === page && each.scenario === scenario);
  assert.ok(part !== undefined, `test/support/document-parts.ts does not say that ${scenario} carries out ${page}`);
  return blocksOfPart(part);
}

/** The commands of a part, each as the page has it. */
export function commandsOfPart(part: Part): readonly string[] {
  return blocksOfPart(part)
    .filter(({ language }) => language === "console")
    .flatMap(({ text }) => commandsOf(text).map(({ command }) => command))
    .filter((command) => reasonNotToRun(command) === undefined && part.leaves?.test(command) !== true);
}

/**
 * What is a scenario's to carry out and was not.
 * @param carried the texts of the blocks that were, all of a story
 * @returns page and heading of each block that is missing
 */
export function leftOut(scenario: Part["scenario"], carried: Iterable<string>): readonly string[] {
  const done = new Set(carried);
  return PARTS.filter((part) => part.scenario === scenario).flatMap((part) =>
    blocksOfPart(part)
      .filter(({ language, text }) => language === "console" && !done.has(text))
      .map(({ heading }) => `${part.page}, ${heading}`),
  );
}

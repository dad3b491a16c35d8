import assert from "node:assert/strict";
import { type Block, blocksOf, commandsOf, pages, textOf } from "./documents.ts";

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
/** The section of docs/operations.md in which a reload is on trial. */
export const TRIAL = "A change that may cut you off: `holdfast reload --confirm 5m`";
/** From bare machines on; who comes from another program has one, which the operator's machines have not. */
const INSTALL_STEPS = blocksOf(textOf("docs/install.md"))
  .map(({ heading }) => heading)
  .filter((heading) => /^\d\. /.test(heading));

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
  { page: "docs/install.md", scenario: "operator", headings: INSTALL_STEPS },
  { page: "docs/install-nat-tun.md", scenario: "documents" },
  { page: "docs/doctor.md", scenario: "documents" },
  { page: "docs/metrics.md", scenario: "documents" },
  { page: "docs/vrrp.md", scenario: "documents" },
  { page: "docs/operations.md", scenario: "documents", headings: [TRIAL, "Take a server out"] },
  { page: "docs/operations.md", scenario: "operator", headings: ["Upgrade"] },
  { page: "docs/drills.md", scenario: "drill" },
  { page: "docs/real-servers.md", scenario: "documents", headings: ["dr", "A route on the router", "tun"] },
  { page: "docs/real-servers.md", scenario: "systemd", headings: ["At every start: the unit"] },
];

/** Commands that pages name in a sentence and that neither a block has nor `inPassing`: who runs them, and by which words of his. */
export const ELSEWHERE: readonly { readonly pattern: RegExp; readonly test: string; readonly words: string }[] = [
  { pattern: /^apt remove /, test: "test/lab/systemd.lab.ts", words: "apt-get remove -y -qq holdfast" },
  { pattern: /^apt purge /, test: "test/lab/systemd.lab.ts", words: "dpkg --purge holdfast" },
  { pattern: /^systemctl status /, test: "test/lab/systemd.lab.ts", words: "systemctl status holdfast" },
  // The file that the editor would leave is written there.
  { pattern: /^systemctl edit /, test: "test/lab/systemd.lab.ts", words: "holdfast.service.d/override.conf" },
  {
    pattern: /^systemctl restart$/,
    test: "test/lab/systemd.lab.ts",
    words: "systemctl restart holdfast-realserver@web",
  },
  { pattern: /^sysctl -w$/, test: "test/lab/doctor.lab.ts", words: "sysctl -w net.ipv4.ip_forward=1" },
  { pattern: /^holdfast drill run web4 --kind takeover /, test: "test/lab/drill.lab.ts", words: '"docs/drills.md"' },
  { pattern: /^holdfast (disable|weight)$/, test: "test/lab/overrides.lab.ts", words: `type: "disable"` },
  { pattern: /^curl -N /, test: "test/lab/events.lab.ts", words: "Accept: text/event-stream" },
  { pattern: /^tcpdump -ni eth0 vrrp$/, test: "test/lab/systemd.lab.ts", words: '"eth0", "vrrp"' },
  { pattern: /^ipvsadm -C$/, test: "test/lab/plan.lab.ts", words: '"ipvsadm", "-C"' },
  { pattern: /^ipvsadm -R$/, test: "test/lab/import.lab.ts", words: '"ipvsadm", "-R"' },
  { pattern: /^ip address del 192/, test: "test/lab/vrrp-wire.lab.ts", words: '"ip", "address", "delete"' },
  { pattern: /^ip link set eth1 mtu /, test: "test/lab/doctor.lab.ts", words: "mtu" },
  { pattern: /^\(printf hex: /, test: "test/lab/configurations.lab.ts", words: "printf hex: " },
];

/** Commands in a sentence that are no advice: they name what may be to blame for a lost address or setting. */
const BLAMED = /^(ip address del|systemctl restart networking|sysctl --system)$/;

/** Programs by whose names commands in a sentence are known; a checkout's `npm run` has tests of its own. */
const PROGRAMS = /^(holdfast|apt|systemctl|journalctl|sysctl|curl|ip|ipvsadm|tcpdump|ssh|\(printf) /;
/** `SERVICE`, `[FILE]`, `handover|takeover`, `…`: a form, not a command. */
const PLACEHOLDER = /\b[A-Z]{2,}\b|[[\]|…]/;

/** Every command with arguments that a page names in a sentence, each once. */
export function namedCommands(): readonly string[] {
  const found = pages().flatMap((page) =>
    [
      ...textOf(page)
        .replace(/^```.*?^```/gms, "")
        .matchAll(/`([^`]+)`/g),
    ].map(([, code = ""]) => code.replace(/\s+/g, " ")),
  );
  return [...new Set(found)].filter((command) => PROGRAMS.test(command) && !BLAMED.test(command));
}

/** Those that are whole, and that neither a block has, alone or with more behind it, nor somebody else runs: `documents` types them. */
export function inPassing(): readonly string[] {
  const typed = PARTS.flatMap(commandsOfPart);
  return namedCommands().filter(
    (command) =>
      !PLACEHOLDER.test(command) &&
      !typed.some((each) => `${each} `.startsWith(`${command} `)) &&
      !ELSEWHERE.some(({ pattern }) => pattern.test(command)),
  );
}

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

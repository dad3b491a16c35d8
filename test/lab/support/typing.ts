// What the two kinds of story share: how a command that a page shows is judged, and what is remembered of it.
import { firstMissing } from "../../support/documents.ts";
import type { Outcome } from "./commands.ts";

/** A command that was typed and did what the page says. */
export interface Typed {
  readonly host: string;
  readonly command: string;
  readonly status: number;
  readonly ms: number;
  readonly printed: string;
}

/** @param startedMs when it was begun to be typed, by `performance.now()` */
export function typedFrom(host: string, command: string, outcome: Outcome, startedMs: number): Typed {
  const { status, stdout, stderr } = outcome;
  return { host, command, status, ms: performance.now() - startedMs, printed: stdout + stderr };
}

export function describeTyped({ host, command, status, ms }: Typed): string {
  return `${host}: ${command} (${status}, ${Math.round(ms)} ms)`;
}

/** Commands that only look: asked again until they show what the page shows, because what they show takes its time. */
export const LOOKING =
  /^(holdfast (status|plan|events|doctor)|systemctl (status|is-active)|ipvsadm|ip |curl(?!.* -d )|sleep)/;

/** Ends that are answers: `plan` found changes, `status` something degraded, `doctor` something to say. */
const ANSWERS: readonly { readonly pattern: RegExp; readonly codes: readonly number[] }[] = [
  { pattern: /^holdfast plan/, codes: [0, 2] },
  { pattern: /^(holdfast|systemctl) status/, codes: [0, 3] },
  { pattern: /^holdfast (import|doctor)/, codes: [0, 1] },
];

/** @returns in what an outcome is not as the page shows it; null = it is */
export function complaintAbout(command: string, shown: readonly string[], outcome: Outcome): string | null {
  const codes = ANSWERS.find(({ pattern }) => pattern.test(command))?.codes ?? [0];
  if (!codes.includes(outcome.status)) return `ended with ${outcome.status}`;
  const missing = firstMissing(shown, outcome.stdout + outcome.stderr);
  return missing === null ? null : `did not print: ${missing}`;
}

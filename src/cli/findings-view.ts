import type { Finding } from "../base/finding.ts";
import type { WordPaint } from "./terminal.ts";

/**
 * Findings as a person reads them: what, what it means, what to run.
 *
 *     error: net.ipv4.conf.all.arp_ignore is 0, not 1  [arp-ignore-unset]
 *       This machine answers when a neighbour asks who has the virtual address, and takes the director's traffic.
 *       -> sysctl -w net.ipv4.conf.all.arp_ignore=1
 */
export function renderFindings(findings: readonly Finding[], paint: WordPaint): string {
  if (findings.length === 0) return "no findings\n";
  return findings.map((finding) => renderFinding(finding, paint)).join("\n");
}

function renderFinding({ id, severity, title, meaning, remedy }: Finding, paint: WordPaint): string {
  const word = severity === "error" ? paint.bad("error:") : paint.strong("warning:");
  const [first = "", ...rest] = remedy.split("\n");
  const command = [`  -> ${first}`, ...rest].join("\n");
  return `${word} ${title}  ${paint.dim(`[${id}]`)}\n  ${meaning}\n${command}\n`;
}

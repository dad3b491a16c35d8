import type { Draft } from "./draft.ts";
import type { Statement } from "./keepalived-syntax.ts";

/** What keepalived does without being told, or what holdfast does in its own way: nothing is lost by leaving it out. */
const NEEDLESS: ReadonlySet<string> = new Set(["state", "dont_track_primary", "strict_mode", "native_ipv6"]);

/** What a statement that is not carried over is about, where more can be said than that. */
const EXPLANATIONS: Readonly<Record<string, string>> = {
  authentication: "VRRP version 3 has no passwords; `auth: { hmac: … }` signs adverts, also with keepalived 2.4",
  unicast_src_ip: "adverts come from the interface's primary address",
  notify: "no programs are run at a change of state: follow `holdfast events -f`, or use the metrics",
  notify_master: "no programs are run at a change of state: follow `holdfast events -f`, or use the metrics",
  notify_backup: "no programs are run at a change of state: follow `holdfast events -f`, or use the metrics",
  notify_fault: "no programs are run at a change of state: follow `holdfast events -f`, or use the metrics",
  smtp_alert: "no mail is sent: use the alert rules of docs/alerts.md",
  notification_email: "no mail is sent: use the alert rules of docs/alerts.md",
  use_vmac: "addresses stand on the interface itself, and are announced when they move",
  include: "import each file by itself",
  virtual_routes: "routes are not moved",
  virtual_rules: "routing rules are not moved",
  sorry_server: "there are no sorry servers",
  quorum: "an instance that tracks the service has a quorum",
  digest: "write `expect: { body: { contains: … } }`",
  lvs_sync_daemon: "write `sync: { instance: …, interface: … }`",
};

/** Says that a statement has no counterpart. */
export function leaveOut(statement: Statement, draft: Draft): void {
  const [keyword = ""] = statement.words;
  if (NEEDLESS.has(keyword)) return;
  const why = EXPLANATIONS[keyword];
  draft.note(
    statement.line,
    statement.words.join(" "),
    why === undefined ? "is not carried over" : `is not carried over: ${why}`,
  );
}

/** A program and its arguments; they are not given to a shell. */
export function programOf(
  values: readonly string[],
  { line, words }: Statement,
  draft: Draft,
): readonly string[] | null {
  const run = values.join(" ").trim().split(/\s+/);
  if (run[0]?.startsWith("/") === true && !/["'|&;<>$`\\]/.test(run.join(" "))) return run;
  draft.note(
    line,
    words.join(" "),
    "is not carried over: write a script, and its absolute path; there is no shell and no PATH",
  );
  return null;
}

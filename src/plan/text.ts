import type { Connections, KernelPlan, PlanGroup, PlanStep } from "./model.ts";

const SIGNS = { add: "+", change: "~", remove: "-" } as const;

/** Lines about one object that change nothing, such as servers that are down: more of them are counted. */
const MAX_NOTES = 10;

/** The plan as it reads on a terminal: like a diff, with `+`, `-` and `~` in front of what changes. */
export function planLines(plan: KernelPlan): readonly string[] {
  const { configuration } = plan;
  return [
    `  ${plan.basis}`,
    "",
    ...plan.groups.flatMap((group) => [...groupLines(group), ""]),
    ...(configuration.length === 0
      ? []
      : ["  configuration of the daemon", ...configuration.map((clause) => `~   ${clause}`), ""]),
    summaryLine(plan),
  ];
}

/** The changes alone, each a line that can stand by itself: for the log. */
export function stepLines(plan: KernelPlan): readonly string[] {
  return plan.groups.flatMap(({ title, steps }) =>
    steps.map((step) => `${SIGNS[step.type]} ${title}: ${stepText(step)}`),
  );
}

/** `plan: 1 to add, 2 to change, 1 to remove; cuts 340 established connections`. */
export function summaryLine({ summary }: KernelPlan): string {
  const { add, change, remove, cuts, hasChanges } = summary;
  if (!hasChanges) return "nothing to do: the kernel is as configured";
  if (add + change + remove === 0) return "plan: nothing to do in the kernel";
  const cutting = cuts.established + cuts.other > 0 ? `; ${cutText(cuts)}` : "";
  return `plan: ${add} to add, ${change} to change, ${remove} to remove${cutting}`;
}

function groupLines({ title, steps, notes }: PlanGroup): readonly string[] {
  const rest = notes.length - MAX_NOTES;
  return [
    `  ${title}`,
    ...steps.map((step) => `${SIGNS[step.type]}   ${stepText(step)}`),
    ...notes.slice(0, MAX_NOTES).map((note) => `    ${note}`),
    ...(rest > 0 ? [`    and ${rest} more such lines (--json has them)`] : []),
  ];
}

function stepText({ subject, from, to, cuts, remark }: PlanStep): string {
  const values = from === null || to === null ? (to ?? from ?? "") : `${from} -> ${to}`;
  const tail = cuts !== null && cuts.established + cuts.other > 0 ? `; ${cutText(cuts)}` : "";
  return `${subject}: ${values}${tail}${remark === "" ? "" : `; ${remark}`}`;
}

function cutText({ established, other }: Connections): string {
  const rest = other === 0 ? "" : ` and ${other} that begin or end`;
  return `cuts ${established} established connection${established === 1 ? "" : "s"}${rest}`;
}

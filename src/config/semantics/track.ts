import type { ConfigProblem } from "../problem.ts";
import type { PlacedInstance } from "./instances.ts";

/** What is tracked is named once, and its weight can act. */
export function trackProblems(instance: PlacedInstance): ConfigProblem[] {
  const { track, priority } = instance.value;
  if (!instance.isSound("track")) return [];
  const named: readonly (readonly [list: string, names: readonly string[], weights: readonly (number | null)[]])[] = [
    ["interfaces", track.interfaces.map((it) => it.interface), track.interfaces.map((it) => it.weight)],
    ["scripts", track.scripts.map((it) => it.name), track.scripts.map((it) => it.weight)],
    ["services", track.services.map((it) => it.service), track.services.map((it) => it.weight)],
  ];
  return named.flatMap(([list, names, weights]) =>
    names.flatMap((name, index): ConfigProblem[] => {
      const at = ["track", list, index];
      const problems: ConfigProblem[] = [];
      if (names.indexOf(name) !== index) {
        problems.push(
          instance.problem(at, {
            code: "conflict",
            message: `${name} is tracked twice`,
            hint: "remove one of the two",
          }),
        );
      }
      if (priority === 255 && weights[index] !== null) {
        problems.push(
          instance.problem([...at, "weight"], {
            severity: "warning",
            code: "suspicious",
            message: "the weight has no effect with priority 255: the priority of an owner never changes",
            hint: "write a priority of at most 254, or leave the weight out to go to fault",
          }),
        );
      }
      const script = list === "scripts" ? track.scripts[index] : undefined;
      if (script !== undefined && script.timeoutUs > script.intervalUs) {
        problems.push(
          instance.problem(at, {
            code: "impossible",
            message: "the timeout is longer than the interval, so that runs would pile up",
            hint: "lower the timeout, or raise the interval",
          }),
        );
      }
      return problems;
    }),
  );
}

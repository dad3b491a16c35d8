import { DirectorError, messageOf } from "./director-error.ts";
import { EXIT, type ExitCode, exitCodeFor } from "./exit-codes.ts";
import { asSentence } from "./sentence.ts";

/**
 * What a process says of what ends it: one sentence and the next step.
 * @param isDebug whether the place follows: where somebody asked for it by --debug, and always in the log of a daemon, which
 *   nobody can have fail once more in order to see it
 */
export function lastWords(thrown: unknown, isDebug: boolean): { readonly text: string; readonly exitCode: ExitCode } {
  const sentence = `holdfast: ${asSentence(messageOf(thrown))}`;
  const place = isDebug && thrown instanceof Error ? `${stackOf(thrown)}\n` : "";
  if (thrown instanceof DirectorError)
    return { text: `${sentence} ${thrown.remedy}\n${place}`, exitCode: exitCodeFor(thrown.code, thrown.facts.errno) };
  const next = isDebug ? "please report it with what follows." : "run the command again with --debug to see where.";
  return { text: `${sentence} This is a bug in holdfast; ${next}\n${place}`, exitCode: EXIT.OWN_FAULT };
}

function stackOf(error: Error): string {
  const cause = error.cause instanceof Error ? `\ncaused by: ${stackOf(error.cause)}` : "";
  return `${error.stack ?? error.message}${cause}`;
}

import type { Command } from "commander";
import type { ExitCode } from "../../base/exit-codes.ts";

export const DEFAULT_FILE = "/etc/holdfast/holdfast.yaml";
export const DEFAULT_RUN_DIR = "/run/holdfast";
export const DEFAULT_STATE_DIR = "/var/lib/holdfast";

/** Options that every command has. */
export interface GlobalOptions {
  /** Where the control socket stands. */
  readonly runDir: string;
  /** Where what survives a restart is kept. */
  readonly stateDir: string;
  /** Print stack traces. */
  readonly debug: boolean;
}

/** Where a command registers itself, and how it ends. */
export interface CommandLine<Handlers> {
  readonly program: Command;
  readonly handlers: Handlers;
  finish(exitCode: ExitCode): void;
}

/** The global options, however commander merged them with those of a command. */
export function globalsOf(command: Command): GlobalOptions {
  const { runDir, stateDir, debug } = command.optsWithGlobals<GlobalOptions>();
  return { runDir, stateDir, debug };
}

/** Flags of the command, by their names: absent means no. */
export function flagsOf<Name extends string>(
  command: Command,
  ...names: readonly Name[]
): Readonly<Record<Name, boolean>> {
  const given = command.optsWithGlobals<Readonly<Record<string, unknown>>>();
  return Object.fromEntries(names.map((name) => [name, given[name] === true])) as Record<Name, boolean>;
}

/** Examples; no command is without one. */
export type Usages = readonly [string, ...string[]];

/**
 * Starts a command.
 * @param program the program, or a command that has commands of its own
 * @param summary without a capital letter and a full stop
 */
export function addCommand(program: Command, name: string, summary: string, ...usages: Usages): Command {
  return program
    .command(name)
    .description(`${summary[0]?.toUpperCase() ?? ""}${summary.slice(1)}.`)
    .summary(summary)
    .allowExcessArguments(false)
    .addHelpText("after", examples(usages));
}

/** @returns the last part of a help text */
export function examples(usages: Usages): string {
  return `\nExample${usages.length > 1 ? "s" : ""}:\n${usages.map((line) => `  ${line}`).join("\n")}`;
}

/** Says what the exit codes mean: `0 applied, 4 no daemon`. */
export function exitCodes(text: string): string {
  return `\nExit codes: ${text}.`;
}

#!/usr/bin/env node
import type { ExitCode } from "./base/exit-codes.ts";

/**
 * Picks a role and loads only what it needs: the vrrp process must come up without commander, yaml or zod.
 * The roles under `internal` are started by the supervisor, never by people.
 */
const INTERNAL_ROLES: Readonly<Record<string, () => Promise<unknown>>> = {};

async function main(argv: readonly string[]): Promise<ExitCode> {
  const [first, role = ""] = argv;
  const internal = first === "internal" ? INTERNAL_ROLES[role] : undefined;
  if (internal !== undefined) {
    await internal();
    return 0;
  }
  const [{ runProgram }, { readVersion }, { DirectorError }] = await Promise.all([
    import("./cli/program.ts"),
    import("./cli/version.ts"),
    import("./base/director-error.ts"),
  ]);
  const missing = async (): Promise<ExitCode> => {
    throw new DirectorError("CHILD_FAILED", "this build of holdfast has no daemon");
  };
  const stream = (output: NodeJS.WriteStream) => ({
    write: (text: string) => void output.write(text),
    isTerminal: output.isTTY === true,
  });
  const terminal = { out: stream(process.stdout), err: stream(process.stderr), env: process.env };
  return runProgram(argv, readVersion(), { run: missing, reload: missing, status: missing }, terminal);
}

// The exit code is set and not forced, so that everything printed reaches a pipe.
process.exitCode = await main(process.argv.slice(2));

#!/usr/bin/env node
import { join } from "node:path";
import { fileURLToPath } from "node:url";
import type { ExitCode } from "./base/exit-codes.ts";

/**
 * Picks a role and loads only what it needs: the vrrp process must come up without commander, yaml or zod.
 * The roles under `internal` are started by the supervisor, never by people.
 */
const INTERNAL_ROLES: Readonly<Record<string, () => Promise<void>>> = {
  vrrp: async () => (await import("./app/vrrp-process.ts")).runVrrpProcess(),
  checker: async () => (await import("./app/checker-process.ts")).runCheckerProcess(),
};

async function main(argv: readonly string[]): Promise<ExitCode | null> {
  const [first, role = ""] = argv;
  const internal = first === "internal" && process.send !== undefined ? INTERNAL_ROLES[role] : undefined;
  if (internal !== undefined) {
    await internal();
    return null;
  }
  const [{ runProgram }, { readVersion }, { nodeFiles }, { reloadCommand, statusCommand }] = await Promise.all([
    import("./cli/program.ts"),
    import("./cli/version.ts"),
    import("./cli/node-files.ts"),
    import("./cli/daemon-commands.ts"),
  ]);
  const stream = (output: NodeJS.WriteStream) => ({
    write: (text: string) => void output.write(text),
    isTerminal: output.isTTY === true,
  });
  const terminal = { out: stream(process.stdout), err: stream(process.stderr), env: process.env };
  const handlers = {
    run: async (options: { readonly file: string; readonly runDir: string; readonly stateDir: string }) => {
      const [{ runDaemon }, { hostname }] = await Promise.all([import("./app/daemon.ts"), import("node:os")]);
      return runDaemon(
        {
          ...options,
          nodeName: hostname(),
          version: readVersion(),
          program: fileURLToPath(import.meta.url),
          isTerminal: terminal.out.isTerminal,
          env: process.env,
        },
        { files: nodeFiles, complain: terminal.err.write },
      );
    },
    reload: ({ runDir }: { readonly runDir: string }) =>
      reloadCommand({ controlSocket: controlSocketIn(runDir), json: false }, terminal),
    status: ({ runDir, json }: { readonly runDir: string; readonly json: boolean }) =>
      statusCommand({ controlSocket: controlSocketIn(runDir), json }, terminal),
  };
  return runProgram(argv, readVersion(), handlers, terminal);
}

function controlSocketIn(runDir: string): string {
  return join(runDir, "control.sock");
}

// The exit code is set and not forced, so that everything printed reaches a pipe.
const exitCode = await main(process.argv.slice(2));
if (exitCode !== null) process.exitCode = exitCode;

import { assert, unreachable } from "../base/assert.ts";
import type { CheckConfig } from "../config/model.ts";
import type { ProcessRunner } from "../ports/process-runner.ts";
import type { TcpConnector } from "../ports/tcp-connector.ts";
import { BodyPattern } from "./body-pattern.ts";
import { bySignal, type Checker, type CheckTarget } from "./checker.ts";
import type { HttpChecker } from "./http.ts";
import { ScriptChecker } from "./script.ts";
import { TcpChecker } from "./tcp.ts";
import { TlsContexts } from "./tls-settings.ts";

/** Makes a checker for a check of the configuration. */
export type CheckerFactory = (check: CheckConfig, target: CheckTarget) => Checker;

/** The checker for HTTP with the client that it needs, a third of what the checker process would load; for those who check by it. */
export async function loadHttpChecker(): Promise<typeof HttpChecker> {
  return (await import("./http.ts")).HttpChecker;
}

/**
 * A factory for one configuration: its checkers share compiled patterns and TLS contexts (both bounded by the distinct
 * ones in the configuration), and its TLS files are read once. Make another one when the configuration changes.
 */
export function createCheckerFactory(ports: {
  readonly connector: TcpConnector;
  readonly runner: ProcessRunner;
  /** null = no check of the configuration is of this type. */
  readonly Http: typeof HttpChecker | null;
}): CheckerFactory {
  const contexts = new TlsContexts();
  const patterns = new Map<string, BodyPattern>();
  const pattern = (source: string): BodyPattern => {
    const known = patterns.get(source) ?? new BodyPattern(source);
    patterns.set(source, known);
    return known;
  };
  return (check, target) => {
    switch (check.type) {
      case "tcp":
        return new TcpChecker({ check, target }, ports.connector);
      case "http":
        assert(ports.Http !== null, "an http check in a configuration without one");
        return new ports.Http({ check, target }, { contexts, pattern });
      case "script":
        return bySignal(new ScriptChecker({ check, target }, ports.runner));
      default:
        return unreachable(check);
    }
  };
}

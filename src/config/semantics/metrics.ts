import { formatEndpoint } from "../../base/endpoint.ts";
import { isLoopback } from "../../base/ip.ts";
import type { ParsedFile } from "../parsed-file.ts";
import type { ConfigProblem } from "../problem.ts";
import type { RawRoot } from "../schema/root.ts";

/** The metrics name every server, and who reads them is not asked for a name. */
export function metricsProblems(main: ParsedFile, raw: RawRoot | null): readonly ConfigProblem[] {
  const listen = raw?.metrics?.listen;
  if (listen === undefined || isLoopback(listen.address)) return [];
  return [
    main.problem(["metrics", "listen"], {
      severity: "warning",
      code: "suspicious",
      message: `everybody who reaches ${formatEndpoint(listen)} can read the metrics, without a password`,
      hint: `let a firewall admit only Prometheus; or write listen: ${listen.port} and scrape on this machine`,
    }),
  ];
}

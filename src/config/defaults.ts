import { MICROSECONDS_PER_SECOND as S } from "../base/duration.ts";

/** The defaults of the configuration, in one place; the schema's descriptions name them and a test compares. */
export const DEFAULTS = {
  logLevel: "info",
  logFormat: "text",
  onStop: "remove",
  manageSysctls: false,
  maxConcurrentScripts: 64,
  priority: 100,
  advertIntervalUs: S,
  checksum: "pseudo-header",
  scheduler: "wlc",
  forward: "nat",
  onDown: "remove",
  weight: 1,
  checkIntervalUs: 2 * S,
  checkTimeoutUs: S,
  rise: 2,
  fall: 3,
  path: "/",
  method: "GET",
  expectStatus: { from: 200, to: 299 },
  maxBodyBytes: 64 * 1024,
} as const;

import { DAEMON_FAMILIES } from "./daemon-families.ts";
import type { Family } from "./family.ts";
import { SERVICE_FAMILIES } from "./service-families.ts";
import { VRRP_FAMILIES } from "./vrrp-families.ts";

/** Everything that a scrape shows, in its order. docs/metrics.md is written from this. */
export const FAMILIES: readonly Family[] = [...DAEMON_FAMILIES, ...VRRP_FAMILIES, ...SERVICE_FAMILIES];

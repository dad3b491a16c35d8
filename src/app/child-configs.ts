import { withHeaderSecrets } from "../config/header-secrets.ts";
import type { DirectorConfig } from "../config/model.ts";
import type { CheckerProcessConfig, CheckerTrackConfig, ServerOverride, VrrpProcessConfig } from "./messages.ts";
import type { LoadedConfig } from "./reloader.ts";

/** @param resting names of instances that a new process starts at rest */
export function vrrpProcessConfig(
  { config, keys }: Pick<LoadedConfig, "config" | "keys">,
  resting: readonly string[],
  runDir: string,
): VrrpProcessConfig {
  const { instances, groups, vrrp } = config;
  return { instances, groups, realtime: vrrp.realtime, runDir, keys, resting };
}

/** @param overrides what stands over the checks */
export function checkerProcessConfig(
  { config, headerSecrets }: Pick<LoadedConfig, "config" | "headerSecrets">,
  overrides: readonly ServerOverride[],
  stateDir: string,
): CheckerProcessConfig {
  const { ipvs, scripts, sync } = config;
  const services = withHeaderSecrets(config.services, headerSecrets);
  return { services, ipvs, scripts, sync, track: trackConfig(config), overrides, stateDir };
}

/** What of the things that instances track is for the checker to judge. */
function trackConfig({ instances }: DirectorConfig): CheckerTrackConfig {
  const services = instances.flatMap(({ track }) => track.services.map(({ service }) => service));
  return {
    scripts: instances.flatMap(({ name, track }) => track.scripts.map((script) => ({ instance: name, script }))),
    services: [...new Set(services)],
  };
}

import { ControlClient } from "../../control/client.ts";
import type { DirectorStatus } from "../../control/status.ts";
import type { NameSource } from "./complete.ts";

/** A person waits with a finger on the key. */
const TIMEOUT_MS = 1_000;

/** Names from the daemon behind a control socket. Where nobody answers there are none: a completion does not complain. */
export function namesFromDaemon(controlSocket: string): NameSource {
  const ask = async (): Promise<Pick<DirectorStatus, "instances" | "services">> => {
    try {
      return await new ControlClient({ path: controlSocket, timeoutMs: TIMEOUT_MS }).status();
    } catch {
      return { instances: [], services: [] };
    }
  };
  return {
    instances: async () => (await ask()).instances.map(({ name }) => name),
    services: async () => (await ask()).services.map(({ name }) => name),
    servers: async (service) => {
      const { services } = await ask();
      const named = services.filter(({ name }) => name === service);
      const servers = (named.length > 0 ? named : services).flatMap((one) => one.servers.map(({ server }) => server));
      return [...new Set(servers)];
    },
  };
}

import { formatEndpoint, formatListenEndpoint } from "../base/endpoint.ts";
import type { DestinationIdentity, ServiceIdentity } from "./model.ts";

/**
 * Text that is equal for equal services and for no others: `tcp://192.0.2.10:80`. People read it in logs, and it is what
 * the file of owned services holds. The family follows from the address.
 */
export function serviceKey(service: ServiceIdentity): string {
  return formatListenEndpoint(service);
}

/** As serviceKey, for a destination within its service: `10.0.0.11:80`. */
export function destinationKey(destination: DestinationIdentity): string {
  return formatEndpoint(destination);
}

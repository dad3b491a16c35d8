import { destinationKey, serviceKey } from "./keys.ts";
import type { IpvsOperation } from "./model.ts";
import type { CurrentDestination, CurrentService, CurrentTable } from "./observed.ts";

/** Why the kernel would refuse an operation, by the name of its error number. */
export type RefusalReason = "EEXIST" | "ESRCH" | "ENOENT";

export interface AppliedTable {
  readonly table: CurrentTable;
  readonly refused: readonly { readonly operation: IpvsOperation; readonly reason: RefusalReason }[];
}

interface MutableService {
  readonly service: CurrentService;
  readonly destinations: Map<string, CurrentDestination>;
}

/**
 * What the kernel would make of operations, one after the other; a refused one does not stop the rest. The kernel's rules
 * about values (ranges, addresses, schedulers) are not modelled, only those about what exists.
 * @returns the table afterwards, in the order of the old one with additions behind
 */
export function applyOperations(current: CurrentTable, operations: readonly IpvsOperation[]): AppliedTable {
  const table = new Map<string, MutableService>(); // bounded by the table and the operations
  for (const service of current) {
    const destinations = new Map(service.destinations.map((destination) => [destinationKey(destination), destination]));
    table.set(serviceKey(service), { service, destinations });
  }
  const refused: { operation: IpvsOperation; reason: RefusalReason }[] = [];
  for (const operation of operations) {
    const reason = applyOne(table, operation);
    if (reason !== null) refused.push({ operation, reason });
  }
  return {
    table: [...table.values()].map(({ service, destinations }) => ({
      ...service,
      destinations: [...destinations.values()],
    })),
    refused,
  };
}

function applyOne(table: Map<string, MutableService>, operation: IpvsOperation): RefusalReason | null {
  const key = serviceKey(operation.service);
  const existing = table.get(key);
  if (operation.type === "addService") {
    if (existing !== undefined) return "EEXIST";
    const service = { ...operation.service, ...operation.settings, destinations: [] };
    table.set(key, { service, destinations: new Map() });
    return null;
  }
  if (existing === undefined) return "ESRCH";
  switch (operation.type) {
    case "setService":
      table.set(key, { ...existing, service: { ...operation.service, ...operation.settings, destinations: [] } });
      return null;
    case "deleteService":
      table.delete(key);
      return null;
    case "addDestination": {
      const destination = destinationKey(operation.destination);
      if (existing.destinations.has(destination)) return "EEXIST";
      existing.destinations.set(destination, operation.destination);
      return null;
    }
    case "setDestination": {
      const destination = destinationKey(operation.destination);
      if (!existing.destinations.has(destination)) return "ENOENT";
      existing.destinations.set(destination, operation.destination);
      return null;
    }
    case "deleteDestination":
      return existing.destinations.delete(destinationKey(operation.destination)) ? null : "ENOENT";
  }
}

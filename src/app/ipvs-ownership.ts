import { formatListenEndpoint, parseListenEndpoint } from "../base/endpoint.ts";
import type { Logger } from "../ports/logger.ts";
import type { StateStore } from "./state-store.ts";

const VERSION = 1;
/** More services than this are no table of ours; a bigger file is damaged. */
const MAX_SERVICES = 65_536;

/**
 * The services in the kernel that are holdfast's own, by their keys: only these may be deleted. It is written before the
 * kernel's table grows and after it shrinks, so that a crash in between leaves a service that is listed and not there,
 * never one that is there and not listed.
 *
 * The list counts for one boot: the kernel's table does not survive the machine, and what stands under the same address
 * after a boot may be somebody else's.
 */
export class IpvsOwnership {
  readonly #bootId: string;
  readonly #store: StateStore;
  readonly #logger: Logger;
  /** Bounded by the configured services and those of the configuration before. */
  #keys: ReadonlySet<string>;
  #isSaved: boolean;

  private constructor(bootId: string, keys: ReadonlySet<string>, store: StateStore, logger: Logger) {
    this.#bootId = bootId;
    this.#keys = keys;
    this.#isSaved = true;
    this.#store = store;
    this.#logger = logger;
  }

  /**
   * Never fails: without a usable list nothing is owned, and a warning says what that means.
   * @param options.bootId what is different after every boot (/proc/sys/kernel/random/boot_id)
   */
  static load(
    options: { readonly bootId: string },
    collaborators: { readonly store: StateStore; readonly logger: Logger },
  ): IpvsOwnership {
    const { store, logger } = collaborators;
    const file = store.load((value) => (parseOwnership(value) === null ? "it is not such a list" : undefined));
    let keys: ReadonlySet<string> = new Set();
    if (!file.ok) {
      const { message } = file.error;
      warn(logger, `the list of IPVS services that holdfast owns cannot be read: ${message}; ${CONSEQUENCE}`);
    } else if (file.value.type === "damaged") {
      const { reason, movedTo } = file.value;
      const what = `the list of IPVS services that holdfast owns is damaged (${reason}) and set aside as ${movedTo}`;
      warn(logger, `${what}; ${CONSEQUENCE}`);
    } else if (file.value.type === "read") {
      const list = parseOwnership(file.value.value);
      if (list?.bootId === options.bootId) keys = new Set(list.services);
    }
    return new IpvsOwnership(options.bootId, keys, store, logger);
  }

  /** Keys of the services that may be deleted. */
  get keys(): ReadonlySet<string> {
    return this.#keys;
  }

  /** Call before creating or taking over services. A failure to save is warned about: serving comes before tidiness. */
  grow(keys: Iterable<string>): void {
    this.#replace(new Set([...this.#keys, ...keys]));
  }

  /** Call after services were deleted, with those that are left. */
  shrinkTo(keys: Iterable<string>): void {
    this.#replace(new Set(keys));
  }

  #replace(keys: ReadonlySet<string>): void {
    const isSame = keys.size === this.#keys.size && [...keys].every((key) => this.#keys.has(key));
    if (isSame && this.#isSaved) return;
    this.#keys = keys;
    const text = JSON.stringify({ version: VERSION, bootId: this.#bootId, services: [...keys].sort() });
    const saved = this.#store.save(`${text}\n`);
    this.#isSaved = saved.ok;
    if (!saved.ok) {
      const { message } = saved.error;
      warn(
        this.#logger,
        `the list of IPVS services that holdfast owns cannot be saved: ${message}; it goes on, but after a crash it would not remove services that are no longer configured`,
      );
    }
  }
}

const CONSEQUENCE =
  "services of an earlier configuration that are still in the kernel are taken for foreign and stay; `ipvsadm -Ln` shows them";

/** What a list says to somebody who only looks: nothing is set aside, and one that cannot be used lists nothing. */
export function ownedServices(text: string, bootId: string): ReadonlySet<string> {
  try {
    const list = parseOwnership(JSON.parse(text));
    return new Set(list?.bootId === bootId ? list.services : []);
  } catch {
    return new Set();
  }
}

/** @returns null for a value that is no list of this version */
function parseOwnership(value: unknown): { readonly bootId: string; readonly services: readonly string[] } | null {
  if (typeof value !== "object" || value === null) return null;
  const { version, bootId, services } = value as Readonly<Record<string, unknown>>;
  if (version !== VERSION || typeof bootId !== "string" || !Array.isArray(services)) return null;
  if (services.length > MAX_SERVICES || !services.every(isServiceKey)) return null;
  return { bootId, services };
}

function isServiceKey(value: unknown): value is string {
  if (typeof value !== "string") return false;
  const endpoint = parseListenEndpoint(value);
  return endpoint.ok && formatListenEndpoint(endpoint.value) === value;
}

function warn(logger: Logger, message: string): void {
  logger.log({ level: "warning", source: "checker", message });
}

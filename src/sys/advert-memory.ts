import {
  closeSync,
  existsSync,
  mkdirSync,
  openSync,
  readdirSync,
  readFileSync,
  rmSync,
  statfsSync,
  writeSync,
} from "node:fs";
import { join } from "node:path";

/** Folder in the run directory: a file for each virtual router that is master, named after interface and VRID. */
const FOLDER = "adverts";
/** TMPFS_MAGIC, RAMFS_MAGIC of linux/magic.h. */
const IN_MEMORY: readonly number[] = [0x01021994, 0x858458f6];
/** Two numbers of microseconds, padded: every write covers the one before. */
const RECORD_BYTES = 40;
const RECORD = /^(\d{1,16}) (\d{1,16}) *\n$/;

/** What a master that was killed said last. */
export interface LastAdvert {
  /** CLOCK_MONOTONIC, which all processes of a boot share. */
  readonly atUs: number;
  /** The interval that it told its peers. */
  readonly intervalUs: number;
}

/** Remembers the last advert of one virtual router beyond the end of this process. Nothing here throws. */
export interface AdvertSlot {
  remember(advert: LastAdvert): void;
  /** It is no longer master, or has said that it leaves. Idempotent. */
  forget(): void;
}

/**
 * When each master of this node last sent an advert, for a vrrp process that comes after one that was killed: its peers count their
 * down interval from then. A few bytes in a file, 2 µs for each advert, and only where the run directory lies in memory: a
 * disk could hold up the next one.
 */
export class AdvertMemory {
  readonly #folder: string | null;
  /** From the run before; as many as it had instances. */
  readonly #recalled: ReadonlyMap<string, LastAdvert>;

  private constructor(folder: string | null, recalled: ReadonlyMap<string, LastAdvert>) {
    this.#folder = folder;
    this.#recalled = recalled;
  }

  /** Takes over what the run before left; it is there once. Without a usable folder nothing is remembered. */
  static open(runDir: string): AdvertMemory {
    const folder = join(runDir, FOLDER);
    try {
      // Not recursive: the run directory exists, and Node tries for ever where a file system takes no folders.
      if (!existsSync(folder)) mkdirSync(folder, { mode: 0o700 });
      if (!IN_MEMORY.includes(statfsSync(folder).type)) return new AdvertMemory(null, new Map());
      const recalled = new Map<string, LastAdvert>();
      for (const name of readdirSync(folder)) {
        const advert = parse(readFileSync(join(folder, name), "latin1"));
        if (advert !== null) recalled.set(name, advert);
        rmSync(join(folder, name), { force: true });
      }
      return new AdvertMemory(folder, recalled);
    } catch {
      return new AdvertMemory(null, new Map());
    }
  }

  recall(interfaceName: string, vrid: number): LastAdvert | undefined {
    return this.#recalled.get(keyOf(interfaceName, vrid));
  }

  slot(interfaceName: string, vrid: number): AdvertSlot {
    const path = this.#folder === null ? null : join(this.#folder, keyOf(interfaceName, vrid));
    let fd: number | null = null;
    return {
      remember: ({ atUs, intervalUs }) => {
        if (path === null) return;
        try {
          fd ??= openSync(path, "w", 0o600);
          writeSync(fd, `${atUs} ${intervalUs}`.padEnd(RECORD_BYTES - 1).concat("\n"), 0);
        } catch {
          // The next process listens before it serves: that is always right.
        }
      },
      forget: () => {
        if (fd === null || path === null) return;
        try {
          rmSync(path, { force: true });
          closeSync(fd);
        } catch {
          // As above; a record that stays is soon too old to count.
        }
        fd = null;
      },
    };
  }
}

function keyOf(interfaceName: string, vrid: number): string {
  return `${interfaceName} ${vrid}`;
}

function parse(text: string): LastAdvert | null {
  const [, atUs, intervalUs] = RECORD.exec(text) ?? [];
  return atUs === undefined ? null : { atUs: Number(atUs), intervalUs: Number(intervalUs) };
}

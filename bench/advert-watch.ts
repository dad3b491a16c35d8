import { type ChildProcess, spawn } from "node:child_process";
import type { Running } from "../test/lab/support/commands.ts";
import type { Host } from "../test/lab/support/hosts.ts";
import { waitFor } from "../test/lab/support/wait.ts";
import { type Advert, adverts } from "../test/lab/support/witness.ts";

/** tcpdump on a host, read as it speaks: adverts to act upon at once, and to look at afterwards. */
export class AdvertWatch {
  readonly #program: Running;
  /** Bounded by `clear`, which every case calls. */
  #heard: Advert[] = [];
  #pending: { readonly isMeant: (advert: Advert) => boolean; readonly act: () => void } | null = null;

  private constructor(host: Host) {
    const filter = ["-l", "--immediate-mode", "-tt", "-nn", "-i", "eth0", "ip proto 112"];
    this.#program = host.start(["tcpdump", ...filter], {
      name: `tcpdump on ${host.name}`,
      onLine: (line) => this.#hear(line),
    });
  }

  static async up(host: Host): Promise<AdvertWatch> {
    const watch = new AdvertWatch(host);
    await watch.#program.line(/listening on/);
    return watch;
  }

  #hear(line: string): void {
    for (const advert of adverts([line])) {
      this.#heard.push(advert);
      const pending = this.#pending;
      if (pending === null || !pending.isMeant(advert)) continue;
      this.#pending = null;
      // What was heard before belongs to another time: a peer may have taken over and given back.
      this.#heard = [advert];
      pending.act();
    }
  }

  clear(): void {
    this.#heard = [];
  }

  get heard(): readonly Advert[] {
    return this.#heard;
  }

  /** Acts in the very turn in which the next advert of an address is heard. */
  async actUpon(source: string, act: () => void): Promise<void> {
    let done = false;
    this.#pending = {
      isMeant: (advert) => advert.source === source && advert.priority > 0,
      act: () => {
        done = true;
        act();
      },
    };
    await waitFor(
      `an advert of ${source}`,
      () => done,
      (seen) => seen,
      { withinMs: 10_000, everyMs: 5 },
    );
  }

  /** Waits for an advert of an address as master, heard since `clear`. */
  async until(source: string): Promise<Advert> {
    const find = () => this.#heard.find((advert) => advert.source === source && advert.priority > 0);
    const { seen } = await waitFor(`${source} advertises`, find, (found) => found !== undefined, {
      withinMs: 20_000,
      show: () => JSON.stringify(this.#heard.slice(-5)),
    });
    if (seen === undefined) throw new Error("unreachable: waitFor returns what is good");
    return seen;
  }

  async down(): Promise<void> {
    await this.#program.stop("SIGINT");
  }
}

/** Bridge ports that open and close when asked: a program that had to be started first would be late by milliseconds. */
export class Switch {
  readonly #child: ChildProcess;

  constructor() {
    this.#child = spawn("bridge", ["-force", "-batch", "-"], { stdio: ["pipe", "inherit", "inherit"] });
  }

  /** Loses every frame of a host from now on; its link stays up. */
  cut(host: Host): void {
    this.#set(host, "disabled");
  }

  restore(host: Host): void {
    this.#set(host, "forwarding");
  }

  #set(host: Host, state: "disabled" | "forwarding"): void {
    const number = state === "disabled" ? 0 : 3;
    for (const { port } of host.cables) this.#child.stdin?.write(`link set dev ${port} state ${number}\n`);
  }

  close(): void {
    this.#child.stdin?.end();
    this.#child.kill("SIGTERM");
  }
}

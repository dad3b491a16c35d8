import { type ChildProcess, fork } from "node:child_process";

/** Bytes of last words that wait for whoever reads our stderr, at most. */
const MAX_WAITING_WORDS = 65_536;

/** A child process from its first moment: its end is not lost, however late somebody asks. */
export class StartedChild {
  readonly process: ChildProcess;
  #end: { readonly code: number | null; readonly signal: string | null } | null = null;
  #onEnd: ((code: number | null, signal: string | null) => void) | null = null;

  /**
   * @param program what it runs
   * @param args the role argument for it
   */
  constructor(program: string, args: readonly string[]) {
    this.process = fork(program, [...args], {
      // Nothing is inherited: libuv makes the descriptors of a child's standard streams block, and these would be ours as well, so
      // that a log which nobody reads stopped this process. A child logs by messages.
      stdio: ["ignore", "ignore", "pipe", "ipc"],
      serialization: "json",
      // Ctrl-C reaches every process of the terminal's group, and a child that is still loading would die of it.
      detached: true,
    });
    // The last words of a child, such as the place of a fault, go to our own stderr.
    this.process.stderr?.on("data", (words: Buffer) => {
      if (process.stderr.writableLength < MAX_WAITING_WORDS) process.stderr.write(words);
    });
    // Not "exit", which may come before the child's last messages. Those wait until somebody listens.
    this.process.on("close", (code, signal) => this.#ended(code, signal));
    // Spawning failed, or a message could not be sent; the latter is followed by "close".
    this.process.on("error", () => {
      if (this.process.pid === undefined) this.#ended(null, null);
    });
  }

  /** Calls back when the process has ended, exactly once, and never from inside this call. */
  onEnd(listener: (code: number | null, signal: string | null) => void): void {
    this.#onEnd = listener;
    const end = this.#end;
    if (end !== null) setImmediate(() => listener(end.code, end.signal));
  }

  #ended(code: number | null, signal: string | null): void {
    if (this.#end !== null) return;
    this.#end = { code, signal };
    this.#onEnd?.(code, signal);
  }
}

export type ChildName = "vrrp" | "checker";

/** What a child is told to be. */
export function roleArguments(name: ChildName): readonly string[] {
  return ["internal", name];
}

/**
 * The children of a daemon, begun before it has read its configuration: they load their part of the program on another
 * processor meanwhile. Until they are configured they do nothing, and hold nothing.
 */
export class FirstChildren {
  readonly #waiting: Map<ChildName, StartedChild>;

  constructor(program: string) {
    const begin = (name: ChildName) => [name, new StartedChild(program, roleArguments(name))] as const;
    this.#waiting = new Map([begin("vrrp"), begin("checker")]);
  }

  /** The first child of a role, for whoever looks after it from here on; undefined = it was taken before. */
  take(name: ChildName): StartedChild | undefined {
    const child = this.#waiting.get(name);
    this.#waiting.delete(name);
    return child;
  }

  /** Ends those that nobody took. */
  end(): void {
    for (const { process } of this.#waiting.values()) process.kill("SIGKILL");
    this.#waiting.clear();
  }
}

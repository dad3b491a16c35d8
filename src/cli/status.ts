import { setTimeout as sleep } from "node:timers/promises";
import { DirectorError } from "../base/director-error.ts";
import { formatDurationUs } from "../base/duration.ts";
import { EXIT, type ExitCode } from "../base/exit-codes.ts";
import { asSentence } from "../base/sentence.ts";
import { offerFor } from "../config/nearest.ts";
import { ControlClient } from "../control/client.ts";
import type { DirectorStatus } from "../control/status.ts";
import { withDaemon } from "./daemon-commands.ts";
import { Screen } from "./screen.ts";
import { ago } from "./status-parts.ts";
import { renderStatus } from "./status-view.ts";
import { paintsFor, type Terminal } from "./terminal.ts";

const ASK_TIMEOUT_MS = 5_000;

export interface StatusCommandOptions {
  readonly controlSocket: string;
  readonly json: boolean;
  /** Every server of every service. */
  readonly all: boolean;
  /** Only this service. */
  readonly service: string | null;
  /** Asks again this often; null = once. */
  readonly watchUs: number | null;
}

/** `holdfast status`: 0 healthy, 3 degraded, 4 no daemon, 64 where there is no such service. */
export async function statusCommand(
  options: StatusCommandOptions,
  terminal: Terminal,
  signal: AbortSignal,
): Promise<ExitCode> {
  const client = new ControlClient({ path: options.controlSocket, timeoutMs: ASK_TIMEOUT_MS });
  return withDaemon(terminal, async () => {
    const status = await client.status();
    const problem = noSuchService(status, options.service);
    if (problem !== null) {
      terminal.err.write(`holdfast: ${problem}\n`);
      return EXIT.USAGE;
    }
    if (options.watchUs !== null) {
      await new Watch(options, options.watchUs, client, terminal).run(status, signal);
      return EXIT.OK;
    }
    terminal.out.write(options.json ? `${JSON.stringify(status, null, 2)}\n` : render(status, options, terminal));
    return status.health === "healthy" ? EXIT.OK : EXIT.DEGRADED;
  });
}

/** @param rows height of a screen that does not scroll; null = it does */
function render(
  status: DirectorStatus,
  { all, service }: StatusCommandOptions,
  terminal: Terminal,
  rows: number | null = null,
): string {
  const columns = terminal.out.size?.()?.columns ?? null;
  return renderStatus(status, { nowMs: Date.now(), paint: paintsFor(terminal), columns, rows, all, service });
}

function noSuchService({ services }: DirectorStatus, wanted: string | null): string | null {
  if (wanted === null || services.some(({ name }) => name === wanted)) return null;
  const names = services.map(({ name }) => name);
  return asSentence(`there is no service ${wanted}; ${offerFor(wanted, names)}`);
}

/** Asks again and again, and draws on a screen, or prints one answer after the other where there is none. */
class Watch {
  readonly #options: StatusCommandOptions;
  readonly #everyUs: number;
  readonly #client: ControlClient;
  readonly #terminal: Terminal;
  readonly #screen: Screen;
  #last: DirectorStatus | null = null;
  /** When the daemon stopped answering; null = it answers. */
  #goneAtMs: number | null = null;

  constructor(options: StatusCommandOptions, everyUs: number, client: ControlClient, terminal: Terminal) {
    this.#options = options;
    this.#everyUs = everyUs;
    this.#client = client;
    this.#terminal = terminal;
    this.#screen = new Screen(terminal.out);
  }

  async run(first: DirectorStatus, signal: AbortSignal): Promise<void> {
    const { out } = this.#terminal;
    const stopResizing = out.onResize?.(() => this.#show());
    const stopSuspending = this.#isDrawn ? out.onSuspend?.(this.#aroundStop()) : undefined;
    this.#last = first;
    const aborted = new Promise<void>((resolve) => signal.addEventListener("abort", () => resolve(), { once: true }));
    try {
      if (this.#isDrawn) this.#screen.open();
      for (;;) {
        this.#show();
        await sleep(this.#everyUs / 1000, undefined, { signal }).catch(() => undefined);
        if (signal.aborted) return;
        // A daemon that hangs must not keep the terminal from who wants it back.
        await Promise.race([this.#ask(), aborted]);
        if (signal.aborted) return;
      }
    } finally {
      stopResizing?.();
      stopSuspending?.();
      this.#screen.close();
    }
  }

  #aroundStop() {
    return {
      leave: () => this.#screen.close(),
      enter: () => {
        this.#screen.reopen();
        this.#show();
      },
    };
  }

  get #isDrawn(): boolean {
    return this.#terminal.out.isTerminal && !this.#options.json;
  }

  async #ask(): Promise<void> {
    try {
      this.#last = await this.#client.status();
      this.#goneAtMs = null;
    } catch (thrown) {
      if (!(thrown instanceof DirectorError)) throw thrown;
      if (this.#goneAtMs === null && !this.#isDrawn)
        this.#terminal.err.write(`holdfast: ${thrown.message}; waiting for it.\n`);
      this.#goneAtMs ??= Date.now();
    }
  }

  #show(): void {
    if (this.#last === null) return;
    if (this.#isDrawn) this.#screen.draw(this.#frame(this.#last));
    else if (this.#goneAtMs === null)
      this.#terminal.out.write(
        this.#options.json
          ? `${JSON.stringify(this.#last)}\n`
          : `${render(this.#last, this.#options, this.#terminal)}\n`,
      );
  }

  #frame(status: DirectorStatus): string {
    const paint = paintsFor(this.#terminal);
    const rows = this.#terminal.out.size?.()?.rows ?? null;
    const text = render(status, this.#options, this.#terminal, rows);
    const time = new Date().toLocaleTimeString("sv-SE");
    const head = paint.dim(`${time}  every ${formatDurationUs(this.#everyUs)}  Ctrl-C ends`);
    if (this.#goneAtMs === null) return `${head}\n${text}`;
    const gone = `NO DAEMON ANSWERS for ${ago(Date.now() - this.#goneAtMs)}; this is what the last one said:`;
    return `${head}\n${paint.bad(gone)}\n${text}`;
  }
}

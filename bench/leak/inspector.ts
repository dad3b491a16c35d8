import assert from "node:assert/strict";
import { WebSocket } from "undici";

interface Answer {
  readonly id?: number;
  readonly result?: Record<string, unknown>;
  readonly error?: { readonly message: string };
}

/** A process of Node seen through its debugger: it runs the program as it is, and somebody else asks for its heap. */
export class Inspector {
  readonly #socket: WebSocket;
  /** Who waits for an answer; one at a time. */
  readonly #waiting = new Map<number, (answer: Answer) => void>();
  #asked = 0;

  private constructor(socket: WebSocket) {
    this.#socket = socket;
    socket.addEventListener("message", ({ data }) => {
      const answer = JSON.parse(String(data)) as Answer;
      if (answer.id === undefined) return;
      this.#waiting.get(answer.id)?.(answer);
      this.#waiting.delete(answer.id);
    });
  }

  /** @param url as Node prints it: `ws://127.0.0.1:9229/…` */
  static async connect(url: string): Promise<Inspector> {
    const socket = new WebSocket(url);
    await new Promise<void>((resolve, reject) => {
      socket.addEventListener("open", () => resolve());
      socket.addEventListener("error", () => reject(new Error(`no debugger answers at ${url}`)));
    });
    return new Inspector(socket);
  }

  async #call(method: string, params: Record<string, unknown> = {}): Promise<Record<string, unknown>> {
    this.#asked += 1;
    const id = this.#asked;
    const answer = await new Promise<Answer>((resolve) => {
      this.#waiting.set(id, resolve);
      this.#socket.send(JSON.stringify({ id, method, params }));
    });
    assert.ok(answer.result !== undefined, `${method}: ${answer.error?.message}`);
    return answer.result;
  }

  async evaluate(expression: string): Promise<unknown> {
    const { result } = await this.#call("Runtime.evaluate", { expression, returnByValue: true });
    return (result as { readonly value?: unknown }).value;
  }

  /** What is reachable in its heap, bytes: everything else is collected first. */
  async heapBytes(): Promise<number> {
    await this.#call("HeapProfiler.collectGarbage");
    const { usedSize } = await this.#call("Runtime.getHeapUsage");
    return Number(usedSize);
  }

  close(): void {
    this.#socket.close();
  }
}

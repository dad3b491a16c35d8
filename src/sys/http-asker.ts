import { request } from "node:http";
import { type Endpoint, formatEndpoint } from "../base/endpoint.ts";
import type { Asker } from "../ports/asker.ts";

/** Of the body only so much is waited for. */
const MAX_BODY_BYTES = 65_536;

/** Asks by GET over a connection of its own each time; a status below 400 is an answer once the whole body is there. */
export class HttpAsker implements Asker {
  readonly #endpoint: Endpoint;
  readonly #path: string;

  constructor(endpoint: Endpoint, path: string) {
    this.#endpoint = endpoint;
    this.#path = path;
  }

  ask(_id: number, done: (failure: string | null) => void) {
    let isOver = false;
    const settle = (failure: string | null): void => {
      if (isOver) return;
      isOver = true;
      done(failure);
    };
    const { address, port } = this.#endpoint;
    const sent = request({
      host: address,
      port,
      path: this.#path,
      agent: false,
      headers: { host: formatEndpoint(this.#endpoint), connection: "close", "user-agent": "holdfast-probe" },
    });
    sent.on("response", (response) => {
      const { statusCode = 0 } = response;
      const finish = () => settle(statusCode < 400 ? null : `status ${statusCode}`);
      let bytes = 0;
      response.on("data", (chunk: Buffer) => {
        bytes += chunk.length;
        if (bytes < MAX_BODY_BYTES) return;
        finish();
        sent.destroy();
      });
      response.on("end", finish);
      response.on("error", (error) => settle(error.message));
    });
    sent.on("error", (error: NodeJS.ErrnoException) => settle(error.code ?? error.message));
    sent.end();
    return {
      forget: () => {
        isOver = true;
        sent.destroy();
      },
    };
  }

  close(): void {
    // Each connection ends with its question.
  }
}

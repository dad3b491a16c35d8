// lab-needs: ipvs
// A thousand short requests, one after another, while the service is handed over: at most the one in flight fails.
import assert from "node:assert/strict";
import type { Outcome } from "./support/commands.ts";
import { lastWords, type Pair, startPair } from "./support/pair.ts";
import type { Method, Topology } from "./support/topology.ts";
import { waitFor } from "./support/wait.ts";

const REQUESTS = 1_000;
/** A SYN that nobody answers is sent again after a second; nothing else here takes nearly as long. */
const SYN_RETRANSMISSION_S = 0.95;

interface Request {
  readonly code: string;
  readonly connectS: number;
  readonly error: string;
}

/** Sends the requests over a connection each. @returns curl's own account of each */
async function requests(topology: Topology): Promise<Request[]> {
  const { stdout } = (await topology.client.execAsync([
    ...["curl", "--silent", "--noproxy", "*", "--globoff", "--no-keepalive", "--header", "Connection: close"],
    ...["--max-time", "8", "--output", "/dev/null", "--write-out", "%{http_code} %{time_connect} %{errormsg}\\n"],
    ...Array.from({ length: REQUESTS }, (_, index) => `http://${topology.plan.vip}/?${index}`).flatMap((url) => [
      ...["--output", "/dev/null"],
      url,
    ]),
  ])) satisfies Outcome;
  return stdout
    .trim()
    .split("\n")
    .map((line) => {
      const [code = "", connect, ...error] = line.split(" ");
      return { code, connectS: Number(connect), error: error.join(" ") };
    });
}

/** Connections that the director has accepted for the service so far, by the kernel's own count. */
function connections({ directors }: Pair, index: number): number {
  const text = directors[index]?.host.exec(["ipvsadm", "-Ln", "--stats", "--exact"]) ?? "";
  return Number(/^TCP\s+\S+\s+(\d+)/m.exec(text)?.[1] ?? 0);
}

const CASES: readonly { readonly method: Method; readonly way: "stop" | "handover" }[] = [
  { method: "dr", way: "handover" },
  { method: "tun", way: "handover" },
  { method: "dr", way: "stop" },
];

describe("a thousand requests through a handover", function () {
  // Thousands of connections, one after another, on an emulated processor.
  this.timeout(300_000);

  for (const { method, way } of CASES) {
    it(`${method}, ${way}: at most the one in flight fails, and none waits for a SYN retransmission`, async () => {
      const pair = await startPair({ method });
      const { topology, directors } = pair;
      try {
        const [lb1] = directors;
        assert.ok(lb1 !== undefined);
        const progress = { isOver: false };
        const asked = (async () => {
          const answers: Request[] = [];
          // The commands take seconds in a guest, a thousand requests do not: one batch more after it is over.
          for (let isLast = false; !isLast; ) {
            isLast = progress.isOver;
            answers.push(...(await requests(topology)));
          }
          return answers;
        })();
        await waitFor(
          "requests pass",
          () => connections(pair, 0),
          (seen) => seen > 100,
          { withinMs: 30_000 },
        );
        if (way === "stop") await lb1.stop();
        else assert.equal((await lb1.command(["handover", "outside"])).status, 0, lastWords(directors));
        progress.isOver = true;
        const answers = await asked;
        assert.equal(answers.length % REQUESTS, 0);
        const failed = answers.filter(({ code }) => code !== "200");
        const slow = answers.filter(({ connectS }) => connectS > SYN_RETRANSMISSION_S);
        const passed = connections(pair, 1);
        console.log(`        ${failed.length} of ${answers.length} failed, ${slow.length} slow, ${passed} passed lb2`);
        assert.ok(passed > 100, "enough of them were sent after the handover");
        assert.ok(failed.length <= 1, JSON.stringify(failed));
        assert.deepEqual(slow, []);
      } finally {
        await topology.close();
      }
    });
  }
});

// Program, two roles. `node talkers.js serve PORT NAME` greets each connection with a name and then answers every line.
// `node talkers.js hold ADDRESS PORT COUNT` opens that many connections and keeps them; SIGUSR2 has it say a line on each and tell
// how many of each server answered.
import { connect, createServer, type Socket } from "node:net";

const [, , role, ...args] = process.argv;
/** A server that is reached answers within milliseconds; a thousand in a busy guest take seconds. */
const PATIENCE_MS = 10_000;
/** Opened at a time: more would overflow a listener's queue. */
const AT_ONCE = 50;

function serve(port: number, name: string): void {
  const server = createServer((socket) => {
    socket.on("error", () => socket.destroy());
    socket.write(`${name}\n`);
    socket.pipe(socket);
  });
  server.listen({ port, host: "0.0.0.0", backlog: 1_024 }, () => console.log("listening"));
}

interface Held {
  readonly socket: Socket;
  readonly server: string;
  answers: number;
}

function open(address: string, port: number): Promise<Held> {
  return new Promise((resolve, reject) => {
    const socket = connect(port, address);
    socket.setNoDelay(true);
    socket.once("error", reject);
    socket.once("data", (name) => {
      const held: Held = { socket, server: name.toString().trim(), answers: 0 };
      socket.on("data", () => {
        held.answers += 1;
      });
      socket.on("error", () => socket.destroy());
      resolve(held);
    });
  });
}

/** `rs1 334 of 334, rs2 0 of 333` */
function tally(all: readonly Held[], counts: (held: Held) => boolean): string {
  const servers = [...new Set(all.map(({ server }) => server))].sort();
  return servers
    .map((name) => {
      const of = all.filter(({ server }) => server === name);
      return `${name} ${of.filter(counts).length} of ${of.length}`;
    })
    .join(", ");
}

async function hold(address: string, port: number, count: number): Promise<void> {
  const all: Held[] = [];
  while (all.length < count) {
    const batch = Array.from({ length: Math.min(AT_ONCE, count - all.length) }, () => open(address, port));
    all.push(...(await Promise.all(batch)));
  }
  process.on("SIGUSR2", () => {
    const before = new Map(all.map((held) => [held, held.answers]));
    const hasAnswered = (held: Held) => held.answers > (before.get(held) ?? 0);
    for (const { socket } of all) socket.write("still there?\n");
    const started = performance.now();
    const look = setInterval(() => {
      if (!all.every(hasAnswered) && performance.now() - started < PATIENCE_MS) return;
      clearInterval(look);
      console.log(`answered: ${tally(all, hasAnswered)}`);
    }, 50);
  });
  console.log(`holding: ${tally(all, () => true)}`);
}

if (role === "serve") serve(Number(args[0]), args[1] ?? "");
else await hold(args[0] ?? "", Number(args[1]), Number(args[2]));

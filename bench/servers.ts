import { writeFileSync } from "node:fs";
import { join } from "node:path";
import { fileURLToPath } from "node:url";
import { type Running, run } from "../test/lab/support/commands.ts";
import { Host } from "../test/lab/support/hosts.ts";
import { waitFor } from "../test/lab/support/wait.ts";
import { SERVER_NETWORK, SERVER_PORT } from "./plan.ts";
import { acceptedConnections } from "./process-facts.ts";

const ACCEPTOR = fileURLToPath(new URL("../../.build/bench/acceptor", import.meta.url));
const DIRECTOR_ADDRESS = "10.80.0.1";
const SERVERS_ADDRESS = "10.80.0.2";

/** A director's host and, one hop away, a host that is every real server at once. */
export class Servers {
  readonly director: Host;
  readonly #servers: Host;
  readonly #listener: Running;
  readonly #dir: string;
  readonly #ownsDirector: boolean;

  private constructor(
    { director, ownsDirector }: { readonly director: Host; readonly ownsDirector: boolean },
    servers: Host,
    listener: Running,
    dir: string,
  ) {
    this.director = director;
    this.#ownsDirector = ownsDirector;
    this.#servers = servers;
    this.#listener = listener;
    this.#dir = dir;
  }

  /**
   * @param listens `tcp`: an acceptor in C; `http`: nginx
   * @param existing a host of somebody else that becomes the director; it gets another interface
   */
  static async up(listens: "tcp" | "http", dir: string, existing?: Host): Promise<Servers> {
    const director = existing ?? new Host("bench-lb");
    const device = existing === undefined ? "eth0" : "servers";
    const servers = new Host("bench-rs");
    const peer = ["peer", "name", "eth0", "netns", servers.name];
    run(["ip", "link", "add", device, "netns", director.name, "type", "veth", ...peer]);
    director.addAddress(`${DIRECTOR_ADDRESS}/24`, device);
    servers.addAddress(`${SERVERS_ADDRESS}/24`, "eth0");
    director.exec(["ip", "link", "set", device, "up"]);
    servers.exec(["ip", "link", "set", "eth0", "up"]);
    // Routed, so that the director has one neighbour and not two thousand: the neighbour table is not what is measured.
    director.exec(["ip", "route", "add", SERVER_NETWORK, "via", SERVERS_ADDRESS]);
    servers.exec(["ip", "route", "add", "local", SERVER_NETWORK, "dev", "lo"]);
    servers.sysctl({ "net.core.somaxconn": "4096", "net.ipv4.tcp_max_syn_backlog": "8192" });
    servers.exec(["nft", "-f", "-"], RULES);
    const listener = listens === "tcp" ? startAcceptor(servers) : startNginx(servers, dir);
    if (listens === "tcp") await listener.line(/^listening$/);
    else await untilAccepting(servers, listener);
    return new Servers({ director, ownsDirector: existing === undefined }, servers, listener, dir);
  }

  /** Connections that these servers' kernel has accepted so far, whoever made them. */
  accepted(): number {
    return acceptedConnections(this.#listener.pid);
  }

  /** From now on these servers answer a connection with a reset. Returns when the kernel has taken that in. */
  kill(addresses: readonly string[]): void {
    const file = join(this.#dir, "dead.nft");
    writeFileSync(file, `add element ip bench dead { ${addresses.join(", ")} }\n`);
    this.#servers.exec(["nft", "-f", file]);
  }

  revive(): void {
    this.#servers.exec(["nft", "flush", "set", "ip", "bench", "dead"]);
  }

  async down(): Promise<void> {
    this.#listener.kill();
    await this.#servers.close();
    if (this.#ownsDirector) await this.director.close();
  }
}

const RULES = `table ip bench {
  set dead { type ipv4_addr; }
  chain input {
    type filter hook input priority 0;
    tcp dport ${SERVER_PORT} ip daddr @dead reject with tcp reset
  }
}
`;

function startAcceptor(host: Host): Running {
  return host.start([ACCEPTOR, String(SERVER_PORT)], { name: "the servers' acceptor" });
}

function startNginx(host: Host, dir: string): Running {
  const conf = join(dir, "nginx.conf");
  writeFileSync(
    conf,
    `daemon off; master_process off; worker_processes 1; pid ${dir}/nginx.pid; error_log stderr crit;
events { worker_connections 8192; }
http {
  ${["client_body", "proxy", "fastcgi", "uwsgi", "scgi"].map((kind) => `${kind}_temp_path ${dir}/${kind};`).join(" ")}
  access_log off; keepalive_timeout 0; server { listen ${SERVER_PORT} backlog=4096; location / { return 200 "ok\\n"; } }
}
`,
  );
  return host.start(["nginx", "-e", "stderr", "-c", conf, "-p", dir], { name: "the servers' nginx" });
}

/** Waits for the listening socket; a program that ended instead says why. */
async function untilAccepting(host: Host, listener: Running): Promise<void> {
  await waitFor(
    `${listener.name} to listen`,
    () => {
      if (listener.hasEnded) throw new Error(`${listener.name} ended:\n${listener.lines.join("\n")}`);
      return host.exec(["ss", "-Hltn", "sport", "=", `:${SERVER_PORT}`]);
    },
    (sockets) => sockets.trim() !== "",
    { withinMs: 30_000, everyMs: 50 },
  );
}

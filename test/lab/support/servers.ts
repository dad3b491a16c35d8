import { mkdirSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { fileURLToPath } from "node:url";
import { type Running, run } from "./commands.ts";
import type { Host } from "./hosts.ts";
import { waitFor } from "./wait.ts";

export interface WebOptions {
  /** Ports for plain http. */
  readonly ports?: readonly number[];
  /** Listen on these ports over IPv6 as well. */
  readonly overIpv6?: boolean;
  /** Ports for https, with a certificate for `certificateName`. */
  readonly tlsPorts?: readonly number[];
  readonly certificate?: Certificate;
  /** What it answers at a path instead of its name. */
  readonly pages?: Readonly<Record<string, string>>;
  /** What a request for `/guarded` has to have under `Authorization`. */
  readonly authorization?: string;
}

/** Files of a self-signed certificate. It is its own CA. */
export interface Certificate {
  readonly cert: string;
  readonly key: string;
}

/** Makes a self-signed certificate for a name, by openssl. */
export function makeCertificate(dir: string, name: string): Certificate {
  const cert = join(dir, `${name}.crt`);
  const key = join(dir, `${name}.key`);
  run([
    ..."openssl req -x509 -newkey ec -pkeyopt ec_paramgen_curve:prime256v1 -nodes -days 2 -batch".split(" "),
    ...["-subj", `/CN=${name}`, "-addext", `subjectAltName=DNS:${name}`, "-keyout", key, "-out", cert],
  ]);
  return { cert, key };
}

/** `ss` says what listens in a host, as `0.0.0.0:80`. */
export function listeners(host: Host): string[] {
  const lines = host.exec(["ss", "-Hltn"]).split("\n");
  return lines.map((line) => line.trim().split(/\s+/)[3] ?? "").filter((text) => text !== "");
}

async function listening(host: Host, ports: readonly number[], program: Running): Promise<void> {
  await waitFor(
    `${program.name} listens on ${ports.join(", ")}`,
    () => listeners(host),
    (seen) => ports.every((port) => seen.some((text) => text.endsWith(`:${port}`))) || program.hasEnded,
    { withinMs: 20_000, show: (seen) => `${seen.join(" ")}\n${program.lines.slice(-10).join("\n")}` },
  );
  if (program.hasEnded) throw new Error(`${program.name} ended:\n${program.lines.slice(-10).join("\n")}`);
}

/** The server's pace, not the client's: what has not been sent cannot wait in a receive buffer. */
export const FILE_RATE = 100_000;

function homeOf(dir: string, host: Host): string {
  return join(dir, `nginx-${host.name}`);
}

/** The folder whose files a host's web server gives under `/files/`; it exists when the web server does. */
export function filesOf(dir: string, host: Host): string {
  return join(homeOf(dir, host), "files");
}

/**
 * A real server: nginx on a host, every answer is the host's name.
 * `/healthz` answers 200, `/guarded` 200 or 401, `/status/CODE` that code for 204, 404 and 503, `/files/NAME` a file of `filesOf(dir, host)`,
 * `FILE_RATE` bytes a second.
 */
export class WebServer {
  readonly host: Host;
  readonly #ports: readonly number[];
  readonly #conf: string;
  #program: Running | undefined;

  /** @param dir an existing folder of the scenario */
  constructor(
    host: Host,
    dir: string,
    { ports = [80], overIpv6 = false, tlsPorts = [], certificate, pages = {}, authorization = "" }: WebOptions = {},
  ) {
    this.host = host;
    this.#ports = [...ports, ...tlsPorts];
    const home = homeOf(dir, host);
    mkdirSync(filesOf(dir, host), { recursive: true });
    const tls = certificate ? `ssl_certificate ${certificate.cert}; ssl_certificate_key ${certificate.key};` : "";
    const plain = ports.flatMap((port) => [`listen ${port};`, ...(overIpv6 ? [`listen [::]:${port};`] : [])]);
    const listens = [...plain, ...tlsPorts.map((port) => `listen ${port} ssl;`)];
    const own = Object.entries(pages).map(([path, text]) => `location = ${path} { return 200 "${text}\\n"; }`);
    const codes = [204, 404, 503].map((code) => `location = /status/${code} { return ${code}; }`);
    const guarded = `location = /guarded { if ($http_authorization != "${authorization}") { return 401; } return 200; }`;
    this.#conf = join(home, "nginx.conf");
    writeFileSync(
      this.#conf,
      `daemon off; master_process off; worker_processes 1; pid ${home}/pid; error_log stderr warn;
events { worker_connections 1024; }
http {
  access_log ${home}/access.log; default_type text/plain; send_timeout 10m;
  client_body_temp_path ${home}/body; proxy_temp_path ${home}/proxy; fastcgi_temp_path ${home}/fastcgi;
  uwsgi_temp_path ${home}/uwsgi; scgi_temp_path ${home}/scgi;
  server { ${listens.join(" ")} ${tls} location / { return 200 "${host.name}\\n"; } location /files/ { root ${home}; limit_rate ${FILE_RATE}; } ${[...own, ...codes, guarded].join(" ")} }
}
`,
    );
  }

  /** Starts nginx and returns when it listens. */
  async start(): Promise<this> {
    this.#program = this.host.start(["nginx", "-e", "stderr", "-c", this.#conf], {
      name: `nginx on ${this.host.name}`,
    });
    await listening(this.host, this.#ports, this.#program);
    return this;
  }

  /** Ends nginx: its ports are closed, connections to them are refused. */
  async stop(): Promise<void> {
    await this.#program?.stop("SIGTERM");
  }
}

/** Starts nginx on several hosts at the same time. */
export function startWeb(hosts: readonly Host[], dir: string, options: WebOptions = {}): Promise<WebServer[]> {
  return Promise.all(hosts.map((host) => new WebServer(host, dir, options).start()));
}

/** A server that greets each TCP connection with one line and closes it, as FTP and SMTP begin. */
export async function startGreeter(host: Host, port: number, text: string): Promise<Running> {
  const script = fileURLToPath(new URL("./greeter.js", import.meta.url));
  const program = host.start([process.execPath, script, String(port), text], { name: `greeter on ${host.name}` });
  await listening(host, [port], program);
  return program;
}

/** A web server that answers with a body that never ends, slowly enough to leave the machine alive. */
export async function startEndless(host: Host, port: number): Promise<Running> {
  const script = fileURLToPath(new URL("./endless.js", import.meta.url));
  const program = host.start([process.execPath, script, String(port)], { name: `endless server on ${host.name}` });
  await listening(host, [port], program);
  return program;
}

// lab-needs: ipvs
// Every configuration that the documents show is taken by a running director, one after the other, among the networks, files and scripts
// that they name: the kernel's table has its services with the servers that answer, and the node is master.
import assert from "node:assert/strict";
import { mkdirSync, readFileSync, writeFileSync } from "node:fs";
import { dirname, join } from "node:path";
import { formatEndpoint, formatListenEndpoint } from "../../src/base/endpoint.ts";
import type { DirectorConfig, ServerConfig } from "../../src/config/model.ts";
import { load } from "../config/support.ts";
import { shownUnder } from "../support/document-parts.ts";
import { blocksOf, pages, textOf, wholeConfig } from "../support/documents.ts";
import { applyYaml, isRunning, startDaemon, statusOf } from "./support/daemon.ts";
import type { Director } from "./support/director.ts";
import { OwnFolders } from "./support/own-folders.ts";
import { makeCertificate, startWeb } from "./support/servers.ts";
import { OUTSIDE, Topology, USUAL_PLAN } from "./support/topology.ts";
import { waitFor } from "./support/wait.ts";
import { table } from "./support/witness.ts";

/** The addresses of the documents: the director stands between the networks, the servers in both. */
const INSIDE = ["10.0.0.11", "10.0.0.12", "10.0.0.13"];
const OTHERS_INSIDE = ["10.0.0.21", "10.0.0.22", "10.0.0.23"];
const OUTSIDE_TOO = ["192.0.2.21", "192.0.2.22", "192.0.2.23"];
const SERVERS: readonly string[] = [...INSIDE, ...OTHERS_INSIDE, ...OUTSIDE_TOO];
const PLAN = { ...USUAL_PLAN, vip: "192.0.2.10", insideDirectors: ["10.0.0.2"], insideServers: INSIDE };
const PORTS = [80, 8080];
const TLS_PORT = 443;
/** The servers' own word, and the weight that the script of docs/checks.md makes of it. */
const LOAD = 30;
const WEIGHT_BY_LOAD = 70;

interface Shown {
  readonly title: string;
  readonly yaml: string;
  readonly config: DirectorConfig;
}

/** All of them; where servers are asked over TLS, they are at the port where they speak it. */
function shownConfigs(): readonly Shown[] {
  return pages().flatMap((page) =>
    blocksOf(textOf(page))
      .filter(({ language }) => language === "yaml")
      .map(({ text, heading }) => {
        const whole = wholeConfig(text);
        const yaml = /^ *- https:/m.test(whole) ? whole.replaceAll(/:80\b/g, `:${TLS_PORT}`) : whole;
        const loaded = load(yaml);
        assert.ok(loaded.ok, loaded.ok ? "" : `${page}: ${loaded.error[0]?.message}`);
        return { title: `${page}, ${heading}`, yaml, config: loaded.value.config };
      }),
  );
}

function answers({ address, checks }: ServerConfig): boolean {
  return checks.length === 0 || SERVERS.includes(address);
}

function weightOf({ weight, checks }: ServerConfig): number {
  return checks.some((check) => check.type === "script" && check.setsWeight) ? WEIGHT_BY_LOAD : weight;
}

/** The services with those of their servers that answer, one line each. */
function expectedTable({ services }: DirectorConfig): readonly string[] {
  const rows = services.flatMap(({ listen, scheduler, forward, servers }) =>
    listen.flatMap((endpoint) => {
      const service = formatListenEndpoint(endpoint);
      const present = servers.filter(answers);
      return [
        `${service} ${scheduler}`,
        ...present.map((server) => `${service} ${formatEndpoint(server)} ${forward} ${weightOf(server)}`),
      ];
    }),
  );
  return rows.sort();
}

describe("configurations of the documents, taken by a director", function () {
  this.timeout(120_000);
  const folders = new OwnFolders();
  let topology: Topology;
  let home: string;
  let director: Director | undefined;
  /** In front of a command line: the director's own /etc/holdfast. */
  let wrapper: readonly string[];

  before(async () => {
    topology = new Topology({ method: "nat", servers: INSIDE.length, directors: 1, plan: PLAN });
    home = join(topology.dir, "lb1");
    wrapper = ["unshare", "--mount", "sh", "-c", `${folders.mounts(home)} && exec "$@"`, "sh"];
    const hosts = topology.servers.map(({ host }) => host);
    hosts.forEach((host, index) => {
      host.addAddress(`${OTHERS_INSIDE[index]}/24`, "eth1");
      host.plug(OUTSIDE, "eth0", [`${OUTSIDE_TOO[index]}/24`]);
    });
    const certificate = makeCertificate(topology.dir, "www.example.org");
    const answersAt = { "/healthz": "ok", "/load": String(LOAD) };
    await startWeb(hosts, topology.dir, { ports: PORTS, tlsPorts: [TLS_PORT], certificate, pages: answersAt });
    const { cert, key } = certificate;
    for (const [name, file] of Object.entries({ "ca.pem": cert, "client.pem": cert, "client.key": key }))
      write(name, readFileSync(file, "utf8"), 0o600);
    // Beside the configuration, as a relative name of a secret is meant.
    writeFileSync(join(home, "check.token"), "Bearer of-the-checks\n", { mode: 0o600 });
    write("checks/load.sh", shownUnder("docs/checks.md", /^Run a script$/), 0o755);
    write("disk.sh", "#!/bin/sh\ntest -d /etc/holdfast\n", 0o755);
    const [, makeKey = ""] = /`(\(printf hex: .*? > \/etc\/holdfast\/vrrp\.key)`/.exec(textOf("docs/vrrp.md")) ?? [];
    assert.notEqual(makeKey, "");
    await command("sh", "-c", makeKey);
  });
  after(async () => {
    await topology?.close();
    folders.remove();
  });

  function write(name: string, text: string, mode: number): void {
    const file = join(home, "etc/holdfast", name);
    mkdirSync(dirname(file), { recursive: true });
    writeFileSync(file, text, { mode });
  }

  /** @returns what it printed */
  async function command(...argv: readonly string[]): Promise<string> {
    const { status, stdout, stderr } = await topology.lb(1).execAsync([...wrapper, ...argv]);
    assert.equal(status, 0, `${argv.join(" ")}: ${stdout}${stderr}`);
    return stdout;
  }

  /** The first one by a start, the others by a reload. */
  async function take(yaml: string): Promise<Director> {
    const running = director ?? startDaemon(topology.lb(1), home, { yaml, wrapper });
    if (director === undefined) await isRunning(running);
    else await applyYaml(running, yaml);
    director = running;
    return running;
  }

  async function tableNow(): Promise<readonly string[]> {
    const services = await table(topology.lb(1));
    const rows = services.flatMap(({ protocol, address, port, scheduler, servers }) => [
      `${protocol}://${address}:${port} ${scheduler}`,
      ...servers.map(
        (server) =>
          `${protocol}://${address}:${port} ${server.address}:${server.port} ${server.method} ${server.weight}`,
      ),
    ]);
    return rows.sort();
  }

  const seenAs = (
    what: string,
    look: () => Promise<readonly string[]> | readonly string[],
    wanted: readonly string[],
  ) =>
    waitFor(what, look, (seen) => seen.join() === wanted.join(), {
      withinMs: 60_000,
      everyMs: 200,
      show: (seen) => `${seen.join("\n")}\nwanted:\n${wanted.join("\n")}`,
    });

  for (const { title, yaml, config } of shownConfigs()) {
    it(title, async () => {
      const running = await take(yaml);
      await seenAs("the table", tableNow, expectedTable(config));
      for (const { interface: device, addresses } of config.instances) {
        const wanted = addresses.map(({ address, prefixLength }) => `${address}/${prefixLength}`).sort();
        const held = () => topology.lb(1).addresses(device);
        await seenAs(
          `addresses on ${device}`,
          () =>
            held()
              .filter((each) => wanted.includes(each))
              .sort(),
          wanted,
        );
      }
      const status = await statusOf(running);
      assert.deepEqual(
        status.instances.map(({ name, phase }) => [name, phase]),
        config.instances.map(({ name }) => [name, "master"]),
      );
      assert.deepEqual(
        status.services.map(({ name }) => name),
        config.services.map(({ name }) => name),
      );
      const { sync, metrics, schedules } = config;
      if (sync !== null) {
        const daemons = () =>
          topology
            .lb(1)
            .exec(["ipvsadm", "-L", "--daemon", "-n"])
            .match(/mcast=\w+/g) ?? [];
        await seenAs("both sync daemons", daemons, [`mcast=${sync.interface}`, `mcast=${sync.interface}`]);
      }
      if (metrics !== null)
        assert.match(
          await command("curl", "-sf", `http://${formatEndpoint(metrics.listen)}/metrics`),
          /^holdfast_healthy 1$/m,
        );
      assert.deepEqual(
        status.schedules.map(({ name, next }) => [name, next.length > 0]),
        schedules.map(({ name }) => [name, true]),
      );
    });
  }
});

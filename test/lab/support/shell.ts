// Program: `node shell.js METHOD [--script TEXT]` brings the topology up, then gives a shell in it to a person.
import { spawn } from "node:child_process";
import { once } from "node:events";
import { chmodSync, mkdirSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { PROGRAM } from "./director.ts";
import { startPair } from "./pair.ts";
import type { Method, Topology } from "./topology.ts";

function isMethod(text: string): text is Method {
  return text === "nat" || text === "dr" || text === "tun";
}

/** `holdfast` on the PATH talks to the director of the namespace in which it is called. */
function writeProgram(topology: Topology): string {
  const bin = join(topology.dir, "bin");
  mkdirSync(bin);
  const file = join(bin, "holdfast");
  writeFileSync(
    file,
    `#!/bin/sh\nname=$(ip netns identify $$)\nexec '${process.execPath}' '${PROGRAM}' --run-dir "${topology.dir}/$name/run" "$@"\n`,
  );
  chmodSync(file, 0o755);
  return bin;
}

function writeFunctions(topology: Topology, bin: string): string {
  const hosts = [
    "client",
    ...topology.directors.map((host) => host.name),
    ...topology.servers.map((one) => one.host.name),
  ];
  const file = join(topology.dir, "functions.sh");
  writeFileSync(
    file,
    `${hosts.map((name) => `${name}() { ip netns exec ${name} "$@"; }\n`).join("")}
unplug() { for port in /sys/class/net/*-"$1"; do ip link set "\${port##*/}" down; done; }
mute() { for port in /sys/class/net/*-"$1"; do bridge link set dev "\${port##*/}" state 0; done; }
plug() { for port in /sys/class/net/*-"$1"; do ip link set "\${port##*/}" up; bridge link set dev "\${port##*/}" state 3 2>/dev/null; done; true; }
logs() { cat "${topology.dir}/$1/log"; }
export PATH="${bin}:$PATH" VIP=${topology.plan.vip} HISTFILE=
PS1='lab# '
`,
  );
  return file;
}

function banner(topology: Topology, method: Method): string {
  const { vip } = topology.plan;
  const servers = topology.servers.map(({ host, address }) => `${host.name} ${address}`).join(", ");
  return `
  Namespaces: client ${topology.plan.client}, lb1 ${topology.plan.directors[0]}, lb2 ${topology.plan.directors[1]}, ${servers}
  holdfast runs on lb1 and lb2 and forwards ${vip}:80 by ${method}; nginx runs on the servers.

    client curl http://${vip}/      a namespace's name runs a command in it
    lb1 holdfast status               lb1 ipvsadm -Ln              lb2 ip address
    unplug lb1                        the cable is out; mute lb1 loses its frames silently; plug lb1 restores
    less ${topology.dir}/lb1/holdfast.yaml, then lb1 holdfast reload
    logs lb1                          what the director said
    exit                              ends it all; nothing is left behind

`;
}

async function main(): Promise<number> {
  const [, , method = "dr", flag, text] = process.argv;
  if (!isMethod(method)) {
    console.error(`holdfast: ${method} is none of nat, dr, tun`);
    return 64;
  }
  const isScript = flag === "--script";
  if (!isScript) console.log(`lab: bringing up two directors and three real servers, forwarding by ${method} ...`);
  const { topology, directors } = await startPair({ method });
  const functions = writeFunctions(topology, writeProgram(topology));
  for (const { host, program } of directors) program.logTo(join(topology.dir, host.name, "log"));
  if (!isScript) console.log(banner(topology, method));
  const args = isScript ? ["-c", `. '${functions}'\n${text ?? ""}`] : ["--rcfile", functions, "-i"];
  // Ctrl-C is for what runs in the shell.
  process.on("SIGINT", () => {});
  const [code] = (await once(spawn("bash", args, { stdio: "inherit" }), "close")) as [number | null];
  await topology.close();
  return code ?? 1;
}

process.exitCode = await main();

import { chmodSync, mkdirSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { run } from "./commands.ts";
import { PROGRAM } from "./director.ts";
import type { Host } from "./hosts.ts";
import type { Topology } from "./topology.ts";

const PORT = 2222;

/**
 * Debian's ssh server on a host, with keys of its own; whoever may log in finds `holdfast` on the path.
 * @param name by which others call the host
 * @returns a folder with an `ssh` that knows the way by that name, for the front of a PATH
 */
export async function startSshServer(
  topology: Topology,
  host: Host,
  name = host.name,
): Promise<{ readonly home: string }> {
  const home = join(topology.dir, `ssh-${host.name}`);
  const bin = join(home, "bin");
  mkdirSync(bin, { recursive: true });
  for (const key of ["host", "user"]) run(["ssh-keygen", "-q", "-t", "ed25519", "-N", "", "-f", join(home, key)]);
  run(["cp", join(home, "user.pub"), join(home, "authorized")]);
  program(join(bin, "holdfast"), `exec '${process.execPath}' '${PROGRAM}' "$@"`);
  writeFileSync(
    join(home, "sshd_config"),
    `Port ${PORT}
HostKey ${home}/host
PidFile none
AuthorizedKeysFile ${home}/authorized
StrictModes no
PermitRootLogin yes
PasswordAuthentication no
UsePAM no
SetEnv PATH=${bin}:${process.env.PATH}
`,
  );
  // Its folder for privilege separation; /run is the scenario's own.
  mkdirSync("/run/sshd", { recursive: true });
  const server = host.start(["/usr/sbin/sshd", "-D", "-e", "-f", join(home, "sshd_config")], {
    name: `sshd on ${host.name}`,
  });
  await server.line(/Server listening on 0\.0\.0\.0/);
  writeFileSync(
    join(home, "ssh_config"),
    `Host ${name}
  HostName ${topology.plan.client}
  Port ${PORT}
  User root
  IdentityFile ${home}/user
  StrictHostKeyChecking no
  UserKnownHostsFile /dev/null
  LogLevel ERROR
`,
  );
  program(join(home, "ssh"), `exec /usr/bin/ssh -F '${home}/ssh_config' "$@"`);
  return { home };
}

function program(path: string, line: string): void {
  writeFileSync(path, `#!/bin/sh\n${line}\n`);
  chmodSync(path, 0o755);
}

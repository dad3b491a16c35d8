import assert from "node:assert/strict";
import { copyFileSync, existsSync, mkdirSync, readFileSync, rmSync, symlinkSync, writeFileSync } from "node:fs";
import { connect, type Socket } from "node:net";
import { basename, join } from "node:path";
import { createInterface } from "node:readline";
import { type Outcome, Running, run, tryRun } from "./commands.ts";
import { waitFor } from "./wait.ts";

/** Translating a whole boot takes long on a machine that does other things as well. */
const BOOT_LIMIT_MS = 240_000;
/** Longest that one command may take inside. */
const COMMAND_LIMIT_MS = 300_000;
const MEMORY_MB = 1024;
/** Of the disk that it writes to; the file is as large as what is written. */
const DISK_SIZE = "1G";

export interface MachineOptions {
  /** Its host name, at most 8 characters. */
  readonly name: string;
  /** 1, 2 …: part of its MAC address. */
  readonly number: number;
  /** The bridge that its only cable, eth0, is plugged into. */
  readonly bridge: string;
  /** With prefix length, on eth0. */
  readonly address: string;
  /** An existing folder of the scenario. */
  readonly dir: string;
}

/** What machines are booted from: KERNEL, INITRD, MODULES, DISK, and FILES, the folder of the rest. */
export function fileOf(name: string): string {
  const path = process.env[`HOLDFAST_MACHINE_${name}`];
  assert.ok(path !== undefined, "run me by `npm run lab`: it makes what machines are booted from");
  return path;
}

const comma = (path: string): string => path.replaceAll(",", ",,");

/**
 * A whole machine: qemu with its own kernel and a Debian with systemd as its first process, on one Ethernet with the hosts of the
 * lab. It writes to a disk of its own, so that it can lose its power and boot again. A command is typed on a port of its own, as on
 * a serial console.
 */
export class Machine {
  readonly name: string;
  readonly dir: string;
  readonly #options: MachineOptions;
  #program: Running;
  /** Who waits for an answer, by number; bounded by what a scenario asks at the same time. */
  readonly #waiting = new Map<string, (outcome: Outcome) => void>();
  #port: Socket | undefined;
  #isReady = false;
  #asked = 0;

  constructor(options: MachineOptions) {
    this.#options = options;
    this.name = options.name;
    this.dir = join(options.dir, `machine-${options.name}`);
    this.#writeMedium();
    run(["mkfs.ext4", "-q", "-m", "0", "-E", "lazy_itable_init=0", this.#disk, DISK_SIZE]);
    run(["ip", "tuntap", "add", "dev", this.#tap, "mode", "tap"]);
    run(["ip", "link", "set", this.#tap, "master", options.bridge, "up"]);
    this.#program = this.#start();
  }

  #start(): Running {
    return new Running(["setpriv", "--pdeathsig", "KILL", "qemu-system-x86_64", ...this.#arguments()], {
      name: `machine ${this.name}`,
    });
  }

  get #disk(): string {
    return join(this.dir, "disk");
  }

  get #tap(): string {
    return `tap-${this.name}`;
  }

  /** What it finds when it boots: its own system files, and later what the operator brings along. */
  #writeMedium(): void {
    const system = join(this.dir, "media/system");
    const units = join(system, "etc/systemd/system");
    const wants = join(units, "multi-user.target.wants");
    for (const folder of [wants, join(system, "usr/local/sbin")]) mkdirSync(folder, { recursive: true });
    writeFileSync(join(system, "etc/hostname"), `${this.name}\n`);
    writeFileSync(join(system, "etc/hosts"), `127.0.0.1 localhost\n127.0.1.1 ${this.name}\n`);
    writeFileSync(join(system, "etc/machine-id"), `${String(this.#options.number).padStart(32, "a")}\n`);
    copyFileSync(join(fileOf("FILES"), "agent.sh"), join(system, "usr/local/sbin/lab-agent"));
    const unit = (name: string, head: readonly string[], lines: readonly string[]): void => {
      writeFileSync(join(units, name), ["[Unit]", ...head, "[Service]", ...lines, ""].join("\n"));
      symlinkSync(`../${name}`, join(wants, name));
    };
    const commands = [
      "ip link set lo up",
      `ip address add ${this.#options.address} dev eth0`,
      "ip link set eth0 up",
    ].map((command) => `ExecStart=${command}`);
    unit(
      "lab-network.service",
      ["Description=Network of the lab", "Wants=network-online.target", "Before=network.target network-online.target"],
      ["Type=oneshot", "RemainAfterExit=yes", ...commands],
    );
    // In a shell of the operator's own: what runs there is not part of any service that is tested.
    const agent = [
      "ExecStart=/bin/bash /usr/local/sbin/lab-agent",
      "Environment=HOME=/root LANG=C.UTF-8",
      "KillMode=process",
    ];
    unit("lab-agent.service", ["Description=Commands of the lab", "After=lab-network.service"], agent);
  }

  #arguments(): string[] {
    const { number } = this.#options;
    const folder = (tag: string, path: string): string[] => [
      ...["-fsdev", `local,id=${tag},path=${comma(path)},security_model=none,readonly=on`],
      ...["-device", `virtio-9p-pci,fsdev=${tag},mount_tag=${tag}`],
    ];
    return [
      ..."-accel tcg,thread=multi -smp 2 -cpu max -nodefaults -no-user-config -display none -no-reboot".split(" "),
      ...["-m", String(MEMORY_MB), "-kernel", fileOf("KERNEL"), "-initrd", fileOf("INITRD")],
      ...["-append", "console=ttyS0 quiet panic=-1 mitigations=off nokaslr systemd.show_status=0"],
      ...["-chardev", `file,id=console,path=${comma(join(this.dir, "console"))}`, "-serial", "chardev:console"],
      ...["-drive", `file=${comma(fileOf("DISK"))},format=raw,if=virtio,readonly=on`],
      // What the machine has written out is there after its power went; that this host loses its own is not looked at.
      ...["-drive", `file=${comma(this.#disk)},format=raw,if=virtio,cache=unsafe`],
      ...folder("modules", fileOf("MODULES")),
      ...folder("media", join(this.dir, "media")),
      ...["-netdev", `tap,id=cable,ifname=${this.#tap},script=no,downscript=no`],
      ...["-device", `virtio-net-pci,netdev=cable,mac=52:54:00:00:00:${number.toString(16).padStart(2, "0")}`],
      ...["-device", "virtio-rng-pci", "-device", "virtio-serial-pci"],
      ...["-chardev", `socket,id=agent,path=${comma(this.#socket)},server=on,wait=off`],
      ...["-device", "virtserialport,chardev=agent,name=agent"],
    ];
  }

  get #socket(): string {
    return join(this.dir, "agent.sock");
  }

  /** The end of what its kernel and systemd said on the console. */
  get lastWords(): string {
    const console = join(this.dir, "console");
    return `${this.#program.lines.slice(-5).join("\n")}\n${existsSync(console) ? readFileSync(console, "utf8").slice(-3000) : ""}`;
  }

  /** Waits until it takes commands. */
  async booted(): Promise<void> {
    await waitFor(
      `the machine ${this.name} boots`,
      () => {
        if (this.#program.hasEnded) throw new Error(`the machine ${this.name} ended:\n${this.lastWords}`);
        if (this.#port === undefined && existsSync(this.#socket)) this.#connect();
        return this.#isReady;
      },
      (isReady) => isReady,
      { withinMs: BOOT_LIMIT_MS, everyMs: 100, show: () => this.lastWords },
    );
  }

  #connect(): void {
    const port = connect(this.#socket);
    this.#port = port;
    // A machine that ends is told by who waits for it.
    port.on("error", () => undefined);
    createInterface({ input: port }).on("line", (line) => {
      const [number = "", status = "", stdout = "", stderr = ""] = line.split(" ");
      if (number === "ready") this.#isReady = true;
      const text = (encoded: string): string => Buffer.from(encoded, "base64").toString("utf8");
      this.#waiting.get(number)?.({ status: Number(status), stdout: text(stdout), stderr: text(stderr) });
      this.#waiting.delete(number);
    });
  }

  /** Runs a shell command as root, to its end, and returns what happened, good or bad. Several may run at the same time. */
  async try(command: string): Promise<Outcome> {
    assert.ok(this.#port !== undefined && this.#isReady, `the machine ${this.name} takes no commands yet`);
    this.#asked += 1;
    const number = String(this.#asked);
    const answer = new Promise<Outcome>((resolve, reject) => {
      const late = (): void => {
        this.#waiting.delete(number);
        reject(new Error(`${this.name}: \`${command}\` took more than ${COMMAND_LIMIT_MS} ms\n${this.lastWords}`));
      };
      const timer = setTimeout(late, COMMAND_LIMIT_MS);
      this.#waiting.set(number, (outcome) => {
        clearTimeout(timer);
        resolve(outcome);
      });
    });
    this.#port.write(`${number} ${Buffer.from(command).toString("base64")}\n`);
    return answer;
  }

  /** Runs a shell command that must succeed. @returns its standard output */
  async run(command: string): Promise<string> {
    const outcome = await this.try(command);
    assert.equal(outcome.status, 0, `${this.name}: \`${command}\` said: ${outcome.stderr}${outcome.stdout}`);
    return outcome.stdout;
  }

  /** Looks every while until what a command prints is good. */
  async until(what: string, command: string, isGood: (stdout: string) => boolean, withinMs = 240_000): Promise<string> {
    const { seen } = await waitFor(
      `${this.name}: ${what}`,
      () => this.try(command),
      ({ stdout }) => isGood(stdout),
      { withinMs, everyMs: 200, show: ({ stdout, stderr }) => `${stdout}${stderr}` },
    );
    return seen.stdout;
  }

  /** Writes a file there, as an editor would. */
  async write(path: string, text: string, mode = "644"): Promise<void> {
    const encoded = Buffer.from(text).toString("base64");
    await this.run(`base64 -d <<<'${encoded}' >'${path}' && chmod ${mode} '${path}'`);
  }

  /** Lays a file on the medium. @returns its path in the machine */
  bring(file: string): string {
    copyFileSync(file, join(this.dir, "media", basename(file)));
    return `/media/${basename(file)}`;
  }

  /** Pulls the plug: what it has not written to its disk is gone. No command may be running. */
  async pullPlug(): Promise<void> {
    assert.equal(this.#waiting.size, 0, `${this.name} still has something to answer`);
    await this.#end();
    // The next boot waits for a new one.
    rmSync(this.#socket);
  }

  /** Gives it power again; it boots from what is on its disk. Ready when `booted` returns. */
  powerOn(): void {
    this.#program = this.#start();
  }

  async #end(): Promise<void> {
    this.#port?.destroy();
    this.#port = undefined;
    this.#isReady = false;
    this.#program.kill();
    await this.#program.ended();
  }

  /** Ends it, and takes its cable away. */
  async close(): Promise<void> {
    await this.#end();
    tryRun(["ip", "link", "delete", this.#tap]);
  }
}

import type { Command } from "commander";
import type { ExitCode } from "../../base/exit-codes.ts";
import {
  addCommand,
  type CommandLine,
  exitCodes,
  flagsOf,
  type GlobalOptions,
  globalsOf,
  type Usages,
} from "./command.ts";

/** What was written on the command line; `realserver.ts` makes sense of it. */
export interface RealServerOptions extends GlobalOptions {
  readonly action: "up" | "down" | "check";
  readonly addresses: readonly string[];
  /** A configuration of the directors to read the addresses from; null = none. */
  readonly from: string | null;
  readonly name: string | null;
  readonly method: string | null;
  readonly arp: string | null;
  readonly tunnel: string | null;
  readonly port: string | null;
  readonly interface: string | null;
  readonly dryRun: boolean;
  readonly json: boolean;
}

export interface RealServerHandler {
  realserver(options: RealServerOptions): Promise<ExitCode>;
}

export function addRealServer({ program, handlers, finish }: CommandLine<RealServerHandler>): void {
  const group = addCommand(
    program,
    "realserver",
    "prepare this machine to serve a virtual address behind directors that forward by dr or tun",
    "holdfast realserver up 192.0.2.10 --method dr",
    "holdfast realserver check",
  ).helpCommand(false);
  const add = (action: RealServerOptions["action"], summary: string, codes: string, ...usages: Usages) =>
    withOptions(addCommand(group, action, summary, ...usages), action)
      .addHelpText("after", exitCodes(codes))
      .action(async (addresses: string[], _options: unknown, command: Command) => {
        finish(await handlers.realserver(optionsOf(action, addresses, command)));
      });
  add(
    "up",
    "have the addresses, without answering ARP for them; what is right already is left alone",
    "0 ready, 1 not ready, 77 not root",
    "holdfast realserver up 192.0.2.10 2001:db8::10 --method dr",
    "holdfast realserver up 192.0.2.10 --method tun --tunnel gue --port 6080",
    "holdfast realserver up --from /etc/holdfast/holdfast.yaml",
  );
  add(
    "down",
    "give the addresses up and put back what was there before; without an address, all of them",
    "0 given up, 1 not, 77 not root",
    "holdfast realserver down",
  );
  add(
    "check",
    "look whether this machine can serve the addresses; without an address, those that it was prepared for",
    "0 it can, 1 findings",
    "holdfast realserver check 192.0.2.10 --method dr",
  );
}

function withOptions(command: Command, action: RealServerOptions["action"]): Command {
  command
    .argument("[address...]", "virtual addresses")
    .option("--method <method>", "how the directors forward: dr or tun")
    .option("--arp <way>", "how this machine keeps quiet about them: sysctl or nft")
    .option("--tunnel <type>", "what tun packets are wrapped in: ipip, gre or gue")
    .option("--port <port>", "UDP port of gue")
    .option("--interface <names>", "interfaces to clients and directors, joined by commas; all unless said")
    .option("--from <file>", "a configuration of the directors: the services that list an address of this machine")
    .option(
      "--name <name>",
      "a name for these addresses: up replaces those of the name, down gives up those of the name",
    )
    .option("--json", "print the result as JSON");
  // The same line may follow `up` and `down`, so `down` takes what it does not need.
  return action === "check" ? command : command.option("--dry-run", "say what would be changed, and change nothing");
}

function optionsOf(
  action: RealServerOptions["action"],
  addresses: readonly string[],
  command: Command,
): RealServerOptions {
  const values = command.opts<Readonly<Record<string, unknown>>>();
  const text = (key: string): string | null => (typeof values[key] === "string" ? values[key] : null);
  return {
    ...globalsOf(command),
    action,
    addresses,
    from: text("from"),
    name: text("name"),
    method: text("method"),
    arp: text("arp"),
    tunnel: text("tunnel"),
    port: text("port"),
    interface: text("interface"),
    ...flagsOf(command, "dryRun", "json"),
  };
}

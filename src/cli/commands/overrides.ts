import { type Command, InvalidArgumentError } from "commander";
import { parseDurationUs } from "../../base/duration.ts";
import type { ExitCode } from "../../base/exit-codes.ts";
import { parseWhen } from "../when.ts";
import {
  addCommand,
  type CommandLine,
  exitCodes,
  flagsOf,
  type GlobalOptions,
  globalsOf,
  type Usages,
} from "./command.ts";

export interface OverrideCommand extends GlobalOptions {
  /** As the control API takes it, but for who orders. */
  readonly order: {
    readonly type: "drain" | "disable" | "weight" | "enable";
    readonly service: string;
    readonly server: string;
    readonly weight?: number;
    readonly until?: string;
    readonly deadline?: string;
    readonly reason?: string;
  };
  /** Wait until the servers are drained. */
  readonly wait: boolean;
  readonly json: boolean;
}

export interface OverrideHandler {
  override(options: OverrideCommand): Promise<ExitCode>;
}

const SERVICE = "name of a service, or all";
const SERVER = "10.0.0.11:80, or an address for each of its ports";
const CODES = "0 done, 1 refused and nothing changed, 4 no daemon";
/** In every help text: the trap of a pair. */
const EACH_NODE = `
Orders stand over restarts and reloads. Each director has its own: give them to
the peer as well, or a failover leads clients to the server again.`;

export function addDrain({ program, handlers, finish }: CommandLine<OverrideHandler>): void {
  const command = addOrder(
    program,
    "drain",
    "send a server no new connections, and take it out of the table when those that it has are over",
    "holdfast drain web 10.0.0.11:80 --deadline 10m --wait",
    'holdfast drain all 10.0.0.11 --until 18:00 --reason "new kernel"',
  )
    .option("--deadline <duration>", "take it out after this time, whatever connections are left", deadlineOf)
    .option("--wait", "return when it is out, and show meanwhile how many connections are left");
  addUntil(command)
    .addHelpText("after", exitCodes("0 done, 1 refused, or with --wait taken off before it was out; 4 no daemon"))
    .action(async (service: string, server: string, _options: unknown, self: Command) => {
      finish(await handlers.override(orderOf("drain", service, server, self)));
    });
}

export function addDisable({ program, handlers, finish }: CommandLine<OverrideHandler>): void {
  const command = addOrder(
    program,
    "disable",
    "treat a server at once as one whose checks fail; its connections are cut, unless the service says onDown: quiesce",
    "holdfast disable web 10.0.0.11:80 --until 2h",
  );
  addUntil(command)
    .addHelpText("after", exitCodes(CODES))
    .action(async (service: string, server: string, _options: unknown, self: Command) => {
      finish(await handlers.override(orderOf("disable", service, server, self)));
    });
}

export function addWeight({ program, handlers, finish }: CommandLine<OverrideHandler>): void {
  const command = addOrder(
    program,
    "weight",
    "give a server another weight than the configured one, or than that of its scripts, while its checks pass",
    "holdfast weight web 10.0.0.11:80 5 --until 18:00",
  ).argument("<weight>", "0 to 65535; 0 = no new connections", weightOf);
  addUntil(command)
    .addHelpText("after", exitCodes(CODES))
    .action(async (service: string, server: string, weight: number, _options: unknown, self: Command) => {
      const options = orderOf("weight", service, server, self);
      finish(await handlers.override({ ...options, order: { ...options.order, weight } }));
    });
}

export function addEnable({ program, handlers, finish }: CommandLine<OverrideHandler>): void {
  addOrder(
    program,
    "enable",
    "take off what drain, disable or weight ordered: the checks decide alone again",
    "holdfast enable web 10.0.0.11:80",
    "holdfast enable all all",
  )
    .addHelpText("after", exitCodes(CODES))
    .action(async (service: string, server: string, _options: unknown, self: Command) => {
      finish(await handlers.override(orderOf("enable", service, server, self)));
    });
}

function addOrder(program: Command, name: string, summary: string, ...usages: Usages): Command {
  const server = name === "enable" ? `${SERVER}; or all` : SERVER;
  return addCommand(program, name, summary, ...usages)
    .argument("<service>", SERVICE)
    .argument("<server>", server)
    .option("--reason <text>", "shown by status and events")
    .option("--json", "print the result as JSON")
    .addHelpText("after", EACH_NODE);
}

function addUntil(command: Command): Command {
  return command.option("--until <when>", "when it ends by itself: 2h, 18:00, 2026-11-27 18:00", untilOf);
}

function orderOf(
  type: OverrideCommand["order"]["type"],
  service: string,
  server: string,
  command: Command,
): OverrideCommand {
  const { until, deadline, reason } = command.opts<Pick<OverrideCommand["order"], "until" | "deadline" | "reason">>();
  return {
    ...globalsOf(command),
    order: {
      type,
      service,
      server,
      ...(until === undefined ? {} : { until }),
      ...(deadline === undefined ? {} : { deadline }),
      ...(reason === undefined ? {} : { reason }),
    },
    ...flagsOf(command, "wait", "json"),
  };
}

function untilOf(text: string): string {
  const when = parseWhen(text, new Date());
  if (!when.ok) throw new InvalidArgumentError(when.error);
  return when.value;
}

function deadlineOf(text: string): string {
  const us = parseDurationUs(text);
  if (!us.ok) throw new InvalidArgumentError(us.error);
  if (us.value === 0) throw new InvalidArgumentError("for no wait at all there is `holdfast disable`");
  return text.trim();
}

function weightOf(text: string): number {
  if (!/^\d{1,5}$/.test(text) || Number(text) > 65_535)
    throw new InvalidArgumentError("a weight is a whole number from 0 to 65535");
  return Number(text);
}

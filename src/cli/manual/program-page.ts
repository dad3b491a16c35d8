import type { Command } from "commander";
import { EXIT } from "../../base/exit-codes.ts";
import { DEFAULT_FILE, DEFAULT_RUN_DIR, DEFAULT_STATE_DIR } from "../commands/command.ts";
import { ManualPage } from "./roff.ts";

const EXIT_MEANINGS: Readonly<Record<keyof typeof EXIT, string>> = {
  OK: "Done, healthy, or nothing to do.",
  FAILED: "The command ran and the answer is no.",
  CHANGES: "`plan`: there are changes to make.",
  DEGRADED: "`status`: something is degraded.",
  NO_DAEMON: "No daemon answers on the control socket.",
  USAGE: "The command line is wrong.",
  OWN_FAULT: "A fault of holdfast itself; `run` is started again by systemd.",
  NO_PRIVILEGE: "A privilege or support in the kernel is missing.",
  BAD_CONFIG: "The configuration is wrong.",
};

/**
 * holdfast(1), from the same descriptions as `--help`.
 * @param program as `describeProgram` makes it
 * @param date as YYYY-MM-DD
 */
export function programPage(program: Command, date: string): string {
  const page = new ManualPage("holdfast", 1, date, `holdfast ${program.version() ?? ""}`);
  page
    .section("Name")
    .text("holdfast - high-availability director for Linux Virtual Server")
    .section("Synopsis")
    .text("`holdfast` [OPTIONS] COMMAND [ARGUMENTS]")
    .section("Description")
    .text(program.description())
    .paragraph("The daemon runs in the foreground (`holdfast run`), usually under systemd; other commands speak to it.")
    .section("Options");
  addOptions(page, program);
  page.section("Commands");
  for (const command of leavesOf(program)) addCommand(page, command);
  page.section("Exit status");
  for (const [name, code] of Object.entries(EXIT).sort(([, a], [, b]) => a - b))
    page.item(String(code), EXIT_MEANINGS[name as keyof typeof EXIT]);
  page
    .section("Environment")
    .item("NO_COLOR", "No colours, also on a terminal; `TERM=dumb` does the same.")
    .section("Files")
    .item(DEFAULT_FILE, "The configuration, see holdfast.yaml(5).")
    .item(`${DEFAULT_RUN_DIR}/control.sock`, "The control socket, for root and the group holdfast.")
    .item(DEFAULT_STATE_DIR, "What survives a restart.")
    .section("See also")
    .text("holdfast.yaml(5), ipvsadm(8), ip-address(8), systemctl(1)");
  return page.toString();
}

/** The commands that do something, in the order of the help text: `drill run`, not `drill`. */
function leavesOf(command: Command): readonly Command[] {
  return command
    .createHelp()
    .visibleCommands(command)
    .flatMap((one) => (one.commands.length === 0 ? [one] : leavesOf(one)));
}

function addCommand(page: ManualPage, command: Command): void {
  page.subsection(`${pathOf(command)} ${command.usage()}`.trim()).text(command.description());
  for (const argument of command.registeredArguments) {
    const { description, defaultValue } = argument;
    const choices = argument.argChoices === undefined ? "" : `; one of ${argument.argChoices.join(", ")}`;
    const fallback = defaultValue === undefined ? "" : `; ${String(defaultValue)} unless given`;
    page.item(argument.name(), `${description}${choices}${fallback}`);
  }
  addOptions(page, command);
  addClosing(page, command);
}

/** Without --help, which every command has. */
function addOptions(page: ManualPage, command: Command): void {
  for (const option of command.createHelp().visibleOptions(command)) {
    if (option.long === "--help" && command.parent !== null) continue;
    const isShown = option.defaultValue !== undefined && option.defaultValue !== false;
    page.item(option.flags, `${option.description}${isShown ? `; ${String(option.defaultValue)} unless given` : ""}`);
  }
}

/** What the help text says behind the options: examples are indented, the rest is prose. */
function addClosing(page: ManualPage, command: Command): void {
  const said: string[] = [];
  command.configureOutput({ writeOut: (text) => void said.push(text) }).outputHelp();
  const closing = said.join("").slice(command.helpInformation().length);
  for (const block of closing.split(/\n\s*\n/)) {
    const lines = block.split("\n").filter((line) => line.trim() !== "");
    const prose = lines.filter((line) => !line.startsWith("  "));
    const literal = lines.filter((line) => line.startsWith("  ")).map((line) => line.slice(2));
    if (prose.length > 0) page.paragraph(prose.join(" "));
    if (literal.length > 0) page.literal(literal);
  }
}

function pathOf(command: Command): string {
  return command.parent === null ? command.name() : `${pathOf(command.parent)} ${command.name()}`;
}

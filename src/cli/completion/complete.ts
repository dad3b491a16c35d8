import type { Argument, Command, Option } from "commander";

/** What the word under the cursor may become. */
export interface Completion {
  readonly candidates: readonly Candidate[];
  /** What the shell adds from the file system. */
  readonly files: "none" | "files" | "folders";
}

export interface Candidate {
  readonly value: string;
  /** One line for shells that show it; may be empty. */
  readonly description: string;
}

/** Names that only a running daemon knows. */
export interface NameSource {
  instances(): Promise<readonly string[]>;
  services(): Promise<readonly string[]>;
  /** @param service one service, or a word that names several: then the servers of all */
  servers(service: string | undefined): Promise<readonly string[]>;
}

/** How far the words before the cursor lead. */
interface Position {
  readonly command: Command;
  readonly positionals: readonly string[];
  /** The option whose value comes next. */
  readonly awaiting: Option | undefined;
  readonly given: ReadonlySet<Option>;
  /** After `--` nothing is an option. */
  readonly isLiteral: boolean;
}

const NOTHING: Completion = { candidates: [], files: "none" };

/**
 * Completes a command line. What an argument takes follows from its name in the help text: `<instance>`, `<service>`, `<server>`,
 * `[file]`, `<dir>`; choices from where commander has them; a description that ends with "or all" adds that word.
 * @param words after the program's name; the last one is under the cursor and may be empty
 */
export async function complete(program: Command, words: readonly string[], names: NameSource): Promise<Completion> {
  const word = words.at(-1) ?? "";
  const position = walk(program, words.slice(0, -1));
  const found = await candidatesFor(position, word, names);
  return { ...found, candidates: found.candidates.filter(({ value }) => value.startsWith(word)) };
}

function walk(program: Command, words: readonly string[]): Position {
  let command = program;
  let awaiting: Option | undefined;
  let isLiteral = false;
  const positionals: string[] = [];
  const given = new Set<Option>();
  for (const word of words) {
    if (awaiting !== undefined && (awaiting.required || !word.startsWith("-"))) {
      awaiting = undefined;
      continue;
    }
    awaiting = undefined;
    if (!isLiteral && word === "--") {
      isLiteral = true;
    } else if (!isLiteral && word.startsWith("-")) {
      const [flag = ""] = word.split("=");
      const option = optionsOf(command).find(({ long, short }) => flag === long || flag === short);
      if (option === undefined) continue;
      given.add(option);
      if ((option.required || option.optional) && !word.includes("=")) awaiting = option;
    } else {
      const next = positionals.length === 0 ? commandNamed(command, word) : undefined;
      if (next === undefined) positionals.push(word);
      else command = next;
    }
  }
  return { command, positionals, awaiting, given, isLiteral };
}

async function candidatesFor(position: Position, word: string, names: NameSource): Promise<Completion> {
  const { command, positionals, awaiting, isLiteral } = position;
  if (awaiting !== undefined) return valuesOf(valueHelpOf(awaiting), positionals, names);
  const equals = word.indexOf("=");
  if (!isLiteral && word.startsWith("--") && equals > 0) {
    const option = optionsOf(command).find(({ long }) => long === word.slice(0, equals));
    if (option === undefined) return NOTHING;
    const { candidates, files } = await valuesOf(valueHelpOf(option), positionals, names);
    const whole = candidates.map((candidate) => ({ ...candidate, value: word.slice(0, equals + 1) + candidate.value }));
    return { candidates: whole, files };
  }
  if (!isLiteral && word.startsWith("-")) return options(position);
  if (command.commands.length > 0) {
    const known = positionals.length > 0 ? [] : command.createHelp().visibleCommands(command);
    return { candidates: known.map((one) => ({ value: one.name(), description: one.summary() })), files: "none" };
  }
  const argument = argumentAt(command, positionals.length);
  if (argument !== undefined) return valuesOf({ ...argument, name: argument.name() }, positionals, names);
  return word === "" && !isLiteral ? options(position) : NOTHING;
}

function options({ command, given }: Position): Completion {
  const open = optionsOf(command).filter((option) => option.variadic || !given.has(option));
  return {
    candidates: open.map(({ long, short, description }) => ({ value: long ?? short ?? "", description })),
    files: "none",
  };
}

/** What is written in the place of a value, in the help text. */
interface ValueHelp {
  readonly name: string;
  readonly description: string;
  readonly argChoices?: readonly string[] | undefined;
}

async function valuesOf(help: ValueHelp, positionals: readonly string[], names: NameSource): Promise<Completion> {
  if (help.argChoices !== undefined) return plain(help.argChoices);
  // `name of a service, or all`
  const all = /\bor all$/.test(help.description) ? ["all"] : [];
  switch (help.name) {
    case "instance":
      return plain([...(await names.instances()), ...all]);
    case "service":
      return plain([...(await names.services()), ...all]);
    case "server":
      return plain([...(await names.servers(positionals[0])), ...all]);
    case "file":
    case "path":
      return { candidates: [], files: "files" };
    case "dir":
      return { candidates: [], files: "folders" };
    default:
      return NOTHING;
  }
}

function plain(values: readonly string[]): Completion {
  return { candidates: values.map((value) => ({ value, description: "" })), files: "none" };
}

/** Options of a command, then those of the commands above it; --help once, --version of the program alone. */
function optionsOf(command: Command): readonly Option[] {
  const own = command.createHelp().visibleOptions(command);
  if (command.parent === null) return own;
  const above = optionsOf(command.parent).filter(({ long }) => long !== "--version" && long !== "--help");
  return [...own, ...above];
}

function commandNamed(command: Command, word: string): Command | undefined {
  return command.commands.find((one) => one.name() === word || one.aliases().includes(word));
}

function argumentAt(command: Command, index: number): Argument | undefined {
  const last = command.registeredArguments.at(-1);
  return command.registeredArguments[index] ?? (last?.variadic === true ? last : undefined);
}

/** `file` of `--output <file>`. */
function valueHelpOf({ flags, description, argChoices }: Option): ValueHelp {
  return { name: /[<[]([^>\].]+)/.exec(flags)?.[1] ?? "", description, argChoices };
}

/** The answer as the shells read it: the files on the first line, then a value and its description on each. */
export function formatCompletion({ candidates, files }: Completion): string {
  const lines = candidates.map(({ value, description }) => (description === "" ? value : `${value}\t${description}`));
  return [files, ...lines].map((line) => `${line}\n`).join("");
}

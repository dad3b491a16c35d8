import { Argument, type Command } from "commander";
import type { ExitCode } from "../../base/exit-codes.ts";
import { SHELLS, type Shell } from "../completion/scripts.ts";
import { addCommand, type CommandLine, type GlobalOptions, globalsOf } from "./command.ts";

export interface CompletionOptions extends GlobalOptions {
  readonly shell: Shell;
}

export interface CompletionHandler {
  completion(options: CompletionOptions): Promise<ExitCode>;
}

export function addCompletion({ program, handlers, finish }: CommandLine<CompletionHandler>): void {
  addCommand(
    program,
    "completion",
    "print a script that completes commands, options and names in a shell",
    "source <(holdfast completion bash)",
    "holdfast completion zsh > /usr/local/share/zsh/site-functions/_holdfast",
    "holdfast completion fish > ~/.config/fish/completions/holdfast.fish",
  )
    .addArgument(new Argument("<shell>", "which shell").choices(SHELLS))
    .action(async (shell: Shell, _options: unknown, command: Command) => {
      finish(await handlers.completion({ shell, ...globalsOf(command) }));
    });
}

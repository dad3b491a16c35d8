import { readFileSync } from "node:fs";

/** What a program does to a terminal that is more than lines. */
export interface TerminalUse {
  /** Gives the terminal back. May be called when that was done before. */
  leave(): void;
  /** Takes it again, from wherever a shell left it. */
  enter(): void;
}

/**
 * Ctrl-Z for a program that draws on its terminal: gives it back before the process stops, and takes it again when the process goes
 * on in the foreground. In the background it stops again, as the kernel does to others: a shell does not share its screen.
 * @returns what ends it
 */
export function onSuspend({ leave, enter }: TerminalUse): () => void {
  let hasLeft = false;
  const suspend = (): void => {
    hasLeft = true;
    leave();
    // The signal's own action, in which the process stands still.
    process.off("SIGTSTP", suspend);
    process.kill(process.pid, "SIGTSTP");
    // In a process group that no shell could wake the kernel does nothing, and no SIGCONT comes: not in the next turn either.
    setImmediate(() => setImmediate(() => hasLeft && resume()));
  };
  const resume = (): void => {
    if (!isInForeground()) {
      process.kill(process.pid, "SIGTTOU");
      return;
    }
    if (hasLeft) process.on("SIGTSTP", suspend);
    hasLeft = false;
    enter();
  };
  process.on("SIGTSTP", suspend);
  process.on("SIGCONT", resume);
  return () => {
    hasLeft = false;
    process.off("SIGTSTP", suspend);
    process.off("SIGCONT", resume);
  };
}

/** Whether the terminal is this process group's, by proc(5); true where there is none. */
function isInForeground(): boolean {
  // The name before these fields may hold spaces and brackets.
  const fields = readFileSync("/proc/self/stat", "latin1").split(") ").at(-1)?.split(" ") ?? [];
  const [, , group, , , foreground] = fields;
  return foreground === "-1" || foreground === group;
}

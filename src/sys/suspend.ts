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
 * on in the foreground. In the background it stops again, as the kernel does to others: a shell does not share its screen. Where
 * no shell could wake it, it goes on at once.
 * @returns what ends it
 */
export function onSuspend({ leave, enter }: TerminalUse): () => void {
  let hasLeft = false;
  const suspend = (): void => {
    leave();
    if (isOrphaned()) {
      enter();
      return;
    }
    hasLeft = true;
    // The signal's own action, in which the process stands still. Another thread may be the first to take it, and this one runs on
    // for a while: nothing but SIGCONT says that it is over.
    process.off("SIGTSTP", suspend);
    process.kill(process.pid, "SIGTSTP");
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
    process.off("SIGTSTP", suspend);
    process.off("SIGCONT", resume);
  };
}

/** Whether the terminal is this process group's; true where there is none. */
function isInForeground(): boolean {
  const { group, foreground } = jobOf("self") ?? {};
  return foreground === "-1" || foreground === group;
}

/** Whether this process group is one that the kernel does not stop, because nobody outside of it in its session could wake it: setpgid(2). */
function isOrphaned(): boolean {
  const self = jobOf("self");
  let parent = self;
  while (parent !== null && parent.group === self?.group) parent = jobOf(parent.parent);
  return parent?.session !== self?.session;
}

/** Numbers as proc(5) writes them; null = there is no such process, or it is not to be seen. */
function jobOf(pid: string): Record<"parent" | "group" | "session" | "foreground", string> | null {
  let stat: string;
  try {
    stat = readFileSync(`/proc/${pid}/stat`, "latin1");
  } catch {
    return null;
  }
  // The name before these fields may hold spaces and brackets.
  const [, parent = "", group = "", session = "", , foreground = ""] = stat.split(") ").at(-1)?.split(" ") ?? [];
  return { parent, group, session, foreground };
}

/**
 * The catalogue of errors from the system: code -> what the operator does next.
 * A code is stable: logs, JSON and tests refer to it.
 */
export const ERROR_CATALOGUE = {
  ADDON_MISSING: "Build the native addon: install gcc and libc6-dev, then run `npm rebuild` in holdfast's folder.",
  PRIVILEGE_MISSING: "Run as root, or give the process CAP_NET_ADMIN and CAP_NET_RAW.",
  KERNEL_UNSUPPORTED:
    "Load the kernel module named in the message (for IPVS: `modprobe ip_vs`), or use a kernel that has it.",
  SYSTEM_CALL_FAILED: "See the errno and the arguments in the message; the kernel refused the call.",
  NETLINK_REFUSED: "The kernel refused a netlink request; the message names the object and the reason.",
  NETLINK_TRUNCATED: "A netlink reply was cut short; holdfast reads it again. Report it if it repeats.",
  INTERFACE_MISSING: "Create the interface or correct its name under vrrp.instances.",
  FILE_UNREADABLE: "Check that the file exists and that holdfast may read it.",
  FILE_UNWRITABLE: "Check that the folder exists, that holdfast may write to it and that the disk is not full.",
  CONFIG_INVALID: "Correct the file; `holdfast check FILE` lists every problem.",
  DAEMON_UNREACHABLE: "Start the daemon (`systemctl start holdfast`) or name its folder with --run-dir.",
  DAEMON_RUNNING: "Another holdfast uses this run directory; stop it, or give this one its own --run-dir.",
  CONTROL_REFUSED: "The daemon refused the request; the message says why.",
  CHILD_FAILED: "A holdfast process ended unexpectedly and is restarted; the lines before this one say why.",
  TOOL_FAILED: "Mend what the program says, or install it: `apt-get install iproute2 kmod nftables`.",
  REPLY_TIMEOUT: "A holdfast process did not answer in time; see `holdfast status` and its log.",
} as const;

export type ErrorCode = keyof typeof ERROR_CATALOGUE;

/** Plain facts about an error, fit for a log line: names, addresses, numbers. Never secrets. */
export type Facts = Readonly<Record<string, string | number | boolean | undefined>>;

/**
 * An error from the system at the edges: wrapped once where it happens, logged once where it is handled.
 * `message` is one sentence that says what and where; the catalogue says what to do.
 */
export class DirectorError extends Error {
  override readonly name = "DirectorError";
  readonly code: ErrorCode;
  readonly facts: Facts;

  constructor(code: ErrorCode, message: string, facts: Facts = {}, cause?: unknown) {
    super(message, cause === undefined ? undefined : { cause });
    this.code = code;
    this.facts = facts;
  }

  /** The operator's next step. */
  get remedy(): string {
    return ERROR_CATALOGUE[this.code];
  }
}

/** The text of anything that was thrown, without a stack. */
export function messageOf(thrown: unknown): string {
  return thrown instanceof Error ? thrown.message : String(thrown);
}

/** The name of the system's error, `EACCES`, where what was thrown by Node has one. */
export function errnoNameOf(thrown: unknown): string | undefined {
  return thrown instanceof Error && "code" in thrown && typeof thrown.code === "string" ? thrown.code : undefined;
}

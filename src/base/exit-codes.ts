/** Exit codes of the `holdfast` program, after sysexits.h where that has a fitting one. */
export const EXIT = {
  OK: 0,
  /** The command ran and the answer is "no": a handover that did not happen, findings, warnings with --strict. */
  FAILED: 1,
  /** `plan` only: there are changes to make. */
  CHANGES: 2,
  /** `status`: something is degraded. */
  DEGRADED: 3,
  /** No daemon answers on the control socket. */
  NO_DAEMON: 4,
  /** EX_USAGE: the command line is wrong. */
  USAGE: 64,
  /** EX_SOFTWARE: a fault of our own. */
  OWN_FAULT: 70,
  /** EX_NOPERM: a privilege or kernel support is missing. */
  NO_PRIVILEGE: 77,
  /** EX_CONFIG: the configuration is wrong. */
  BAD_CONFIG: 78,
} as const;

export type ExitCode = (typeof EXIT)[keyof typeof EXIT];

/** errno names of what no repetition mends: the rights on a folder, or a read-only file system. */
const FOR_GOOD = ["EACCES", "EPERM", "EROFS"];

/**
 * The exit code of the program that an error ends. A service manager starts it again after 70, not after 77 and 78.
 * @param code of a DirectorError, or of anything else that was thrown
 * @param errno name of the system's error, where there was one
 */
export function exitCodeFor(code: string, errno?: unknown): ExitCode {
  switch (code) {
    case "PRIVILEGE_MISSING":
    case "KERNEL_UNSUPPORTED":
    case "ADDON_MISSING":
      return EXIT.NO_PRIVILEGE;
    case "FILE_UNWRITABLE":
      return FOR_GOOD.some((name) => name === errno) ? EXIT.NO_PRIVILEGE : EXIT.OWN_FAULT;
    case "CONFIG_INVALID":
    case "INTERFACE_MISSING":
      return EXIT.BAD_CONFIG;
    case "DAEMON_UNREACHABLE":
      return EXIT.NO_DAEMON;
    case "CONTROL_REFUSED":
    case "REPLY_TIMEOUT":
    case "TOOL_FAILED":
    case "DAEMON_RUNNING":
      return EXIT.FAILED;
    default:
      return EXIT.OWN_FAULT;
  }
}

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

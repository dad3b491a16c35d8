import { constants } from "node:os";
import { getSystemErrorMap } from "node:util";
import { DirectorError, type ErrorCode, type Facts } from "../base/director-error.ts";

/** Two names share a number on Linux; the better known one. */
const PREFERRED = new Set(["EAGAIN", "EOPNOTSUPP", "EDEADLK"]);

const NAMES: ReadonlyMap<number, string> = new Map(
  Object.entries(constants.errno)
    .sort(([a], [b]) => Number(PREFERRED.has(a)) - Number(PREFERRED.has(b)))
    .map(([name, value]) => [value, name]),
);

/** Positive numbers of the errors that code here tells apart. */
export const {
  EPERM,
  ENOENT,
  ESRCH,
  EAGAIN,
  EACCES,
  EBUSY,
  EEXIST,
  ENODEV,
  EINVAL,
  EMSGSIZE,
  ENOBUFS,
  EADDRNOTAVAIL,
  EINPROGRESS,
} = constants.errno;

/** @param errno positive; `ECONNREFUSED`, or `errno 4242` if nobody knows it */
export function errnoName(errno: number): string {
  return NAMES.get(errno) ?? `errno ${errno}`;
}

/** `ECONNREFUSED (connection refused)` */
export function errnoText(errno: number): string {
  const text = getSystemErrorMap().get(-errno)?.[1];
  return text === undefined ? errnoName(errno) : `${errnoName(errno)} (${text})`;
}

function codeOf(errno: number): ErrorCode {
  return errno === EPERM || errno === EACCES ? "PRIVILEGE_MISSING" : "SYSTEM_CALL_FAILED";
}

/**
 * @param what  the call and its object, `bind of the VRRP socket on eth0`
 * @param errno positive
 */
export function systemCallError(what: string, errno: number, facts: Facts = {}): DirectorError {
  const message = `${what} failed: ${errnoText(errno)}`;
  return new DirectorError(codeOf(errno), message, { ...facts, errno: errnoName(errno) });
}

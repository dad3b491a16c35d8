/**
 * A service manager and a careless `kill` signal every process of the service; only the supervisor decides what ends when.
 * A child ends by its "stop" message, or when the supervisor is gone.
 */
export function ignoreTerminalSignals(): void {
  for (const signal of ["SIGINT", "SIGTERM", "SIGHUP"] as const) process.on(signal, () => undefined);
}

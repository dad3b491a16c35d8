/** A statement about our own code did not hold. Never caused by input; it ends the process, which is then restarted. */
export class AssertionError extends Error {
  override readonly name = "AssertionError";
}

/** States what must hold. Stays on in production. */
export function assert(condition: boolean, message: string): asserts condition {
  if (!condition) throw new AssertionError(message);
}

/** Marks a branch that no value can reach; the compiler proves it, this catches what came from outside the types. */
export function unreachable(value: never): never {
  throw new AssertionError(`unreachable value: ${JSON.stringify(value)}`);
}

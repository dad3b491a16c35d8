/** The outcome of something that may fail for a reason outside this program: a value, or an error that is a value too. */
export type Result<T, E> = { readonly ok: true; readonly value: T } | { readonly ok: false; readonly error: E };

export function ok<T>(value: T): { readonly ok: true; readonly value: T } {
  return { ok: true, value };
}

export function err<E>(error: E): { readonly ok: false; readonly error: E } {
  return { ok: false, error };
}

/** The value, or the error thrown: for edges that answer errors by exceptions. */
export function orThrow<T>(result: Result<T, Error>): T {
  if (!result.ok) throw result.error;
  return result.value;
}

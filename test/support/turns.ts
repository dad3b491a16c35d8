/** Lets the event loop turn a few times: what is scheduled for its end has happened then. */
export async function turns(count = 4): Promise<void> {
  for (let n = 0; n < count; n += 1) await new Promise((resolve) => setImmediate(resolve));
}

/** Does one thing after the other, in the order in which they were asked for, also where one has to wait. */
export class InOrder {
  #last: Promise<unknown> = Promise.resolve();

  /** What fails is its asker's, and keeps nobody else from their turn. */
  next<Value>(act: () => Value | Promise<Value>): Promise<Value> {
    const done = this.#last.then(act);
    this.#last = done.catch(() => undefined);
    return done;
  }
}

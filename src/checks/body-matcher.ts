import { type BodyPattern, MAX_PATTERN_BYTES } from "./body-pattern.ts";
import { fail, type Outcome, pass, quote } from "./outcome.ts";

/** What the check is to do after a piece of the body. */
export type BodyProgress = { readonly type: "more" } | { readonly type: "decided"; readonly outcome: Outcome };

/** Looks for something in a body that arrives in pieces, and reads no more of it than it must. One per attempt. */
export interface BodyMatcher {
  push(chunk: Buffer): BodyProgress;
  /** The body has ended. */
  end(): Outcome;
}

const MAX_PIECES = 256;

const MORE: BodyProgress = { type: "more" };

/** Finds a text; keeps no more than the text's own length between pieces. */
export class ContainsMatcher implements BodyMatcher {
  readonly #text: string;
  readonly #needle: Buffer;
  readonly #maxBytes: number;
  /** The end of what was read, in case the text straddles two pieces; shorter than the text. */
  #tail = Buffer.alloc(0);
  #read = 0;

  constructor(text: string, maxBytes: number) {
    this.#text = text;
    this.#needle = Buffer.from(text);
    this.#maxBytes = maxBytes;
  }

  push(chunk: Buffer): BodyProgress {
    const piece = chunk.subarray(0, this.#maxBytes - this.#read);
    this.#read += piece.length;
    const hay = this.#tail.length === 0 ? piece : Buffer.concat([this.#tail, piece]);
    if (hay.includes(this.#needle))
      return { type: "decided", outcome: pass(`the body contains "${quote(this.#text)}"`) };
    if (this.#read >= this.#maxBytes) return { type: "decided", outcome: this.end() };
    const keep = Math.min(hay.length, Math.max(0, this.#needle.length - 1));
    this.#tail = Buffer.from(hay.subarray(hay.length - keep));
    return MORE;
  }

  end(): Outcome {
    if (this.#needle.length === 0) return pass("the body contains the empty text");
    return fail("body_mismatch", `"${quote(this.#text)}" does not stand in the first ${this.#read} bytes of the body`);
  }
}

/** Matches a regular expression against the whole body, or as much of it as may be read. */
export class PatternMatcher implements BodyMatcher {
  readonly #pattern: BodyPattern;
  readonly #maxBytes: number;
  /** Bounded by maxBytes in total, and in number by MAX_PIECES: a server may send one byte at a time. */
  #chunks: Buffer[] = [];
  #read = 0;

  constructor(pattern: BodyPattern, maxBytes: number) {
    this.#pattern = pattern;
    this.#maxBytes = Math.min(maxBytes, MAX_PATTERN_BYTES);
  }

  push(chunk: Buffer): BodyProgress {
    const piece = chunk.subarray(0, this.#maxBytes - this.#read);
    this.#read += piece.length;
    this.#chunks.push(piece);
    if (this.#chunks.length >= MAX_PIECES) this.#chunks = [Buffer.concat(this.#chunks)];
    return this.#read >= this.#maxBytes ? { type: "decided", outcome: this.end() } : MORE;
  }

  end(): Outcome {
    const source = quote(this.#pattern.source);
    switch (this.#pattern.test(Buffer.concat(this.#chunks).toString("utf8"))) {
      case "found":
        return pass(`the body matches /${source}/`);
      case "absent":
        return fail("body_mismatch", `/${source}/ does not match the first ${this.#read} bytes of the body`);
      case "slow":
        return fail("body_pattern_slow", `/${source}/ takes too long on this body; simplify nested repetitions`);
    }
  }
}

import { CST, Lexer } from "yaml";

export interface Token {
  readonly type: string;
  readonly offset: number;
  readonly text: string;
}

/** The pieces that a text is cut into, and the lexer's marks between them. Linear in the text, whatever the text. */
export function lexemesOf(text: string): Iterable<string> {
  return new Lexer().lex(text);
}

/** The tokens that lexemes stand for, with their places. */
export function* tokensOf(lexemes: Iterable<string>): Generator<Token> {
  let offset = 0;
  let isPlainNext = false;
  for (const token of lexemes) {
    // The lexer's marks stand for no character of the text; this one says that the next token is a plain scalar.
    if (!isPlainNext && (token === CST.DOCUMENT || token === CST.FLOW_END || token === CST.SCALAR)) {
      isPlainNext = token === CST.SCALAR;
      continue;
    }
    yield { type: isPlainNext ? "scalar" : (CST.tokenType(token) ?? ""), offset, text: token };
    isPlainNext = false;
    offset += token.length;
  }
}

import type { WordPaint } from "../../src/cli/terminal.ts";

/** What a pipe gets: no colours. */
export const plainPaint: WordPaint = { good: String, bad: String, dim: String, strong: String };

import { InvalidArgumentError } from "commander";
import { parseDurationUs } from "../../base/duration.ts";

/**
 * Reads an option that is a duration, within bounds.
 * @returns a parser for commander; it refuses with a sentence
 */
export function durationBetween(lowestUs: number, highestUs: number, range: string): (text: string) => number {
  return (text) => {
    const parsed = parseDurationUs(text);
    if (!parsed.ok) throw new InvalidArgumentError(`${parsed.error}.`);
    if (parsed.value < lowestUs || parsed.value > highestUs) throw new InvalidArgumentError(`It must be ${range}.`);
    return parsed.value;
  };
}

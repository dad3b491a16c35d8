/**
 * How much of a search a run makes: `npm test` all of it, by HOLDFAST_SEARCH=all, and `npm run test:unit` a quarter, so that it
 * is done in the pause between two edits. What a quarter finds, it finds by the same seeds.
 * @param whole how many seeds, packets or examples are all of it
 */
export function searched(whole: number): number {
  return process.env.HOLDFAST_SEARCH === "all" ? whole : Math.ceil(whole / 4);
}

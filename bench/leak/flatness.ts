/** One look at a quantity: after how many checks or reloads, and how many bytes it was. */
export interface Sample {
  readonly at: number;
  readonly bytes: number;
}

export interface Growth {
  /** Bytes that one more check or reload costs. */
  readonly bytesEach: number;
  /** Over everything that was looked at. */
  readonly bytes: number;
}

function median(values: readonly number[]): number {
  const sorted = [...values].sort((a, b) => a - b);
  const middle = Math.floor(sorted.length / 2);
  const [low = Number.NaN, high = Number.NaN] = [sorted[middle - (sorted.length % 2 === 0 ? 1 : 0)], sorted[middle]];
  return (low + high) / 2;
}

/**
 * How a quantity grows, by the median of the slopes between all pairs of samples (Theil and Sen): a collection that comes late, or a
 * page that is given back, moves one sample and not the judgement.
 * @param samples at least three, in order
 */
export function growthOf(samples: readonly Sample[]): Growth {
  const slopes: number[] = [];
  for (const [index, before] of samples.entries()) {
    for (const after of samples.slice(index + 1)) {
      if (after.at > before.at) slopes.push((after.bytes - before.bytes) / (after.at - before.at));
    }
  }
  const bytesEach = median(slopes);
  return { bytesEach, bytes: bytesEach * ((samples.at(-1)?.at ?? 0) - (samples[0]?.at ?? 0)) };
}

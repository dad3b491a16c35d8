import { BadTimes } from "./bad-times.ts";
import { GoodTimes } from "./good-times.ts";
import { Scene } from "./scene.ts";

/**
 * Two to five directors on one segment; the seed draws who they are and what befalls them.
 * @throws Error that names the seed and tells its story, where something does not hold
 */
export async function simulate(seed: number): Promise<void> {
  const scene = new Scene(seed);
  try {
    await new BadTimes(scene).run();
    await new GoodTimes(scene).run();
  } catch (error) {
    throw new Error(
      `seed ${seed}: ${error instanceof Error ? error.message : String(error)}\n${scene.story.join("\n")}`,
      {
        cause: error,
      },
    );
  }
}

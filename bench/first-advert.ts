import { withTopology } from "../test/lab/support/topology.ts";
import { AdvertWatch } from "./advert-watch.ts";
import { DAEMONS } from "./daemons.ts";
import type { Figures } from "./figures.ts";
import { RouterPair } from "./routers.ts";

/** Of the owner of the address: it does not wait for a master first, so what is measured is the program. */
const OWNER = 255;
const ADVERTISE_MS = 1000;

/** From the start of a program that owns its address to its first advert, seen by tcpdump on another host. */
export async function benchFirstAdvert(figures: Figures, rounds: number): Promise<void> {
  await withTopology({ directors: 1 }, async (topology) => {
    const watch = await AdvertWatch.up(topology.client);
    const source = topology.plan.directors[0] ?? "";
    try {
      for (let round = 0; round < rounds; round += 1) {
        for (const name of DAEMONS) {
          watch.clear();
          const startedMs = Date.now();
          const router = RouterPair.alone(name, topology, { advertiseMs: ADVERTISE_MS, priorities: [OWNER, 100] });
          try {
            const { atMs } = await watch.until(source);
            figures.add("start", "first advert after start", "s", name, (atMs - startedMs) / 1000);
          } finally {
            await router.down();
          }
        }
      }
    } finally {
      await watch.down();
    }
  });
}

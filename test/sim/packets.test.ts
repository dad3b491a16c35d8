import assert from "node:assert/strict";
import { searched } from "../support/search.ts";
import { hammer } from "./packets.ts";

const PACKETS = searched(100_000);
const SEED = Number(process.env.HOLDFAST_SEED ?? 1);

describe("vrrp packets, random and mutated", () => {
  it(`${PACKETS} of them make nothing throw, and only valid adverts change anything`, function () {
    this.timeout(30_000);
    const { adverts, rubbish, phases } = hammer(SEED, PACKETS);
    assert.ok(adverts > PACKETS / 20 && rubbish > PACKETS / 2, `${adverts} adverts, ${rubbish} others`);
    assert.deepEqual([...phases].sort(), ["backup", "master"]);
  });
});

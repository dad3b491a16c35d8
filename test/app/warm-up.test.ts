import assert from "node:assert/strict";
import { mock } from "node:test";
import { WarmUp } from "../../src/app/warm-up.ts";
import type { InstanceConfig } from "../../src/config/model.ts";
import type { InstanceStatus } from "../../src/control/status.ts";

type Standing = Pick<InstanceStatus, "name" | "phase" | "isResting">;

/** A start with instances web (priority 150), more (100) and own (255). */
function starting(hasServices = true) {
  const world = { standing: [] as Standing[], isTableKnown: false, woken: [] as string[], said: [] as string[] };
  const instances = [150, 100, 255].map((priority, index) => ({ name: ["web", "more", "own"][index], priority }));
  const warmUp = new WarmUp(
    { instances: instances as unknown as InstanceConfig[], hasServices },
    {
      instances: () => world.standing as InstanceStatus[],
      isTableKnown: () => world.isTableKnown,
      wake: (name) => world.woken.push(name),
      say: (message) => world.said.push(message),
    },
  );
  return { world, warmUp };
}

const rests = (name: string): Standing => ({ name, phase: "backup", isResting: true });

describe("warm-up of a director", () => {
  beforeEach(() => mock.timers.enable({ apis: ["setTimeout"] }));
  afterEach(() => mock.timers.reset());

  it("starts instances at rest, except owners, and those without a table", () => {
    assert.deepEqual(starting().warmUp.resting, ["web", "more"]);
    assert.deepEqual(starting(false).warmUp.resting, []);
  });

  it("wakes them when every server is known and they have started, once", () => {
    const { world, warmUp } = starting();
    warmUp.begin();
    world.isTableKnown = true;
    warmUp.look();
    assert.deepEqual(world.woken, [], "nothing is known of instances yet");
    world.standing = [rests("web"), { name: "more", phase: "initialize", isResting: false }, rests("own")];
    warmUp.look();
    assert.deepEqual(world.woken, ["web"]);
    assert.deepEqual(warmUp.resting, ["more"]);
    world.standing = [rests("web"), rests("more"), rests("own")];
    warmUp.look();
    warmUp.look();
    assert.deepEqual(world.woken, ["web", "more"]);
    assert.deepEqual(world.said, [
      "every server is known: web may take addresses from a lower master",
      "every server is known: more may take addresses from a lower master",
    ]);
  });

  it("leaves one alone that was needed meanwhile: if it rests later, somebody ordered it", () => {
    const { world, warmUp } = starting();
    warmUp.begin();
    world.standing = [{ name: "web", phase: "master", isResting: false }, rests("more")];
    warmUp.look();
    world.standing = [rests("web"), rests("more")];
    world.isTableKnown = true;
    warmUp.look();
    assert.deepEqual(world.woken, ["more"]);
  });

  it("waits a minute at most", () => {
    const { world, warmUp } = starting();
    warmUp.begin();
    world.standing = [rests("web"), rests("more")];
    warmUp.look();
    mock.timers.tick(59_999);
    assert.deepEqual(world.woken, []);
    mock.timers.tick(1);
    assert.deepEqual(world.woken, ["web", "more"]);
    assert.match(world.said.join(), /still unknown after a minute/);
  });
});

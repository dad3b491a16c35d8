import assert from "node:assert/strict";
import {
  followPhase,
  NEVER_MASTER,
  SYNC_LINGER_US,
  type SyncDaemon,
  type SyncOperation,
  syncOperations,
  wantedRoles,
} from "../../src/ipvs/sync.ts";

const BACKUP: SyncDaemon = {
  role: "backup",
  interface: "eth1",
  id: 1,
  group: "224.0.0.81",
  port: 8848,
  ttl: 1,
  maxBytes: 1472,
};
const MASTER: SyncDaemon = { ...BACKUP, role: "master" };

describe("ipvs sync: which daemons run when", () => {
  const S = 1_000_000;
  // [what happened: at second, is master], [at second, roles]
  const rows: readonly (readonly [string, readonly (readonly [number, boolean])[], readonly [number, string]])[] = [
    ["nothing heard yet", [], [0, "backup"]],
    ["backup from the start", [[0, false]], [1, "backup"]],
    ["master", [[0, true]], [0, "backup+master"]],
    ["master for an hour", [[0, true]], [3600, "backup+master"]],
    [
      "just left",
      [
        [0, true],
        [10, false],
      ],
      [13.999, "backup+master"],
    ],
    [
      "left long enough ago",
      [
        [0, true],
        [10, false],
      ],
      [14, "backup"],
    ],
    [
      "told again that it is not: the time goes on from the first",
      [
        [0, true],
        [10, false],
        [13, false],
      ],
      [14, "backup"],
    ],
    [
      "left and back",
      [
        [0, true],
        [10, false],
        [11, true],
      ],
      [100, "backup+master"],
    ],
    [
      "left, back and left: the time goes on from the last",
      [
        [0, true],
        [10, false],
        [11, true],
        [12, false],
      ],
      [15.999, "backup+master"],
    ],
  ];
  for (const [name, heard, [at, roles]] of rows) {
    it(`${name}: ${roles}`, () => {
      let phase = NEVER_MASTER;
      for (const [atS, isMaster] of heard) phase = followPhase(phase, isMaster, atS * S);
      assert.equal(wantedRoles(phase, at * S).join("+"), roles);
    });
  }

  it("says when to look again, and only then", () => {
    const master = followPhase(NEVER_MASTER, true, 5);
    assert.equal(master.lingersUntilUs, null);
    const left = followPhase(master, false, 7);
    assert.equal(left.lingersUntilUs, 7 + SYNC_LINGER_US);
    assert.equal(followPhase(left, false, 7 + SYNC_LINGER_US).lingersUntilUs, null);
  });
});

describe("ipvs sync: from the daemons that run to those that are wanted", () => {
  const start = (daemon: SyncDaemon): SyncOperation => ({ type: "startDaemon", daemon });
  const stop = (role: SyncDaemon["role"]): SyncOperation => ({ type: "stopDaemon", role });
  const rows: readonly (readonly [string, readonly SyncDaemon[], readonly SyncDaemon[], readonly SyncOperation[]])[] = [
    ["nothing to nothing", [], [], []],
    ["nothing to both", [], [BACKUP, MASTER], [start(BACKUP), start(MASTER)]],
    ["both are there already", [MASTER, BACKUP], [BACKUP, MASTER], []],
    ["the master has done its work", [MASTER, BACKUP], [BACKUP], [stop("master")]],
    ["both to nothing", [BACKUP, MASTER], [], [stop("backup"), stop("master")]],
    ["another interface", [{ ...BACKUP, interface: "eth0" }], [BACKUP], [stop("backup"), start(BACKUP)]],
    ["another id", [{ ...BACKUP, id: 2 }], [BACKUP], [stop("backup"), start(BACKUP)]],
    ["another group", [{ ...BACKUP, group: "224.0.0.90" }], [BACKUP], [stop("backup"), start(BACKUP)]],
    ["another port", [{ ...BACKUP, port: 8850 }], [BACKUP], [stop("backup"), start(BACKUP)]],
    ["another TTL", [{ ...BACKUP, ttl: 2 }], [BACKUP], [stop("backup"), start(BACKUP)]],
    ["too little room", [{ ...BACKUP, maxBytes: 1024 }], [BACKUP], [stop("backup"), start(BACKUP)]],
    ["only the other role", [MASTER], [BACKUP], [start(BACKUP), stop("master")]],
  ];
  for (const [name, present, wanted, operations] of rows) {
    it(name, () => assert.deepEqual(syncOperations(present, wanted), operations));
  }

  it("starts daemons anew whose interface is gone", () => {
    assert.deepEqual(syncOperations([BACKUP, MASTER], [BACKUP], true), [stop("backup"), start(BACKUP), stop("master")]);
  });
});

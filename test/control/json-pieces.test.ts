import assert from "node:assert/strict";
import fc from "fast-check";
import { jsonPieces } from "../../src/control/json-pieces.ts";
import { directorStatus, serverStatus, serviceStatus } from "../support/status.ts";

describe("JSON in pieces", () => {
  it("is what JSON.stringify makes, whatever is opened", () =>
    fc.assert(
      fc.property(
        fc.jsonValue().map((value) => ({ value, list: [undefined, value], left: undefined })),
        fc.nat(6),
        (data, depth) => assert.equal([...jsonPieces(data, depth)].join(""), JSON.stringify(data)),
      ),
    ));

  it("of a status with ten thousand servers are small, and not many", () => {
    const servers = Array.from({ length: 10_000 }, (_, i) => serverStatus(`10.0.${i >> 8}.${i & 255}:80`));
    const status = directorStatus({ services: [serviceStatus("big", servers)] });
    const pieces = [...jsonPieces(status, 4)];
    assert.equal(pieces.join(""), JSON.stringify(status));
    assert.ok(Math.max(...pieces.map(({ length }) => length)) < 70_000);
    assert.ok(pieces.length < 100, `${pieces.length}`);
  });
});

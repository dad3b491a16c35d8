import type { Totals } from "../ipvs/traffic.ts";
import type { AttributeReader } from "./attributes.ts";
import * as n from "./ipvs-numbers.ts";

/** For a kernel that tells no 64-bit counters; those before 4.1, which Node does not run on. */
export const NO_TOTALS: Totals = { connections: 0, packetsIn: 0, packetsOut: 0, bytesIn: 0, bytesOut: 0 };

/** @param reader at the nest of statistics, which takes over its errors */
export function readTotals(reader: AttributeReader): Totals {
  const stats = reader.nested();
  let connections = 0;
  let packetsIn = 0;
  let packetsOut = 0;
  let bytesIn = 0;
  let bytesOut = 0;
  while (stats.next()) {
    switch (stats.type) {
      case n.IPVS_STATS_ATTR_CONNS:
        connections = stats.u64();
        break;
      case n.IPVS_STATS_ATTR_INPKTS:
        packetsIn = stats.u64();
        break;
      case n.IPVS_STATS_ATTR_OUTPKTS:
        packetsOut = stats.u64();
        break;
      case n.IPVS_STATS_ATTR_INBYTES:
        bytesIn = stats.u64();
        break;
      case n.IPVS_STATS_ATTR_OUTBYTES:
        bytesOut = stats.u64();
        break;
    }
  }
  reader.fail(stats.error);
  return { connections, packetsIn, packetsOut, bytesIn, bytesOut };
}

import type { IpText } from "../base/ip.ts";
import type { InstanceConfig } from "../config/model.ts";
import { type DecodedAdvert, PRIORITY_RELEASE } from "./advert.ts";
import { csToUs } from "./timing.ts";

/** What another router of the same VRID may do otherwise; stable, used as counter names in status. */
export const DIFFERENCE_CODES = ["checksum_form", "interval", "equal_priority", "stranger", "address_list"] as const;

export type DifferenceCode = (typeof DIFFERENCE_CODES)[number];

export interface Difference {
  readonly code: DifferenceCode;
  /** A clause with both values. */
  readonly message: string;
}

/** What an advert is compared with; `priority` is the effective one. */
export type OwnAdvert = Pick<InstanceConfig, "vrid" | "priority" | "advertIntervalUs" | "addresses" | "checksum">;

/** Differences that are accepted (RFC 9568 section 7.1), but that an operator should mend. */
export function differences(own: OwnAdvert, source: IpText, advert: DecodedAdvert): readonly Difference[] {
  const found: Difference[] = [];
  const form = advert.checksumForm;
  if (form !== own.checksum) {
    found.push({
      code: "checksum_form",
      message: `${source} sends the ${form} checksum, this node ${own.checksum}; many daemons drop the other form: set checksum: ${form}`,
    });
  }
  if (advert.priority !== PRIORITY_RELEASE && csToUs(advert.intervalCs) !== own.advertIntervalUs) {
    found.push({
      code: "interval",
      message: `${source} advertises every ${advert.intervalCs * 10} ms, this node every ${own.advertIntervalUs / 1000} ms; make them equal`,
    });
  }
  if (advert.priority === own.priority) {
    found.push({
      code: "equal_priority",
      message: `${source} advertises priority ${advert.priority}, and this node has priority ${own.priority} too; between them the higher address decides: make the priorities differ`,
    });
  }
  const list = listDifference(own, source, advert);
  return list === null ? found : [...found, list];
}

function listDifference(own: OwnAdvert, source: IpText, advert: DecodedAdvert): Difference | null {
  const ownList = own.addresses.map(({ address }) => address);
  const theirs = [...advert.addresses].sort().join(", ");
  const ours = [...ownList].sort().join(", ");
  if (theirs === ours) return null;
  if (!advert.addresses.some((address) => ownList.includes(address))) {
    return {
      code: "stranger",
      message: `${source} uses VRID ${own.vrid} for the addresses ${theirs}, this node for ${ours}: two virtual routers share one VRID; give one of them another`,
    };
  }
  return {
    code: "address_list",
    message: `${source} advertises the addresses ${theirs}, this node ${ours}; make them equal`,
  };
}

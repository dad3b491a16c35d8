import assert from "node:assert/strict";
import { largestGapWithin, parseProbe } from "./probe.ts";
import { adverts, parseTable } from "./witness.ts";

/** The lab's own readers: what they misread, no scenario would notice. */
describe("lab support", () => {
  it("reads ipvsadm -Ln", () => {
    const text = `IP Virtual Server version 1.2.1 (size=4096)
Prot LocalAddress:Port Scheduler Flags
  -> RemoteAddress:Port           Forward Weight ActiveConn InActConn
TCP  192.0.2.100:80 wrr persistent 300
  -> 10.0.0.21:8080               Masq    3      2          17        
  -> 10.0.0.22:80                 Route   0      0          0         
UDP  [2001:db8::1]:53 mh (mh-fallback)
  -> [2001:db8::2]:53             Tunnel  1      0          0         
FWM  9 rr
`;
    const common = { active: 0, inactive: 0 };
    assert.deepEqual(parseTable(text), [
      {
        protocol: "tcp",
        address: "192.0.2.100",
        port: 80,
        scheduler: "wrr",
        flags: "persistent 300",
        servers: [
          { address: "10.0.0.21", port: 8080, method: "nat", weight: 3, active: 2, inactive: 17 },
          { address: "10.0.0.22", port: 80, method: "dr", weight: 0, ...common },
        ],
      },
      {
        protocol: "udp",
        address: "2001:db8::1",
        port: 53,
        scheduler: "mh",
        flags: "(mh-fallback)",
        servers: [{ address: "2001:db8::2", port: 53, method: "tun", weight: 1, ...common }],
      },
    ]);
  });

  it("reads fping -l -D: gaps, losses, duplicates, and an address among others", () => {
    const reply = (at: string, address: string, sequence: number): string =>
      `[${at}] ${address} : [${sequence}], 64 bytes, 0.008 ms (0.007 avg, 0% loss)`;
    const text = [
      reply("1700000000.00010", "192.0.2.100", 0),
      reply("1700000000.00015", "192.0.2.12", 0),
      reply("1700000000.00110", "192.0.2.100", 1),
      "[1700000000.00111] 192.0.2.100 : duplicate for [1], 64 bytes, 0.09 ms",
      "[1700000000.00215] ICMP Host Unreachable from 192.0.2.50 for ICMP Echo sent to 192.0.2.100",
      "[1700000000.10000] 192.0.2.100 : [2], timed out (0.007 avg, 33% loss)",
      reply("1700000000.00615", "192.0.2.12", 1),
      reply("1700000000.30110", "192.0.2.100", 3),
      reply("1700000000.30210", "192.0.2.100", 4),
      "",
      "192.0.2.100 : xmt/rcv/%loss = 5/4/20%, min/avg/max = 0.004/0.007/0.031",
      "192.0.2.12  : xmt/rcv/%loss = 2/2/0%, min/avg/max = 0.004/0.007/0.031",
    ].join("\n");
    const report = parseProbe(text, "192.0.2.100");
    assert.deepEqual(
      report.replies.map((one) => one.sequence),
      [0, 1, 3, 4],
    );
    assert.deepEqual([report.sent, report.lost], [5, 1]);
    assert.equal(Math.round(report.largestGapMs), 300);
    const start = 1_700_000_000_000;
    assert.equal(Math.round(report.gapStartMs - start), 1);
    assert.equal(Math.round(largestGapWithin(report, start + 50, start + 60)), 300);
    assert.equal(Math.round(largestGapWithin(report, start + 301.2, start + 302)), 1);
    const control = parseProbe(text, "192.0.2.12");
    assert.deepEqual([control.sent, control.lost, Math.round(control.largestGapMs)], [2, 0, 6]);
  });

  it("reads adverts as tcpdump prints them", () => {
    const lines = [
      "1700000000.100000 IP 192.0.2.11 > 224.0.0.18: vrrp 192.0.2.11 > 224.0.0.18: VRRPv3, Advertisement, vrid 51, prio 150, intvl 100cs, length 12",
      "1700000000.200000 IP 192.0.2.11 > 224.0.0.18: VRRPv3, Advertisement, vrid 51, prio 150, intvl 100cs, length 12",
      "1700000003.300000 IP 192.0.2.12 > 224.0.0.18: VRRPv3, Advertisement, vrid 51, prio 100, intvl 100cs, length 12",
      "1700000003.300100 ARP, Request who-has 192.0.2.100 (ff:ff:ff:ff:ff:ff) tell 192.0.2.100, length 28",
    ];
    const seen = adverts(lines);
    assert.deepEqual(
      seen.map((advert) => [advert.source, advert.vrid, advert.priority]),
      [
        ["192.0.2.11", 51, 150],
        ["192.0.2.11", 51, 150],
        ["192.0.2.12", 51, 100],
      ],
    );
  });
});

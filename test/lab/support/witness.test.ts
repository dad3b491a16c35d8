import assert from "node:assert/strict";
import { largestGapWithin, parsePing } from "./ping.ts";
import { adverts, parseTable, succession } from "./witness.ts";

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

  it("reads ping -D: gaps, losses, duplicates, and sequence numbers that start again", () => {
    const reply = (at: string, sequence: number, more = ""): string =>
      `[${at}] 64 bytes from 192.0.2.100: icmp_seq=${sequence} ttl=64 time=0.02 ms${more}`;
    const text = [
      "PING 192.0.2.100 (192.0.2.100) 56(84) bytes of data.",
      reply("1700000000.000100", 65534),
      reply("1700000000.001100", 65535),
      reply("1700000000.001200", 65535, " (DUP!)"),
      "[1700000000.100000] From 192.0.2.50 icmp_seq=1 Destination Host Unreachable",
      reply("1700000000.301100", 2),
      reply("1700000000.302100", 3),
      "",
      "--- 192.0.2.100 ping statistics ---",
      "65540 packets transmitted, 65536 received, +1 duplicates, 0% packet loss, time 1ms",
    ].join("\n");
    const report = parsePing(text);
    assert.deepEqual(
      report.replies.map((one) => one.sequence),
      [65534, 65535, 65538, 65539],
    );
    assert.equal(report.sent, 65540);
    assert.equal(report.lost, 65536);
    assert.equal(Math.round(report.largestGapMs), 300);
    const start = 1_700_000_000_000;
    assert.equal(Math.round(largestGapWithin(report, start + 50, start + 60)), 300);
    assert.equal(Math.round(largestGapWithin(report, start + 301.2, start + 302)), 1);
  });

  it("reads adverts as tcpdump prints them, and who followed whom", () => {
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
    assert.deepEqual(succession(seen), ["192.0.2.11", "192.0.2.12"]);
  });
});

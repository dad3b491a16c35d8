import { DirectorError } from "../base/director-error.ts";
import { type Cidr, formatCidr } from "../base/ip.ts";
import { orThrow } from "../base/result.ts";
import { ChildChannel } from "../ipc/child-channel.ts";
import { RelayLogger } from "../log/relay.ts";
import type { LogEntry } from "../ports/logger.ts";
import { Addresses, OWN_ADDRESS_PROTOCOL } from "../sys/addresses.ts";
import { AdvertMemory } from "../sys/advert-memory.ts";
import { openAdvertTap } from "../sys/advert-tap.ts";
import { ArpAsker } from "../sys/arp-asker.ts";
import { ArpReserve } from "../sys/arp-reserve.ts";
import { systemClock, TimerfdAlarms } from "../sys/clock.ts";
import { NETLINK_ROUTE } from "../sys/constants.ts";
import { openFrameSocket } from "../sys/frame-socket.ts";
import { type InterfaceState, LinkMonitor } from "../sys/link-monitor.ts";
import { loadNative } from "../sys/native.ts";
import { KernelNetlinkSocket } from "../sys/netlink-socket.ts";
import { setRealtime } from "../sys/realtime.ts";
import { UdpVrrpSocket } from "../sys/udp-vrrp-socket.ts";
import { RawVrrpSocket } from "../sys/vrrp-socket.ts";
import { ignoreTerminalSignals } from "./child-signals.ts";
import { addressesToRemove, type Leftovers, planReturn } from "./crash-return.ts";
import type { VrrpCommands, VrrpFact, VrrpProcessConfig, VrrpReply, VrrpState } from "./messages.ts";
import { VrrpRouter } from "./vrrp-router.ts";

/** Counters in `status` are this old at most. */
const PUBLISH_US = 1_000_000;

/** The `vrrp` child: adverts, state machines, virtual addresses, gratuitous ARP; nothing else. */
export function runVrrpProcess(): void {
  ignoreTerminalSignals();
  const channel = new ChildChannel<VrrpProcessConfig, VrrpState, VrrpFact>();
  const logger = new RelayLogger(channel.outbox);
  const say = (level: LogEntry["level"], message: string) => logger.log({ level, source: "vrrp", message });
  /** What the checker found out, by key; bounded by what is tracked: who tells a fact tells its end. */
  const facts = new Map<string, VrrpFact>();
  let router: VrrpRouter | null = null;
  let stopping: Promise<unknown> | null = null;
  let isRealtime = false;

  const open = (config: VrrpProcessConfig): void => {
    const alarms = new TimerfdAlarms(orThrow(loadNative()));
    const links = orThrow(
      LinkMonitor.open({
        onChange: (name) => router?.linkChanged(name),
        onError: (error) => say("error", `interfaces could not be read: ${error.message}. ${error.remedy}`),
      }),
    );
    const netlink = orThrow(KernelNetlinkSocket.open(NETLINK_ROUTE, "socket for virtual addresses"));
    const addresses = new Addresses({ netlink });
    const asker = new ArpAsker({ netlink });
    const memory = AdvertMemory.open(config.runDir);
    const leftovers = leftoversOn(links, memory, config.resting);
    const crash = planReturn(config.instances, leftovers, (name) => links.get(name), systemClock.nowUs());
    removeAddresses(addressesToRemove(config.instances, leftovers, crash), links, addresses, say);
    const arp = new ArpReserve(config.runDir);
    for (const name of arp.restore()) say("notice", `arp_ignore of ${name} is 0 again, left at 1 by an earlier run`);
    const opened = new VrrpRouter({
      clock: systemClock,
      alarms,
      logger,
      addresses,
      link: (name) => links.get(name),
      hearLinks: () => links.drain(),
      sockets: {
        openVrrp: ({ name, index }, onPacket) =>
          orThrow(RawVrrpSocket.open({ interfaceName: name, interfaceIndex: index }, { onPacket })),
        openFrames: ({ name, index }) => orThrow(openFrameSocket({ interfaceName: name, interfaceIndex: index })),
        openUdp: (address, port, onPacket) => orThrow(UdpVrrpSocket.open({ address, port }, { onPacket })),
        openTap: ({ name, index }, udpPort) => {
          const tap = openAdvertTap({ interfaceName: name, interfaceIndex: index, udpPort });
          return tap.ok ? tap.value : null;
        },
        announceUnframed: ({ index }, address) => asker.announce(index, address),
      },
      arp,
      fact: (key) => facts.get(key),
      publish: (key, state) => channel.outbox.state(key, state),
      memory: (name, vrid) => memory.slot(name, vrid),
    });
    const refresh = alarms.create(() => {
      opened.publishAll();
      refresh.arm(systemClock.nowUs() + PUBLISH_US);
    });
    refresh.arm(systemClock.nowUs() + PUBLISH_US);
    router = opened;
    opened.configure(config, crash);
  };

  const makeRealtime = (wanted: boolean): readonly string[] => {
    // Not wanted and never set: the priority that the service manager gave stays.
    if (!wanted && !isRealtime) return [];
    isRealtime = wanted;
    const problems = setRealtime(wanted, orThrow(loadNative()));
    for (const problem of problems) say("warning", problem);
    return problems;
  };

  channel.listen({
    configure: (config): VrrpReply => {
      // Also without instances: the configuration before may have had some, and their addresses may still be here.
      if (router === null) open(config);
      else router.configure(config);
      return { problems: makeRealtime(config.realtime) };
    },
    facts: (entries) => {
      for (const [key, fact] of entries) {
        if (fact === null) facts.delete(key);
        else facts.set(key, fact);
      }
      router?.factsChanged();
    },
    command: (name, argument) => {
      if (router === null) throw new DirectorError("CONTROL_REFUSED", "no instance is configured yet");
      return obey(router, name, argument);
    },
    // Make before break: it may take as long as a peer needs to be heard, and a second more.
    stop: () => {
      // Asked again: nobody wants to wait for a successor.
      if (stopping !== null) router?.shutdown();
      stopping ??= (router?.stop() ?? Promise.resolve())
        .then(() => channel.outbox.drained())
        .then(() => process.exit(0));
    },
    // Nobody is left to configure or stop us: resign, so that a peer serves, and leave nothing behind.
    orphaned: () => {
      router?.shutdown();
      process.exit(0);
    },
  });
  channel.outbox.ready();
}

/** What a person or a schedule asked for. */
function obey(router: VrrpRouter, name: string, argument: unknown): unknown {
  const { handover, silence, reclaim, wake } = { [name]: argument } as Partial<VrrpCommands>;
  if (handover !== undefined) return router.handover(handover);
  if (silence !== undefined) return router.silence(silence.instance, silence.forUs);
  if (reclaim !== undefined) return router.reclaim(reclaim);
  if (wake !== undefined) return router.wake(wake);
  throw new DirectorError("CONTROL_REFUSED", `the vrrp process has no command ${name}`);
}

/** What an earlier run left when it was killed: its addresses, on any interface, and what the supervisor knows of it. */
function leftoversOn(links: LinkMonitor, memory: AdvertMemory, resting: readonly string[] = []): Leftovers {
  const own = ({ addresses }: InterfaceState) =>
    addresses.filter(({ protocol }) => protocol === OWN_ADDRESS_PROTOCOL).map(({ address }) => address);
  return {
    addresses: new Map(links.all().map((holder) => [holder.name, own(holder)])),
    lastAdvert: (name, vrid) => memory.recall(name, vrid),
    resting: new Set(resting),
  };
}

/** Nobody answers for these addresses now, so they go before the first advert. */
function removeAddresses(
  going: ReadonlyMap<string, readonly Cidr[]>,
  links: LinkMonitor,
  addresses: Addresses,
  say: (level: LogEntry["level"], message: string) => void,
): void {
  for (const [name, cidrs] of going) {
    const holder = links.get(name);
    if (holder === undefined || cidrs.length === 0) continue;
    addresses.remove(holder, cidrs);
    say("notice", `removed ${cidrs.map(formatCidr).join(", ")} from ${name}, left behind by an earlier run`);
  }
}

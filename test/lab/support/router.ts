import { addBridge, Host, removeBridge } from "./hosts.ts";
import { OUTSIDE, type Topology } from "./topology.ts";

/** The client's network behind the router, 203.0.113.0/24. */
const BEYOND = "beyond";
export const CLIENT_BEYOND = "203.0.113.50";
/** The router's address in the directors' network. */
const GATEWAY = "192.0.2.1";

/**
 * Puts a router into the network of directors and servers, and the client behind it, while something is done; for the address plans
 * of 192.0.2.0/24.
 */
export async function behindRouter(topology: Topology, use: (router: Host) => Promise<void>): Promise<void> {
  const { client, directors, servers } = topology;
  const router = new Host("router");
  addBridge(BEYOND);
  try {
    router.plug(OUTSIDE, "eth0", [`${GATEWAY}/24`]);
    router.plug(BEYOND, "eth1", ["203.0.113.1/24"]);
    router.sysctl({ "net.ipv4.ip_forward": "1" });
    for (const host of [...directors, ...servers.map((server) => server.host)])
      host.exec(["ip", "route", "add", "default", "via", GATEWAY]);
    client.plug(BEYOND, "eth1", [`${CLIENT_BEYOND}/24`]);
    client.exec(["sh", "-ec", "ip link set eth0 down; ip route add default via 203.0.113.1"]);
    await use(router);
  } finally {
    await router.close();
    removeBridge(BEYOND);
  }
}

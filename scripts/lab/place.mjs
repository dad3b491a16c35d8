// Where a job runs: on this machine's kernel or in a guest, and why.
import { installDebianPackages } from "../setup.mjs";
import { GUEST_PACKAGES, runInGuest } from "./guest.mjs";
import { runOnHost, whyNoIpvs, whyNoNamespaces } from "./host.mjs";
import { MACHINE_PACKAGES } from "./machine/image.mjs";

/** Programs that the lab uses inside: tools, real servers and witnesses that this project did not write. */
const LAB_PACKAGES = [
  "iproute2",
  "iputils-ping",
  "iputils-arping",
  "faketime",
  "fping",
  "curl",
  "tcpdump",
  "nginx",
  "ipvsadm",
  "nftables",
  "openssl",
  "procps",
  "kmod",
  "keepalived",
  "prometheus",
  "openssh-client",
  "openssh-server",
  "bash",
  "zsh",
  "fish",
  "tmux",
  "mandoc",
];

/**
 * Chooses, says so in one line, and sees to the Debian packages.
 * @param {"ipvs" | "netns" | "machines"} needs
 * @returns {{ name: "host" | "guest", run: typeof runInGuest }}
 */
export function choosePlace(needs) {
  const forced = process.env.HOLDFAST_LAB;
  if (forced !== undefined && forced !== "" && forced !== "guest" && forced !== "host") {
    console.error(`holdfast: HOLDFAST_LAB=${forced} is neither guest nor host`);
    process.exit(64);
  }
  const obstacle = whyNoNamespaces() ?? (needs === "ipvs" ? whyNoIpvs() : undefined);
  if (needs === "machines") return placeForMachines(obstacle);
  let name = obstacle === undefined ? "host" : "guest";
  let why = obstacle ?? (needs === "ipvs" ? "it has ip_vs" : "network namespaces are enough");
  if (forced === "guest" || forced === "host") {
    if (forced === "host" && obstacle !== undefined) {
      console.error(`holdfast: HOLDFAST_LAB=host, but ${obstacle}; unset it to use a guest`);
      process.exit(77);
    }
    name = forced;
    why = `HOLDFAST_LAB=${forced}`;
  }
  console.log(
    `lab: on ${name === "host" ? "this machine's kernel, in namespaces of its own" : "a kernel of its own, in a guest"}: ${why}`,
  );
  installDebianPackages(LAB_PACKAGES, "the lab: namespaces, real servers and independent witnesses");
  if (name === "guest") installDebianPackages(GUEST_PACKAGES, "the lab's guest: boots a kernel that has IPVS");
  return { name, run: name === "host" ? runOnHost : runInGuest };
}

/** Machines are guests themselves: what surrounds them is always this kernel. */
function placeForMachines(obstacle) {
  if (obstacle !== undefined) {
    console.error(`holdfast: machines cannot be booted here: ${obstacle}; run it as root on a machine of your own`);
    process.exit(77);
  }
  console.log("lab: in machines of their own with systemd, on one Ethernet with namespaces of this machine's kernel");
  installDebianPackages(LAB_PACKAGES, "the lab: namespaces, real servers and independent witnesses");
  installDebianPackages(
    [...GUEST_PACKAGES, ...MACHINE_PACKAGES],
    "the lab's machines: boots them from a Debian of their own",
  );
  return { name: "host", run: runOnHost };
}

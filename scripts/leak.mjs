// `npm run leak`: a hundred thousand checks and a thousand reloads by a real daemon, heap and memory watched. On a kernel without IPVS
// its checker writes to a table that is played; HOLDFAST_LAB=guest takes a kernel that has one, and an hour where it is translated.
import { choosePlace } from "./lab/place.mjs";
import { run, setup } from "./setup.mjs";

const SETTINGS = ["LEAK_CHECKS", "LEAK_RELOADS", "LEAK_PLANTED"];
const LIMIT_SECONDS = 3600;

setup();
run("npm", ["run", "--silent", "build:test"]);
run("cc", ["-O2", "-o", ".build/bench/acceptor", "bench/acceptor.c"]);
const { status } = await choosePlace(process.env.HOLDFAST_LAB === "guest" ? "ipvs" : "netns").run({
  script: "uname -sr; node --version; modprobe -qa ip_vs ip_vs_wlc 2>/dev/null; exec node .build/bench/leak/main.js",
  environment: Object.fromEntries(
    SETTINGS.filter((name) => process.env[name] !== undefined).map((name) => [name, process.env[name]]),
  ),
  limitSeconds: LIMIT_SECONDS,
});
process.exitCode = status;

// `npm run demo`: the main job from beginning to end, in plain words, on a real kernel. It does all of its own set-up, and what it
// builds lives in a guest, or in namespaces that end with it.
import { choosePlace } from "./lab/place.mjs";
import { run, setup } from "./setup.mjs";

const LIMIT_SECONDS = 600;

console.log("demo: holdfast on a real kernel, with real requests. First the set-up.");
setup();
run("npm", ["run", "--silent", "build:test"]);
const place = choosePlace("ipvs");
if (place.name === "guest")
  console.log("demo: starting it takes some seconds; inside, programs run ten times slower than outside.\n");
const { status, seconds } = await place.run({ script: "node .build/test/lab/demo.js", limitSeconds: LIMIT_SECONDS });
if (status === 0)
  console.log(
    `\ndemo: done in ${seconds.toFixed(0)} s; what it built is gone. \`npm run lab -- shell\` lets you try it yourself.`,
  );
else console.error(`\ndemo: failed with exit ${status} after ${seconds.toFixed(0)} s`);
process.exitCode = status;

// Program: the demo, on the lab's kernel. `npm run demo` starts it there.
import { runDemo } from "./support/demo.ts";

try {
  await runDemo((line = "") => console.log(line));
} catch (error) {
  console.error(error instanceof Error ? error.message : error);
  process.exitCode = 1;
}

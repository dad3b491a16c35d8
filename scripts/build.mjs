// `npm run build`, after the compiler has found no fault in types: the program and the libraries that it loads, put together in
// dist/. One file for each role and for what roles share: read from a few files, the program starts in half the time and takes
// three fifths of the memory. Nothing is renamed or shortened: what stands in a stack is what stands in src/.
import { rmSync } from "node:fs";
import { join, resolve } from "node:path";
import { pathToFileURL } from "node:url";
import { build } from "esbuild";
import { root } from "./setup.mjs";

/** What is started, and what is asked by those who build around it: manual pages, completions, a kernel that is played. */
const ENTRIES = [
  "main",
  "cli/completion/scripts",
  "cli/manual/config-page",
  "cli/manual/program-page",
  "cli/program",
  "cli/version",
  "sys/netlink-socket",
];

/** Libraries in CommonJS ask for modules of Node by `require`, which a module of the other kind lacks. */
const REQUIRE =
  'import { createRequire as requireFrom } from "node:module"; const require = requireFrom(import.meta.url);';

/**
 * The Client is all that the program takes of undici. The whole of it (fetch, caches, mocks, proxies) takes four times as long to
 * load and ten megabytes more; another name of it would be an error here.
 */
const ONLY_THE_CLIENT = {
  name: "only undici's client",
  setup({ onResolve, onLoad }) {
    onResolve({ filter: /^undici$/ }, ({ path }) => ({ path, namespace: "client" }));
    onLoad({ filter: /^undici$/, namespace: "client" }, () => ({
      // As undici's own index puts them together.
      contents: `import request from "undici/lib/api/api-request.js";
        import Client from "undici/lib/dispatcher/client.js";
        import Dispatcher from "undici/lib/dispatcher/dispatcher.js";
        Dispatcher.prototype.request = request;
        export { Client };`,
      resolveDir: root,
    }));
  },
};

/**
 * Puts the program together.
 * @param {string} folder gets main.js and the rest
 * @param {{ sourcemap?: boolean }} [options] maps back to src/, for those who have it
 * @returns {Promise<string[]>} the libraries that are part of it, as folders relative to the checkout
 */
export async function bundle(folder, { sourcemap = true } = {}) {
  const { metafile } = await build({
    absWorkingDir: root,
    entryPoints: ENTRIES.map((entry) => ({ in: join("src", `${entry}.ts`), out: entry })),
    outdir: folder,
    chunkNames: "parts/[name]-[hash]",
    bundle: true,
    splitting: true,
    platform: "node",
    target: "node20",
    format: "esm",
    banner: { js: REQUIRE },
    plugins: [ONLY_THE_CLIENT],
    sourcemap,
    metafile: true,
    logLevel: "warning",
  });
  const libraries = Object.keys(metafile.inputs).map(
    (path) => /^(?:.*\/)?node_modules\/(?:@[^/]+\/)?[^/]+/.exec(path)?.[0],
  );
  return [...new Set(libraries.filter((path) => path !== undefined))].sort();
}

if (import.meta.url === pathToFileURL(process.argv[1] ?? "").href) {
  const folder = resolve(process.argv[2] ?? join(root, "dist"));
  rmSync(folder, { recursive: true, force: true });
  await bundle(folder);
}

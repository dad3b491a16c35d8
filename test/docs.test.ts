import assert from "node:assert/strict";
import { existsSync, readdirSync, readFileSync } from "node:fs";
import { dirname, join, resolve } from "node:path";
import { fileURLToPath } from "node:url";
import { runProgram } from "../src/cli/program.ts";
import { load } from "./config/support.ts";

const root = resolve(dirname(fileURLToPath(import.meta.url)), "../..");
const scripts = Object.keys(
  (JSON.parse(readFileSync(join(root, "package.json"), "utf8")) as { scripts: object }).scripts,
);

/** A service around a fragment that shows only its checks. */
const SERVICE = "services:\n  web:\n    listen: 192.0.2.10:80\n    servers: [10.0.0.11:80]\n";

const pages = [
  "README.md",
  "CONTRIBUTING.md",
  "CHANGELOG.md",
  ...readdirSync(join(root, "docs")).map((name) => `docs/${name}`),
];

function blocks(text: string, language: string): string[] {
  return [...text.matchAll(new RegExp(`^\`\`\`${language}\\n(.*?)^\`\`\``, "gms"))].map((match) => match[1] ?? "");
}

/** A whole configuration for a block that is one, or is a part of one. */
function complete(block: string): string {
  if (/^checks:/m.test(block)) return SERVICE + block.replace(/^/gm, "    ");
  return /^(services|vrrp):/m.test(block) ? block : `${SERVICE}${block}`;
}

describe("documents", () => {
  for (const page of pages.filter((name) => name.endsWith(".md"))) {
    const text = readFileSync(join(root, page), "utf8");

    it(`${page}: every link leads somewhere`, () => {
      for (const [, target = ""] of text.matchAll(/\]\(([^)#]+)(?:#[^)]*)?\)/g)) {
        if (!/^[a-z]+:/.test(target))
          assert.ok(existsSync(join(root, dirname(page), target)), `${page} links to ${target}`);
      }
    });

    blocks(text, "yaml").forEach((block, index) => {
      it(`${page}: configuration ${index + 1} is valid`, () => {
        const loaded = load(complete(block));
        assert.ok(loaded.ok, loaded.ok ? "" : `${loaded.error[0]?.message}\n${complete(block)}`);
      });
    });

    it(`${page}: every command exists`, async () => {
      for (const line of blocks(text, "console").flatMap((block) => block.split("\n"))) {
        const command = line.replace(/^[$#] /, "").replace(/\s+#.*$/, "");
        const npm = /^(?:[A-Z_]+=\S+ )?npm run (\S+)/.exec(command);
        if (npm !== null) assert.ok(scripts.includes(npm[1] ?? ""), `${page} names npm run ${npm[1]}`);
        const own = /^holdfast (\S+)(.*)$/.exec(command);
        if (own === null) continue;
        const words = [own[1] ?? "", ...(own[2] ?? "").trim().split(/\s+/)].filter((word) => word !== "");
        assert.deepEqual(await accepted(words), { exitCode: 0, said: "" }, `${page}: ${command}`);
      }
    });
  }
});

/** Whether the command line is taken as it stands, without doing anything. */
async function accepted(argv: readonly string[]) {
  const said: string[] = [];
  const fine = async () => 0 as const;
  const output = { write: (text: string) => void said.push(text), isTerminal: false };
  const handlers = { run: fine, check: fine, reload: fine, status: fine, handover: fine, completion: fine };
  const exitCode = await runProgram(argv, "0", handlers, { out: output, err: output, env: {} });
  return { exitCode, said: said.join("") };
}

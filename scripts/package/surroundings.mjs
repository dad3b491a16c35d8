// Everything of the package outside /usr/lib/holdfast: units, the example, manual, completion, documents.
import { mkdtempSync, readdirSync, readFileSync, rmSync, symlinkSync } from "node:fs";
import { tmpdir } from "node:os";
import { basename, dirname, join } from "node:path";
import { gzipSync } from "node:zlib";
import { writeDocuments } from "../docs.mjs";
import { root } from "../setup.mjs";
import { copyrightText } from "./copyright.mjs";
import { copyTo, MAINTAINER, PROGRAM_FOLDER, putFile } from "./facts.mjs";

const DOC = "usr/share/doc/holdfast";
/** Where each shell looks for what others bring. */
const COMPLETIONS = {
  bash: "usr/share/bash-completion/completions",
  zsh: "usr/share/zsh/vendor-completions",
  fish: "usr/share/fish/vendor_completions.d",
};

/** Without a time in it: the same text gives the same bytes. */
function gzip(text) {
  return gzipSync(text, { level: 9 });
}

const EXAMPLE = "etc/holdfast/holdfast.yaml.example";

/** dpkg asks before it replaces one that was changed. The file that the director reads is the administrator's own. */
export const CONFFILES = [`/${EXAMPLE}`];

function stageUnits(stage) {
  const folder = join(root, "systemd");
  for (const name of readdirSync(folder).filter((entry) => entry.endsWith(".service"))) {
    copyTo(stage, join("usr/lib/systemd/system", name), join(folder, name));
  }
  copyTo(stage, "usr/lib/sysusers.d/holdfast.conf", join(root, "packaging/debian/sysusers.conf"));
}

/** Written by the very program that is packed. */
async function stageManual(stage) {
  const work = mkdtempSync(join(tmpdir(), "holdfast-manual-"));
  try {
    for (const path of await writeDocuments(work, join(stage, PROGRAM_FOLDER, "dist"))) {
      const name = basename(path);
      const text = readFileSync(join(work, path));
      if (path.startsWith("man/")) putFile(stage, `usr/share/man/man${name.at(-1)}/${name}.gz`, gzip(text));
      else putFile(stage, join(COMPLETIONS[basename(dirname(path))], name), text);
    }
  } finally {
    rmSync(work, { recursive: true, force: true });
  }
}

/** Beside docs/, at the places where its pages and README.md link to them. */
const TOP_PAGES = ["README.md", "CHANGELOG.md", "CONTRIBUTING.md"];
/** Folders of etc/ with what is to be copied and adapted, and where in examples/ they stand: no program reads them from there. */
const EXAMPLES = { examples: ".", prometheus: "prometheus", grafana: "grafana" };

/**
 * Pages lie as in a checkout and are not compressed, so that their links lead somewhere. What they call etc/ is the folder that Debian
 * has for examples.
 * @param {import("./facts.mjs").Facts} facts
 * @param {readonly string[]} libraries the folders of those that are part of the program
 */
export function stageDocuments(stage, { version, date }, libraries) {
  const pages = readdirSync(join(root, "docs")).filter((entry) => entry.endsWith(".md"));
  for (const page of [...TOP_PAGES, ...pages.map((name) => join("docs", name))])
    copyTo(stage, join(DOC, page), join(root, page));
  copyTo(stage, join(DOC, "examples/holdfast.yaml"), join(root, "etc/holdfast.yaml"));
  for (const [folder, place] of Object.entries(EXAMPLES)) {
    const from = join(root, "etc", folder);
    for (const name of readdirSync(from)) copyTo(stage, join(DOC, "examples", place, name), join(from, name));
  }
  symlinkSync("examples", join(stage, DOC, "etc"));
  putFile(stage, join(DOC, "changelog.gz"), gzip(debianChangelog(version, date)));
  putFile(stage, join(DOC, "copyright"), copyrightText(libraries));
  copyTo(stage, "usr/share/lintian/overrides/holdfast", join(root, "packaging/debian/lintian-overrides"));
}

function debianChangelog(version, date) {
  const when = new Date(date * 1000).toUTCString().replace("GMT", "+0000");
  return `holdfast (${version}) unstable; urgency=medium\n\n  * See CHANGELOG.md.\n\n -- ${MAINTAINER}  ${when}\n`;
}

/**
 * @param {import("./facts.mjs").Facts} facts
 * @param {readonly string[]} libraries the folders of those that are part of the program
 */
export async function stageSurroundings(stage, facts, libraries) {
  await stageManual(stage);
  copyTo(stage, EXAMPLE, join(root, "etc/holdfast.yaml"));
  stageUnits(stage);
  stageDocuments(stage, facts, libraries);
}

// /usr/share/doc/holdfast/copyright: our licence, and that of each library in full, as its authors ask.
import { readdirSync, readFileSync } from "node:fs";
import { join } from "node:path";

const LICENCE_FILE = /^(licen[cs]e|copying)(\.\w+|-mit)?$/i;

const OURS = `holdfast, a high-availability director for Linux Virtual Server

Copyright: the authors of holdfast
License: Apache-2.0
 On Debian systems, the full text of the Apache License, version 2.0, is in /usr/share/common-licenses/Apache-2.0.

The program in /usr/lib/holdfast/dist holds parts of these libraries, each under its own licence:
`;

function paragraph(path) {
  const { name, version, license } = JSON.parse(readFileSync(join(path, "package.json"), "utf8"));
  const file = readdirSync(path).find((entry) => LICENCE_FILE.test(entry));
  if (file === undefined)
    throw new Error(`the library ${name} ${version} (${license}) brings no licence text: ${path}`);
  // Debian has this one on every machine, and wants it named rather than repeated.
  const text =
    license === "Apache-2.0"
      ? "The full text is in /usr/share/common-licenses/Apache-2.0."
      : readFileSync(join(path, file), "utf8").trim();
  return `\n--- ${name} ${version} (${license})\n\n${text}\n`;
}

/** @param {readonly string[]} libraries their folders */
export function copyrightText(libraries) {
  return `${OURS}${libraries.map(paragraph).join("")}`;
}

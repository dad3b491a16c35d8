import { REFERENCE_LEAD, REFERENCE_NOTES, type ReferenceKey, referenceSections } from "../../config/reference.ts";
import { ManualPage } from "./roff.ts";

/**
 * holdfast.yaml(5), from the schema that `check` uses.
 * @param date as YYYY-MM-DD
 */
export function configPage(version: string, date: string): string {
  const page = new ManualPage("holdfast.yaml", 5, date, `holdfast ${version}`);
  page.section("Name").text("holdfast.yaml - configuration of holdfast").section("Description").text(REFERENCE_LEAD);
  for (const note of REFERENCE_NOTES) page.bullet(note);
  page.section("Keys");
  for (const { paths, description, keys } of referenceSections()) {
    const [first = "", ...others] = paths;
    page.subsection(first === "" ? "Top level" : first).text(description);
    if (others.length > 0) page.paragraph(`The same under ${others.map((path) => `\`${path}\``).join(", ")}.`);
    for (const key of keys) page.item(key.key, meaningOf(key));
  }
  page.section("See also").text("holdfast(1)");
  return page.toString();
}

function meaningOf({ takes, default: fallback, description }: ReferenceKey): string {
  return `${description} Takes ${takes}. ${fallback === null ? "Required." : `Default: ${fallback}.`}`;
}

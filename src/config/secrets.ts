import type { SourceText } from "./source-text.ts";
import type { Tree } from "./yaml/tree.ts";

/** Header fields and keys whose values nobody may see in a message. */
const SECRET_KEY =
  /^(proxy-)?authori[sz]ation$|cookie|pass(word|phrase|wd)|secret|token|api[-_]?key|^x-auth|private[-_]?key|credential/i;
/** Maps in which everything is secret. */
const SECRET_MAP = /^auth(entication)?$/i;

/** Tells the source which characters are secret, following aliases to where the secret is written. */
export function hideSecrets(source: SourceText, tree: Tree): void {
  const seen = new Set<string>();
  const ids = new Map<Tree, number>();
  const visit = (node: Tree, isSecret: boolean, isTls: boolean): void => {
    // Shared nodes are visited once per meaning, so that aliases cannot multiply the work.
    const id = ids.get(node) ?? ids.size;
    ids.set(node, id);
    const visitKey = `${id}${isSecret}${isTls}`;
    if (seen.has(visitKey)) return;
    seen.add(visitKey);
    if (node.kind === "scalar") {
      if (isSecret) source.hide(node.span.from, node.span.to);
      return;
    }
    if (node.kind === "list") {
      for (const item of node.items) visit(item, isSecret, isTls);
      return;
    }
    for (const [key, entry] of node.entries) {
      // `Authorization:Basic …` without a space after the colon is one long key.
      const colon = key.indexOf(":");
      if (colon > 0 && (isSecret || SECRET_KEY.test(key.slice(0, colon))))
        source.hide(entry.key.from + colon + 1, entry.key.to);
      const isKeyMaterial = isTls && key === "key";
      visit(entry.value, isSecret || isKeyMaterial || SECRET_KEY.test(key) || SECRET_MAP.test(key), key === "tls");
    }
  };
  visit(tree, false, false);
  source.secretsAreKnown();
}

import { isSecretName } from "./secret-names.ts";
import type { SourceText } from "./source-text.ts";
import type { Tree } from "./yaml/tree.ts";

/** Tells the source which characters are secret, following aliases to where the secret is written. */
export function hideSecrets(source: SourceText, tree: Tree): void {
  // Shared nodes are visited once per meaning, so that aliases cannot multiply the work; bounded by twice the nodes.
  const seen = { secret: new Set<Tree>(), open: new Set<Tree>() };
  const visit = (node: Tree, isSecret: boolean, hasNames: boolean): void => {
    const visited = isSecret ? seen.secret : seen.open;
    if (visited.has(node)) return;
    visited.add(node);
    if (node.kind === "scalar") {
      if (isSecret) source.hide(node.span.from, node.span.to);
      return;
    }
    if (node.kind === "list") {
      for (const item of node.items) visit(item, isSecret, false);
      return;
    }
    for (const [key, entry] of node.entries) {
      // `Authorization:Basic …` without a space after the colon is one long key.
      const colon = key.indexOf(":");
      if (colon > 0 && (isSecret || isSecretName(key.slice(0, colon)))) {
        source.hide(entry.key.from + colon + 1, entry.key.to);
      }
      // A service may be called auth: names that the operator chose say nothing about what is in it.
      visit(entry.value, isSecret || (!hasNames && isSecretName(key)), key === "services" || key === "instances");
    }
  };
  visit(tree, false, false);
}

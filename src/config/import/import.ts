import { Document } from "yaml";
import type { Imported, ImportNote, Plain } from "./draft.ts";
import type { ImportFormat } from "./formats.ts";
import { importIpvsadm } from "./ipvsadm.ts";
import { importKeepalived } from "./keepalived.ts";
import { importLdirectord } from "./ldirectord.ts";

const IMPORTERS: Readonly<Record<ImportFormat, (text: string) => Imported>> = {
  keepalived: importKeepalived,
  ldirectord: importLdirectord,
  ipvsadm: importIpvsadm,
};

/** @returns null where a text looks like none of them */
export function recognise(text: string): ImportFormat | null {
  if (/^\s*(-A|--add-service)\s+-[tuf]/m.test(text)) return "ipvsadm";
  if (/^\s*virtual6?\s*=/m.test(text)) return "ldirectord";
  if (/^\s*(vrrp_instance|virtual_server|global_defs|vrrp_script|vrrp_sync_group)\b/m.test(text)) return "keepalived";
  return null;
}

/** A configuration of ours as YAML, and what the other one says that this one does not. */
export function importConfig(
  text: string,
  format: ImportFormat,
): { readonly yaml: string; readonly isEmpty: boolean; readonly notes: readonly ImportNote[] } {
  const { config, notes } = IMPORTERS[format](text);
  return { yaml: yamlOf(config), isEmpty: Object.keys(config).length === 0, notes };
}

function yamlOf(config: Plain): string {
  return new Document(config, { aliasDuplicateObjects: false, version: "1.2" }).toString({ lineWidth: 0 });
}

/** Whose configuration can be read. */
export const IMPORT_FORMATS = ["keepalived", "ldirectord", "ipvsadm"] as const;
export type ImportFormat = (typeof IMPORT_FORMATS)[number];

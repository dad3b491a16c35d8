// What machines are booted from, for the scenarios that boot them (test/lab/support/machine.ts).
import { dirname } from "node:path";
import { fileURLToPath } from "node:url";
import { ensureInitrd } from "../initrd.mjs";
import { ensureKernel } from "../kernel.mjs";
import { ensureMachineImage } from "./image.mjs";

/**
 * Makes what is missing of kernel, initrd and disk.
 * @param {(line: string) => void} say
 * @returns {Record<string, string>} environment variables that name them
 */
export function machineEnvironment(say) {
  const kernel = ensureKernel(say);
  return {
    HOLDFAST_MACHINE_KERNEL: kernel.image,
    HOLDFAST_MACHINE_MODULES: kernel.modules,
    HOLDFAST_MACHINE_INITRD: ensureInitrd(kernel, "machine"),
    HOLDFAST_MACHINE_DISK: ensureMachineImage(say),
    HOLDFAST_MACHINE_FILES: dirname(fileURLToPath(import.meta.url)),
  };
}

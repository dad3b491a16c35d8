import { ChildHandle, type ChildHandleOptions } from "../ipc/child-handle.ts";
import type { LogEntry, Logger } from "../ports/logger.ts";
import type { VrrpProcessConfig, VrrpState } from "./messages.ts";

/**
 * After a vrrp process that did not end by itself: a new one looks for the addresses that it left behind, or this node would
 * answer for them while another is master. It goes on with those of the given instances that are still rightfully ours, and then
 * stops, which hands them over; all others it takes off.
 * @param deadlineMs after so long it is killed
 */
export async function takeOffLeftovers(
  options: ChildHandleOptions,
  config: VrrpProcessConfig,
  deadlineMs: number,
  logger: Logger,
): Promise<void> {
  const say = (level: LogEntry["level"], message: string) => logger.log({ level, source: "supervisor", message });
  say("warning", "the vrrp process did not end in good order; looking for addresses that it left behind");
  await new Promise<void>((ended) => {
    const handle = new ChildHandle<VrrpProcessConfig, VrrpState>(options, {
      onReady: () => undefined,
      onState: () => undefined,
      onLog: (entries) => {
        for (const entry of entries) logger.log(entry);
      },
      onExit: () => {
        clearTimeout(killer);
        ended();
      },
    });
    const killer = setTimeout(() => {
      say("error", `virtual addresses may have been left behind, see \`ip address\`: not done within ${deadlineMs} ms`);
      handle.kill("SIGKILL");
    }, deadlineMs);
    void handle.configure(config).then((outcome) => {
      if (outcome.ok) return handle.stop();
      say("error", `virtual addresses may have been left behind, see \`ip address\`: ${outcome.message}`);
      handle.kill("SIGKILL");
    });
  });
}

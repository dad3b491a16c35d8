import { ChildHandle, type ChildHandleOptions } from "../ipc/child-handle.ts";
import type { LogEntry, Logger } from "../ports/logger.ts";
import type { VrrpProcessConfig, VrrpState } from "./messages.ts";

/**
 * After a vrrp process that did not end by itself: a new one without instances looks for the addresses that it left behind
 * and takes them off, or this node would answer for them while another is master.
 */
export async function takeOffLeftovers(options: ChildHandleOptions, runDir: string, logger: Logger): Promise<void> {
  const say = (level: LogEntry["level"], message: string) => logger.log({ level, source: "supervisor", message });
  say("warning", "the vrrp process did not end in good order; looking for addresses that it left behind");
  await new Promise<void>((ended) => {
    const handle = new ChildHandle<VrrpProcessConfig, VrrpState>(options, {
      onReady: () => undefined,
      onState: () => undefined,
      onLog: (entries) => {
        for (const entry of entries) logger.log(entry);
      },
      onExit: () => ended(),
    });
    void handle.configure({ instances: [], realtime: false, runDir }).then((outcome) => {
      if (outcome.ok) return handle.stop();
      say("error", `virtual addresses may have been left behind, see \`ip address\`: ${outcome.message}`);
      handle.kill("SIGKILL");
    });
  });
}

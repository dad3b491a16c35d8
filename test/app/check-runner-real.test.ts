import assert from "node:assert/strict";
import { createServer } from "node:http";
import { CheckRunner, type CheckRunnerEvent } from "../../src/app/check-runner.ts";
import { createCheckerFactory } from "../../src/checks/checker-factory.ts";
import { HttpChecker } from "../../src/checks/http.ts";
import { systemClock, TimeoutAlarms } from "../../src/sys/clock.ts";
import { SystemProcessRunner } from "../../src/sys/process-runner.ts";
import { NodeTcpConnector } from "../../src/sys/tcp-connector.ts";
import { httpCheck, scriptCheck, server, service, tcpCheck } from "../support/check-configs.ts";
import { listen } from "../support/servers.ts";

const INTERVAL_US = 50_000;
const TIMEOUT_US = 50_000;
const FALL = 3;

/** Real timers, sockets and programs: the parts fit together. The exact times are tested with a clock that is not real. */
describe("app/check-runner with real sockets and programs", () => {
  it("sees a server come up, hang, come back and die, by tcp, http and a script", async () => {
    let isHanging = false;
    const web = await listen(
      createServer((_request, response) => {
        if (!isHanging) response.end("fine");
      }),
    );
    const waiting: { readonly wanted: (event: CheckRunnerEvent) => boolean; readonly tell: (atUs: number) => void }[] =
      [];
    const until = (wanted: (event: CheckRunnerEvent) => boolean) =>
      new Promise<number>((tell) => waiting.push({ wanted, tell }));
    const runner = new CheckRunner({
      clock: systemClock,
      alarms: new TimeoutAlarms(),
      random: () => 0.5,
      createFactory: () =>
        createCheckerFactory({
          connector: new NodeTcpConnector(),
          runner: new SystemProcessRunner(),
          Http: HttpChecker,
        }),
      onEvent: (event) => {
        for (const { wanted, tell } of waiting) if (wanted(event)) tell(systemClock.nowUs());
      },
    });
    const becomes = (verdict: string) => until((event) => event.type === "server" && event.to?.verdict === verdict);
    try {
      const common = { intervalUs: INTERVAL_US, timeoutUs: TIMEOUT_US, rise: 2, fall: FALL };
      const checks = [
        tcpCheck(common),
        httpCheck(common),
        scriptCheck({
          ...common,
          timeoutUs: 5_000_000,
          command: ["/bin/sh", "-c", "echo weight=42"],
          setsWeight: true,
        }),
      ];
      const isUp = becomes("up");
      const config = {
        services: [service([server(web.port, { address: "127.0.0.1", checks })])],
        maxConcurrentScripts: 4,
      };
      runner.reconfigure(config);
      await isUp;
      assert.deepEqual(runner.snapshot()[0]?.decision, {
        verdict: "up",
        present: true,
        weight: 42,
        why: "script sets weight 42",
      });

      const isDown = becomes("down");
      isHanging = true;
      const hungUs = systemClock.nowUs();
      const afterUs = (await isDown) - hungUs;
      assert.ok(afterUs >= (FALL - 1) * INTERVAL_US, `down after ${afterUs} µs`);
      assert.match(
        runner.snapshot()[0]?.decision.why ?? "",
        /^http fails: .*sent no complete response header within 50ms$/,
      );

      const isBack = becomes("up");
      isHanging = false;
      await isBack;

      const isDead = until((event) => event.type === "check" && event.check === "tcp" && event.to === "down");
      await web.close();
      await isDead;
      assert.match(runner.snapshot()[0]?.decision.why ?? "", /tcp fails: 127\.0\.0\.1:\d+ refused the connection/);
    } finally {
      runner.stop();
    }
    assert.equal(runner.statistics().running, 0);
  });
});

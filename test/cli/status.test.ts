import assert from "node:assert/strict";
import { mkdtempSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { EXIT } from "../../src/base/exit-codes.ts";
import { Screen } from "../../src/cli/screen.ts";
import { type StatusCommandOptions, statusCommand } from "../../src/cli/status.ts";
import type { ControlHandlers } from "../../src/control/routes.ts";
import { ControlServer } from "../../src/control/server.ts";
import type { DirectorStatus } from "../../src/control/status.ts";
import type { TerminalUse } from "../../src/sys/suspend.ts";
import { FewEvents } from "../support/few-events.ts";
import { directorStatus, downServer, serviceStatus } from "../support/status.ts";
import { turns } from "../support/turns.ts";

const ENTER = "\u001b[?1049h\u001b[?25l\u001b[?7l";
const LEAVE = "\u001b[?7h\u001b[?25h\u001b[?1049l";

describe("holdfast status", () => {
  let dir: string;
  let status: DirectorStatus;
  let server: ControlServer | null = null;

  beforeEach(() => {
    dir = mkdtempSync(join(tmpdir(), "holdfast-status-"));
    status = directorStatus();
  });
  afterEach(async () => {
    await server?.close();
    server = null;
    rmSync(dir, { recursive: true });
  });

  const listen = async () => {
    const handlers = { status: () => status, events: new FewEvents() } as unknown as ControlHandlers;
    server = await ControlServer.listen({ path: join(dir, "s"), groupId: null }, handlers);
  };
  /** Runs the command; what it printed grows while it watches. */
  const start = (change: Partial<StatusCommandOptions> = {}, isTerminal = false) => {
    const printed = { out: "", err: "" };
    const size = { columns: 80, rows: 24 };
    let resized: () => void = () => undefined;
    let suspension: TerminalUse | null = null;
    const interrupt = new AbortController();
    const options = { controlSocket: join(dir, "s"), json: false, all: false, service: null, watchUs: null, ...change };
    const out = {
      write: (text: string) => {
        printed.out += text;
      },
      isTerminal,
      size: () => (isTerminal ? size : null),
      onResize: (listener: () => void) => {
        resized = listener;
        return () => {
          resized = () => undefined;
        };
      },
      onSuspend: (use: TerminalUse) => {
        suspension = use;
        return () => {
          suspension = null;
        };
      },
    };
    const err = {
      write: (text: string) => {
        printed.err += text;
      },
      isTerminal,
    };
    const done = statusCommand(options, { out, err, env: { NO_COLOR: "1" } }, interrupt.signal);
    const resize = (columns: number, rows: number) => {
      Object.assign(size, { columns, rows });
      resized();
    };
    return { printed, done, resize, suspension: () => suspension, stop: () => interrupt.abort() };
  };
  const until = async (isGood: () => boolean) => {
    while (!isGood()) await turns();
  };

  it("exits with 0 where all is well, 3 where it is not, 4 where no daemon answers", async () => {
    const nobody = start();
    assert.equal(await nobody.done, EXIT.NO_DAEMON);
    assert.match(nobody.printed.err, /no daemon answers on /);
    await listen();
    assert.equal(await start().done, EXIT.OK);
    status = directorStatus({ health: "degraded" });
    assert.equal(await start().done, EXIT.DEGRADED);
  });

  it("names the services where there is none of that name", async () => {
    await listen();
    const { printed, done } = start({ service: "wbe" });
    assert.equal(await done, EXIT.USAGE);
    assert.equal(printed.err, "holdfast: there is no service wbe; did you mean web?\n");
    status = directorStatus({ services: [] });
    const none = start({ service: "web" });
    await none.done;
    assert.equal(none.printed.err, "holdfast: there is no service web; none is configured.\n");
  });

  it("watches on a screen of its own, and gives the terminal back", async () => {
    await listen();
    const { printed, done, stop } = start({ watchUs: 1_000 }, true);
    await until(() => printed.out.includes("healthy"));
    status = directorStatus({ health: "degraded", problems: ["service web: no server can serve"] });
    await until(() => printed.out.includes("no server can serve"));
    stop();
    assert.equal(await done, EXIT.OK);
    assert.ok(printed.out.startsWith(ENTER), "another screen");
    assert.ok(printed.out.endsWith(LEAVE), "the one before");
    assert.equal(printed.out.split(ENTER).length, 2);
    assert.match(
      printed.out,
      /\u001b\[H\u001b\[K\d\d:\d\d:\d\d {2}every 1ms {2}Ctrl-C ends\r\n\u001b\[Klb1 {2}healthy/,
    );
  });

  it("draws anew when the window changes", async () => {
    await listen();
    const { printed, done, resize, stop } = start({ watchUs: 3_600_000_000 }, true);
    await until(() => printed.out.includes("SERVICES"));
    printed.out = "";
    resize(40, 5);
    const lines = printed.out.split("\r\n");
    assert.equal(lines.length, 5);
    assert.match(lines[4] ?? "", /^\u001b\[K\d+ more lines: this window is too short$/);
    stop();
    await done;
  });

  it("gives the terminal back while Ctrl-Z stops it, and draws anew afterwards", async () => {
    await listen();
    const { printed, done, resize, suspension, stop } = start({ watchUs: 3_600_000_000 }, true);
    await until(() => printed.out.includes("SERVICES"));
    printed.out = "";
    suspension()?.leave();
    assert.equal(printed.out, LEAVE);
    // The window was changed meanwhile, and that is told first.
    resize(60, 20);
    assert.equal(printed.out, LEAVE, "the shell's screen is not drawn on");
    printed.out = "";
    suspension()?.enter();
    assert.ok(printed.out.startsWith(`${ENTER}\u001b[H`), JSON.stringify(printed.out.slice(0, 40)));
    assert.match(printed.out, /SERVICES/);
    stop();
    await done;
    assert.equal(suspension(), null);
    const plain = start({ watchUs: 1_000 });
    await until(() => plain.printed.out.includes("SERVICES"));
    assert.equal(plain.suspension(), null, "without a screen Ctrl-Z is nobody's business");
    plain.stop();
    await plain.done;
  });

  it("says that the daemon went away, shows what it said last, and goes on when it is back", async () => {
    await listen();
    const { printed, done, stop } = start({ watchUs: 1_000 }, true);
    await until(() => printed.out.includes("healthy"));
    await server?.close();
    await until(() => printed.out.includes("NO DAEMON ANSWERS"));
    assert.match(
      printed.out,
      /NO DAEMON ANSWERS for \d+m?s; this is what the last one said:\r\n\u001b\[Klb1 {2}healthy/,
    );
    status = directorStatus({ services: [serviceStatus("web", [downServer("10.0.0.11:80")])] });
    await listen();
    await until(() => printed.out.includes("0/1 serving"));
    printed.out = "";
    await until(() => printed.out.includes("0/1 serving"));
    assert.doesNotMatch(printed.out.slice(printed.out.indexOf("\u001b[H")), /NO DAEMON/);
    stop();
    await done;
  });

  it("prints one after the other where there is no screen, one JSON object a line if asked to", async () => {
    await listen();
    const plain = start({ watchUs: 1_000 });
    await until(() => plain.printed.out.split("lb1  healthy").length > 2);
    plain.stop();
    await plain.done;
    assert.ok(!plain.printed.out.includes("\u001b"));
    const json = start({ watchUs: 1_000, json: true }, true);
    await until(() => json.printed.out.split("\n").length > 2);
    await server?.close();
    await until(() => json.printed.err.includes("waiting for it"));
    json.stop();
    await json.done;
    for (const line of json.printed.out.trimEnd().split("\n")) assert.deepEqual(JSON.parse(line), status);
    assert.equal(json.printed.err.split("\n").length, 2, "said once");
  });
});

describe("a screen", () => {
  it("is left once, however often", () => {
    let written = "";
    const screen = new Screen({
      write: (text) => {
        written += text;
      },
      isTerminal: true,
    });
    screen.close();
    screen.open();
    screen.open();
    screen.draw("a\nb\n");
    screen.close();
    screen.close();
    assert.equal(written, `${ENTER}\u001b[H\u001b[Ka\r\n\u001b[Kb\r\n\u001b[J${LEAVE}`);
  });
});

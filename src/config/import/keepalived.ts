import { addressOf, Draft, type Imported, numberOf, type PlainMap, secondsOf } from "./draft.ts";
import { importVirtualServer } from "./keepalived-services.ts";
import { parseKeepalived, type Statement } from "./keepalived-syntax.ts";
import { leaveOut, programOf } from "./keepalived-words.ts";

interface Script {
  readonly run: readonly string[];
  readonly settings: PlainMap;
  readonly weight: number;
}

/** keepalived.conf: instances, groups, tracked interfaces and scripts, virtual servers and their checks. @see keepalived.conf(5) */
export function importKeepalived(text: string): Imported {
  const draft = new Draft();
  const { statements, problem } = parseKeepalived(text);
  if (problem !== null) draft.note(problem.line, "{ }", `${problem.message}; what follows may be missing here`);
  const scripts = new Map<string, Script | null>();
  const serverGroups = new Map<string, readonly Statement[]>();
  // What is referred to may stand below.
  for (const { words, body } of statements) {
    if (words[0] === "vrrp_script") scripts.set(words[1] ?? "", scriptOf(body ?? [], draft));
    if (words[0] === "virtual_server_group") serverGroups.set(words[1] ?? "", body ?? []);
  }
  const names = new Map<string, string>();
  for (const statement of statements) {
    const [kind = "", name = ""] = statement.words;
    const body = statement.body ?? [];
    if (kind === "vrrp_instance") names.set(name, importInstance(name, body, scripts, draft));
    else if (kind === "virtual_server") importVirtualServer(statement, serverGroups, draft);
    else if (kind === "global_defs") importGlobals(body, draft);
    else if (!["vrrp_script", "virtual_server_group", "vrrp_sync_group"].includes(kind)) leaveOut(statement, draft);
  }
  for (const { words, body } of statements)
    if (words[0] === "vrrp_sync_group") importGroup(words[1] ?? "", body ?? [], names, draft);
  return draft.result();
}

function importGlobals(body: readonly Statement[], draft: Draft): void {
  for (const statement of body) {
    const [keyword, value = ""] = statement.words;
    if (keyword === "router_id" && /^[A-Za-z0-9][A-Za-z0-9._-]{0,62}$/.test(value)) draft.node = value;
    else if (!(keyword === "vrrp_version" && value === "3")) leaveOut(statement, draft);
  }
}

function importInstance(
  name: string,
  body: readonly Statement[],
  scripts: ReadonlyMap<string, Script | null>,
  draft: Draft,
): string {
  const instance: PlainMap = {};
  const track: { interfaces: PlainMap[]; scripts: PlainMap[] } = { interfaces: [], scripts: [] };
  for (const statement of body) {
    const [keyword = "", value = ""] = statement.words;
    const inside = statement.body ?? [];
    if (keyword === "interface") instance.interface = value;
    else if (keyword === "virtual_router_id" && numberOf(value, 1, 255) !== null) instance.vrid = Number(value);
    else if (keyword === "priority" && numberOf(value, 1, 255) !== null) instance.priority = Number(value);
    else if (keyword === "advert_int" && secondsOf(value, 10, 40_950) !== null)
      instance.advertise = secondsOf(value, 10, 40_950) ?? "1s";
    else if (keyword === "nopreempt") instance.preempt = false;
    else if (keyword === "preempt_delay" && secondsOf(value, 10, 3_600_000) !== null)
      instance.preempt = { delay: secondsOf(value, 10, 3_600_000) ?? "60s" };
    else if (keyword === "virtual_ipaddress") instance.addresses = addressesOf(inside, instance, draft);
    else if (keyword === "unicast_peer") importPeers(inside, instance, draft);
    else if (keyword === "track_interface") track.interfaces.push(...inside.map(trackedInterface));
    else if (keyword === "track_script")
      track.scripts.push(...inside.flatMap((one) => trackedScript(one, scripts, draft)));
    else if (!(keyword === "version" && value === "3")) leaveOut(statement, draft);
  }
  const tracked: PlainMap = {
    ...(track.interfaces.length > 0 ? { interfaces: track.interfaces } : {}),
    ...(track.scripts.length > 0 ? { scripts: track.scripts } : {}),
  };
  return draft.addInstance(name, { ...instance, ...(Object.keys(tracked).length > 0 ? { track: tracked } : {}) });
}

/** `192.0.2.10/24 dev eth0 label eth0:1`; without a prefix length it is /32. */
function addressesOf(body: readonly Statement[], instance: PlainMap, draft: Draft): string[] {
  const found: string[] = [];
  for (const { words, line } of body) {
    const [first = "", ...rest] = words;
    const [address = "", prefix = "32"] = first.split("/");
    const ip = addressOf(address);
    const text = words.join(" ");
    if (ip === null || ip.includes(":") || numberOf(prefix, 1, 32) === null) {
      draft.note(line, text, "is not carried over: instances have IPv4 addresses");
      continue;
    }
    found.push(`${ip}/${prefix}`);
    const device = rest[rest.indexOf("dev") + 1];
    if (rest.includes("dev") && device !== instance.interface)
      draft.note(
        line,
        text,
        `the address stands on the instance's own interface: give ${device} an instance, in a group with this one`,
      );
    else if (rest.some((word) => !["dev", device].includes(word)))
      draft.note(line, text, "only the address is carried over");
  }
  return found;
}

function importPeers(body: readonly Statement[], instance: PlainMap, draft: Draft): void {
  const peers: string[] = [];
  for (const { words, line } of body) {
    const ip = addressOf(words[0] ?? "");
    if (ip === null || ip.includes(":"))
      draft.note(line, words.join(" "), "is not carried over: a peer is an IPv4 address");
    else peers.push(ip);
  }
  if (peers.length === 0) return;
  instance.transport = "unicast";
  instance.peers = peers;
}

function trackedInterface({ words }: Statement): PlainMap {
  const weight = weightIn(words);
  return { interface: words[0] ?? "", ...(weight === 0 ? {} : { weight }) };
}

function trackedScript(
  { words, line }: Statement,
  scripts: ReadonlyMap<string, Script | null>,
  draft: Draft,
): readonly PlainMap[] {
  const [name = ""] = words;
  const script = scripts.get(name);
  if (script === undefined) draft.note(line, words.join(" "), `is not carried over: there is no vrrp_script ${name}`);
  if (script === undefined || script === null) return [];
  const weight = words.includes("weight") ? weightIn(words) : script.weight;
  return [{ name, run: [...script.run], ...script.settings, ...(weight === 0 ? {} : { weight }) }];
}

function weightIn(words: readonly string[]): number {
  const value = words[words.indexOf("weight") + 1] ?? "";
  return words.includes("weight") && /^-?\d{1,3}$/.test(value) ? Number(value) : 0;
}

/** @returns null where it cannot be run as it stands; that has been noted */
function scriptOf(body: readonly Statement[], draft: Draft): Script | null {
  let run: readonly string[] | null = null;
  let weight = 0;
  const settings: PlainMap = {};
  for (const statement of body) {
    const [keyword = "", ...values] = statement.words;
    const [value = ""] = values;
    if (keyword === "script") run = programOf(values, statement, draft);
    else if (keyword === "weight" && /^-?\d{1,3}$/.test(value)) weight = Number(value);
    else if (keyword === "interval" && secondsOf(value, 100, 3_600_000) !== null)
      settings.interval = secondsOf(value, 100, 3_600_000) ?? "2s";
    else if (keyword === "timeout" && secondsOf(value, 10, 3_600_000) !== null)
      settings.timeout = secondsOf(value, 10, 3_600_000) ?? "1s";
    else if ((keyword === "rise" || keyword === "fall") && numberOf(value, 1, 100) !== null)
      settings[keyword] = Number(value);
    else leaveOut(statement, draft);
  }
  return run === null ? null : { run, settings, weight };
}

function importGroup(name: string, body: readonly Statement[], names: ReadonlyMap<string, string>, draft: Draft): void {
  for (const statement of body) {
    if (statement.words[0] !== "group") {
      leaveOut(statement, draft);
      continue;
    }
    const members = (statement.body ?? []).flatMap(({ words }) => words);
    const known = members.map((member) => names.get(member)).filter((member) => member !== undefined);
    if (known.length < members.length)
      draft.note(statement.line, members.join(" "), "names an instance that is not in this file");
    if (known.length > 0) draft.groups[name.replace(/[^A-Za-z0-9._-]+/g, "-")] = known;
  }
}

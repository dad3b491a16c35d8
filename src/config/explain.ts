import { Document } from "yaml";
import { formatDurationUs, MICROSECONDS_PER_SECOND } from "../base/duration.ts";
import { formatEndpoint, formatListenEndpoint } from "../base/endpoint.ts";
import { formatCidr } from "../base/ip.ts";
import type {
  CheckConfig,
  CredentialSource,
  DirectorConfig,
  HmacConfig,
  HttpCheckConfig,
  InstanceConfig,
  ScheduleAction,
  ScheduleConfig,
  SecretSource,
  ServerConfig,
  ServiceConfig,
  TrackConfig,
  TransportConfig,
} from "./model.ts";
import { formatSize } from "./schema/scalars.ts";
import { isSecretName } from "./secret-names.ts";

/** A value that YAML can write. */
type Plain = string | number | boolean | readonly Plain[] | { readonly [key: string]: Plain };

/** The whole configuration as YAML, with every default filled in. Reading the text gives the same model again. */
export function explain(config: DirectorConfig): string {
  const plain: Plain = {
    node: config.node,
    log: { level: config.log.level, format: config.log.format },
    ipvs: {
      onStop: config.ipvs.onStop,
      manageSysctls: config.ipvs.manageSysctls,
      drift: config.ipvs.drift,
      driftInterval: formatDurationUs(config.ipvs.driftIntervalUs),
    },
    scripts: { maxConcurrent: config.scripts.maxConcurrent },
    drills: { ...(config.drills.probe === null ? {} : { probe: [...config.drills.probe] }), keep: config.drills.keep },
    ...(config.sync === null ? {} : { sync: { ...config.sync } }),
    ...(config.metrics === null ? {} : { metrics: { listen: formatEndpoint(config.metrics.listen) } }),
    vrrp: {
      realtime: config.vrrp.realtime,
      ...(config.groups.length === 0
        ? {}
        : { groups: Object.fromEntries(config.groups.map(({ name, instances }) => [name, [...instances]])) }),
      instances: Object.fromEntries(config.instances.map((instance) => [instance.name, explainInstance(instance)])),
    },
    services: Object.fromEntries(config.services.map((service) => [service.name, explainService(service)])),
    schedules: config.schedules.map(explainSchedule),
  };
  const document = new Document(plain, { aliasDuplicateObjects: false, version: "1.2" });
  return document.toString({ lineWidth: 0 });
}

/** The configuration as it may be shown: values of headers such as Authorization become `…`. */
export function withoutSecrets(config: DirectorConfig): DirectorConfig {
  const blot = (check: CheckConfig): CheckConfig => {
    if (check.type !== "http") return check;
    const shown = (name: string, value: string | SecretSource) =>
      typeof value === "string" && isSecretName(name) ? "…" : value;
    const headers = Object.entries(check.headers).map(([name, value]) => [name, shown(name, value)]);
    return { ...check, headers: Object.fromEntries(headers) };
  };
  const services = config.services.map((service) => ({
    ...service,
    servers: service.servers.map((server) => ({ ...server, checks: server.checks.map(blot) })),
  }));
  return { ...config, services };
}

function explainInstance(instance: InstanceConfig): Plain {
  const { preempt } = instance;
  return {
    interface: instance.interface,
    vrid: instance.vrid,
    priority: instance.priority,
    advertise: formatDurationUs(instance.advertIntervalUs),
    ...explainTransport(instance.transport),
    preempt: preempt.mode === "delay" ? { delay: formatDurationUs(preempt.delayUs) } : preempt.mode === "always",
    checksum: instance.checksum,
    ...(instance.hmac === null ? {} : { auth: { hmac: explainHmac(instance.hmac) } }),
    ...explainTrack(instance.track),
    addresses: instance.addresses.map(formatCidr),
  };
}

type PlainMap = { readonly [key: string]: Plain };

function explainTransport(transport: TransportConfig): PlainMap {
  if (transport.type === "multicast") return { transport: "multicast" };
  const peers = transport.peers.map((peer) => ({ ...peer }));
  return { transport: transport.type, ...(transport.type === "udp" ? { port: transport.port } : {}), peers };
}

function explainHmac({ mode, keys, activeKey, replay, windowS }: HmacConfig): Plain {
  const sources = keys.map(({ id, source }) => [
    String(id),
    source.type === "file" ? `file:${source.path}` : `credential:${source.name}`,
  ]);
  const window = formatDurationUs(windowS * MICROSECONDS_PER_SECOND);
  return { mode, keys: Object.fromEntries(sources), active: activeKey, replay, window };
}

function explainTrack({ interfaces, scripts, services }: TrackConfig): PlainMap {
  if (interfaces.length + scripts.length + services.length === 0) return {};
  const weightOf = (weight: number | null): PlainMap => (weight === null ? {} : { weight });
  return {
    track: {
      interfaces: interfaces.map(({ weight, ...tracked }) => ({ ...tracked, ...weightOf(weight) })),
      scripts: scripts.map(({ name, command, intervalUs, timeoutUs, rise, fall, weight }) => ({
        name,
        run: [...command],
        interval: formatDurationUs(intervalUs),
        timeout: formatDurationUs(timeoutUs),
        rise,
        fall,
        ...weightOf(weight),
      })),
      services: services.map(({ weight, ...tracked }) => ({ ...tracked, ...weightOf(weight) })),
    },
  };
}

function explainService(service: ServiceConfig): Plain {
  const [first, ...others] = service.servers;
  const written = service.servers.map((server) => server.checks.map((check) => explainCheck(check)));
  const shared = written[0] ?? [];
  const sharedText = JSON.stringify(shared);
  const isShared =
    first !== undefined && (others.length === 0 || written.every((checks) => JSON.stringify(checks) === sharedText));
  const hashes = service.scheduler === "sh" || service.scheduler === "mh";
  return {
    listen: service.listen.map(formatListenEndpoint),
    scheduler: service.scheduler,
    ...(hashes ? { hash: { fallback: service.hashFallback, port: service.hashPort } } : {}),
    ...(service.persistence === null
      ? {}
      : {
          persistence: {
            timeout: formatDurationUs(service.persistence.timeoutS * MICROSECONDS_PER_SECOND),
            prefix: service.persistence.prefixLength,
          },
        }),
    forward: explainForward(service),
    onDown: service.onDown,
    servers: service.servers.map((server, index) => explainServer(server, isShared ? null : (written[index] ?? []))),
    checks: isShared ? shared : [],
  };
}

function explainForward({ forward, tunnel }: ServiceConfig): Plain {
  if (tunnel === null || tunnel.type === "ipip") return forward;
  return { tun: tunnel.type, ...(tunnel.type === "gue" ? { port: tunnel.port } : {}) };
}

function explainServer(server: ServerConfig, checks: readonly Plain[] | null): Plain {
  return { address: formatEndpoint(server), weight: server.weight, ...(checks === null ? {} : { checks }) };
}

function explainCheck(check: CheckConfig): Plain {
  const timing = {
    interval: formatDurationUs(check.intervalUs),
    timeout: formatDurationUs(check.timeoutUs),
    rise: check.rise,
    fall: check.fall,
  };
  if (check.type === "script") return { script: { run: [...check.command], weight: check.setsWeight, ...timing } };
  const port: Plain = check.port === null ? {} : { port: check.port };
  if (check.type === "tcp") return { tcp: { ...port, ...timing } };
  return { [check.tls === null ? "http" : "https"]: { ...explainHttp(check), ...port, ...timing } };
}

function explainPem(source: string | CredentialSource): Plain {
  return typeof source === "string" ? source : { credential: source.name };
}

function explainHeaders(headers: HttpCheckConfig["headers"]): Plain {
  const explained = Object.entries(headers).map(([name, value]): readonly [string, Plain] => {
    if (typeof value === "string") return [name, value];
    return [name, value.type === "file" ? { file: value.path } : { credential: value.name }];
  });
  return Object.fromEntries(explained);
}

function explainHttp(check: HttpCheckConfig): { readonly [key: string]: Plain } {
  const { expectBody: body, tls } = check;
  return {
    path: check.path,
    method: check.method,
    ...(check.host === null ? {} : { host: check.host }),
    ...(Object.keys(check.headers).length === 0 ? {} : { headers: explainHeaders(check.headers) }),
    expect: {
      status: check.expectStatus.map(({ from, to }) => (from === to ? from : `${from}-${to}`)),
      ...(body === null
        ? {}
        : { body: body.type === "contains" ? { contains: body.text } : { matches: body.pattern } }),
    },
    maxBody: formatSize(check.maxBodyBytes),
    ...(tls === null
      ? {}
      : {
          tls: {
            verify: tls.verify,
            ...(tls.serverName === null ? {} : { serverName: tls.serverName }),
            ...(tls.caFile === null ? {} : { ca: tls.caFile }),
            ...(tls.certFile === null ? {} : { cert: explainPem(tls.certFile) }),
            ...(tls.keyFile === null ? {} : { key: explainPem(tls.keyFile) }),
          },
        }),
  };
}

function explainAction(action: ScheduleAction): Plain {
  switch (action.type) {
    case "drill": {
      const { instance, kind, target, maxGapUs, maxFailed } = action;
      return {
        drill: instance,
        kind,
        ...(target === null ? {} : { target }),
        ...(maxGapUs === null ? {} : { maxGap: formatDurationUs(maxGapUs) }),
        ...(maxFailed === null ? {} : { maxFailed }),
      };
    }
    case "drain": {
      const { service, server, deadlineUs, untilUs } = action;
      return {
        drain: {
          service,
          server: formatEndpoint(server),
          ...(deadlineUs === null ? {} : { deadline: formatDurationUs(deadlineUs) }),
          ...(untilUs === null ? {} : { until: formatDurationUs(untilUs) }),
        },
      };
    }
    case "enable":
      return { enable: { service: action.service, server: formatEndpoint(action.server) } };
    default:
      return action.type;
  }
}

function explainSchedule(schedule: ScheduleConfig): Plain {
  return {
    name: schedule.name,
    cron: schedule.cron,
    ...(schedule.timezone === null ? {} : { timezone: schedule.timezone }),
    action: explainAction(schedule.action),
  };
}

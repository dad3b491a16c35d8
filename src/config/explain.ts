import { Document } from "yaml";
import { formatDurationUs, MICROSECONDS_PER_SECOND } from "../base/duration.ts";
import { formatEndpoint, formatListenEndpoint } from "../base/endpoint.ts";
import { formatCidr } from "../base/ip.ts";
import type {
  CheckConfig,
  DirectorConfig,
  HttpCheckConfig,
  InstanceConfig,
  ScheduleConfig,
  ServerConfig,
  ServiceConfig,
} from "./model.ts";
import { formatSize } from "./schema/scalars.ts";

/** A value that YAML can write. */
type Plain = string | number | boolean | readonly Plain[] | { readonly [key: string]: Plain };

/**
 * The whole configuration as YAML, with every default filled in. Reading the text gives the same model again.
 * Header values are secrets as far as anybody knows, but the text must stay loadable: `isForShow` blots them out.
 */
export function explain(
  config: DirectorConfig,
  options: { readonly isForShow: boolean } = { isForShow: false },
): string {
  const context: Context = { isForShow: options.isForShow };
  const plain: Plain = {
    node: config.node,
    log: { level: config.log.level, format: config.log.format },
    ipvs: { onStop: config.ipvs.onStop, manageSysctls: config.ipvs.manageSysctls },
    scripts: { maxConcurrent: config.scripts.maxConcurrent },
    vrrp: {
      instances: Object.fromEntries(config.instances.map((instance) => [instance.name, explainInstance(instance)])),
    },
    services: Object.fromEntries(config.services.map((service) => [service.name, explainService(service, context)])),
    schedules: config.schedules.map(explainSchedule),
  };
  const document = new Document(plain, { aliasDuplicateObjects: false, version: "1.2" });
  return document.toString({ lineWidth: 0 });
}

interface Context {
  readonly isForShow: boolean;
}

function explainInstance(instance: InstanceConfig): Plain {
  const { preempt } = instance;
  return {
    interface: instance.interface,
    vrid: instance.vrid,
    priority: instance.priority,
    advertise: formatDurationUs(instance.advertIntervalUs),
    transport: "multicast",
    preempt: preempt.mode === "delay" ? { delay: formatDurationUs(preempt.delayUs) } : preempt.mode === "always",
    checksum: instance.checksum,
    addresses: instance.addresses.map(formatCidr),
  };
}

function explainService(service: ServiceConfig, context: Context): Plain {
  const [first, ...others] = service.servers;
  const written = service.servers.map((server) => server.checks.map((check) => explainCheck(check, context)));
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
    forward: service.forward,
    onDown: service.onDown,
    servers: service.servers.map((server, index) => explainServer(server, isShared ? null : (written[index] ?? []))),
    checks: isShared ? shared : [],
  };
}

function explainServer(server: ServerConfig, checks: readonly Plain[] | null): Plain {
  return { address: formatEndpoint(server), weight: server.weight, ...(checks === null ? {} : { checks }) };
}

function explainCheck(check: CheckConfig, context: Context): Plain {
  const timing = {
    interval: formatDurationUs(check.intervalUs),
    timeout: formatDurationUs(check.timeoutUs),
    rise: check.rise,
    fall: check.fall,
  };
  if (check.type === "script") return { script: { run: [...check.command], weight: check.setsWeight, ...timing } };
  const port: Plain = check.port === null ? {} : { port: check.port };
  if (check.type === "tcp") return { tcp: { ...port, ...timing } };
  return { [check.tls === null ? "http" : "https"]: { ...explainHttp(check, context), ...port, ...timing } };
}

function explainHttp(check: HttpCheckConfig, { isForShow }: Context): { readonly [key: string]: Plain } {
  const { expectBody: body, tls } = check;
  const headers = Object.entries(check.headers);
  return {
    path: check.path,
    method: check.method,
    ...(check.host === null ? {} : { host: check.host }),
    ...(headers.length === 0
      ? {}
      : { headers: Object.fromEntries(headers.map(([name, value]) => [name, isForShow ? "…" : value])) }),
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
            ...(tls.certFile === null ? {} : { cert: tls.certFile }),
            ...(tls.keyFile === null ? {} : { key: tls.keyFile }),
          },
        }),
  };
}

function explainSchedule(schedule: ScheduleConfig): Plain {
  return {
    name: schedule.name,
    cron: schedule.cron,
    ...(schedule.timezone === null ? {} : { timezone: schedule.timezone }),
    action: schedule.action.type,
  };
}

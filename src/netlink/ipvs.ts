import { assert } from "../base/assert.ts";
import { type IpFamily, type IpText, ipToBytes } from "../base/ip.ts";
import type {
  Destination,
  DestinationIdentity,
  ForwardingMethod,
  IpvsOperation,
  ServiceIdentity,
  ServiceSettings,
  Tunnel,
} from "../ipvs/model.ts";
import { PROTOCOL_NUMBERS } from "../ipvs/observed.ts";
import type { AttributeWriter } from "./attributes.ts";
import { encodeGenericMessage, GENERIC_BODY_OFFSET } from "./generic.ts";
import { writeU16be, writeU32 } from "./integers.ts";
import * as n from "./ipvs-numbers.ts";
import { NETLINK_HEADER_BYTES, NLM_F_ACK, NLM_F_DUMP, NLM_F_REQUEST } from "./message.ts";
import { AF_INET, AF_INET6 } from "./route.ts";

/** Idle timeouts of connections, whole seconds, per network namespace. */
export interface IpvsTimeouts {
  readonly tcpS: number;
  readonly tcpFinS: number;
  readonly udpS: number;
}

/** Asks for all services; replies by `decodeService`. */
export function encodeDumpServices(familyId: number): Buffer {
  return encode(familyId, NLM_F_REQUEST | NLM_F_DUMP, n.IPVS_CMD_GET_SERVICE, () => {});
}

/** Asks for a service's destinations; replies by `decodeDestination`. An unknown service gives no replies and no error. */
export function encodeDumpDestinations(familyId: number, service: ServiceIdentity): Buffer {
  return encode(familyId, NLM_F_REQUEST | NLM_F_DUMP, n.IPVS_CMD_GET_DEST, (attributes) => {
    writeIdentityNest(attributes, service);
  });
}

export function encodeGetInfo(familyId: number): Buffer {
  return encode(familyId, NLM_F_REQUEST, n.IPVS_CMD_GET_INFO, () => {});
}

export function encodeGetTimeouts(familyId: number): Buffer {
  return encode(familyId, NLM_F_REQUEST, n.IPVS_CMD_GET_CONFIG, () => {});
}

/** @param timeouts whole seconds; 0 leaves one as it is; the kernel refuses more than about 8,500,000 */
export function encodeSetTimeouts(familyId: number, timeouts: IpvsTimeouts): Buffer {
  return encode(familyId, NLM_F_REQUEST | NLM_F_ACK, n.IPVS_CMD_SET_CONFIG, (attributes) => {
    attributes.u32(n.IPVS_CMD_ATTR_TIMEOUT_TCP, timeouts.tcpS);
    attributes.u32(n.IPVS_CMD_ATTR_TIMEOUT_TCP_FIN, timeouts.tcpFinS);
    attributes.u32(n.IPVS_CMD_ATTR_TIMEOUT_UDP, timeouts.udpS);
  });
}

function encode(
  familyId: number,
  flags: number,
  command: number,
  writeAttributes: (attributes: AttributeWriter) => void,
): Buffer {
  return encodeGenericMessage(familyId, flags, command, n.IPVS_GENL_VERSION, writeAttributes);
}

function writeIdentityNest(attributes: AttributeWriter, service: ServiceIdentity): void {
  attributes.nest(n.IPVS_CMD_ATTR_SERVICE, (inner) => writeServiceIdentity(inner, service));
}

/** What tells the kernel which service is meant; always the first attributes of the nest. */
function writeServiceIdentity(attributes: AttributeWriter, service: ServiceIdentity): void {
  attributes
    .u16(n.IPVS_SVC_ATTR_AF, addressFamilyNumber(service.family))
    .u16(n.IPVS_SVC_ATTR_PROTOCOL, PROTOCOL_NUMBERS[service.protocol])
    .bytes(n.IPVS_SVC_ATTR_ADDR, addressField(service.address))
    .u16be(n.IPVS_SVC_ATTR_PORT, service.port);
}

const REQUEST_WITH_ACK = NLM_F_REQUEST | NLM_F_ACK;

/** Largest weight that the kernel takes; holdfast itself stays within 65535. */
const MAX_WEIGHT = 0x7fffffff;

const METHOD_NUMBERS: Readonly<Record<ForwardingMethod, number>> = {
  nat: n.IP_VS_CONN_F_MASQ,
  tun: n.IP_VS_CONN_F_TUNNEL,
  dr: n.IP_VS_CONN_F_DROUTE,
};

const TUNNEL_NUMBERS: Readonly<Record<Tunnel["type"], number>> = {
  gre: n.IP_VS_CONN_F_TUNNEL_TYPE_GRE,
  gue: n.IP_VS_CONN_F_TUNNEL_TYPE_GUE,
};

/**
 * Encodes operations as requests with an acknowledgement each, in order.
 *
 * A table has few services and many destinations, so a destination's message is copied from one that was built for its
 * service and only the bytes that differ are written: this is what makes loading a big table cheap. All messages of a
 * call share one buffer.
 */
export function encodeOperations(familyId: number, operations: readonly IpvsOperation[]): Buffer[] {
  const destinations = new DestinationEncoder(familyId, operations);
  return operations.map((operation) => encodeOperation(familyId, operation, destinations));
}

function encodeOperation(familyId: number, operation: IpvsOperation, destinations: DestinationEncoder): Buffer {
  switch (operation.type) {
    case "addService":
      return encodeService(familyId, n.IPVS_CMD_NEW_SERVICE, operation.service, operation.settings);
    case "setService":
      return encodeService(familyId, n.IPVS_CMD_SET_SERVICE, operation.service, operation.settings);
    case "deleteService":
      return encode(familyId, REQUEST_WITH_ACK, n.IPVS_CMD_DEL_SERVICE, (attributes) => {
        writeIdentityNest(attributes, operation.service);
      });
    case "addDestination":
      return destinations.write(n.IPVS_CMD_NEW_DEST, operation.service, operation.destination);
    case "setDestination":
      return destinations.write(n.IPVS_CMD_SET_DEST, operation.service, operation.destination);
    case "deleteDestination":
      return destinations.delete(operation.service, operation.destination);
  }
}

function encodeService(familyId: number, command: number, service: ServiceIdentity, settings: ServiceSettings): Buffer {
  const { persistence } = settings;
  const flags =
    (persistence === null ? 0 : n.IP_VS_SVC_F_PERSISTENT) |
    (settings.flags.fallback ? n.IP_VS_SVC_F_SCHED1 : 0) |
    (settings.flags.port ? n.IP_VS_SVC_F_SCHED2 : 0);
  return encode(familyId, REQUEST_WITH_ACK, command, (attributes) => {
    attributes.nest(n.IPVS_CMD_ATTR_SERVICE, (inner) => {
      writeServiceIdentity(inner, service);
      inner.string(n.IPVS_SVC_ATTR_SCHED_NAME, settings.scheduler);
      // Value and mask: every flag is set to what is wanted, whatever it was.
      inner.bytes(n.IPVS_SVC_ATTR_FLAGS, Buffer.from([flags, 0, 0, 0, 0xff, 0xff, 0xff, 0xff]));
      inner.u32(n.IPVS_SVC_ATTR_TIMEOUT, persistence?.timeoutS ?? 0);
      inner.bytes(n.IPVS_SVC_ATTR_NETMASK, netmaskField(service.family, persistence?.prefixLength));
    });
  });
}

/** Four bytes: an IPv4 mask in network order, an IPv6 prefix length in host order; the kernel checks the latter always. */
function netmaskField(family: IpFamily, prefixLength: number | undefined): Buffer {
  const field = Buffer.alloc(4);
  if (family === 4) field.writeUInt32BE(prefixMask(prefixLength ?? 32));
  else field.writeUInt32LE(prefixLength ?? 128);
  return field;
}

/** @param length 0–32 */
export function prefixMask(length: number): number {
  return length === 0 ? 0 : (0xffffffff << (32 - length)) >>> 0;
}

// Where the varying bytes of a destination's message stand; DestinationEncoder writes the attributes in this order.
const SERVICE_NEST_BYTES = 48;
const ADDRESS_AT = GENERIC_BODY_OFFSET + SERVICE_NEST_BYTES + 4 + 4;
const PORT_AT = ADDRESS_AT + n.IPVS_ADDRESS_BYTES + 4;
const METHOD_AT = PORT_AT + 4 + 4;
const WEIGHT_AT = METHOD_AT + 4 + 4;
const FAMILY_AT = WEIGHT_AT + 4 + 8 + 8 + 4;
const FULL_BYTES = FAMILY_AT + 4;
// Behind them, where the tunnel is not plain IP-in-IP.
const TUNNEL_TYPE_AT = FULL_BYTES + 4;
const TUNNEL_PORT_AT = TUNNEL_TYPE_AT + 4 + 4;
const TUNNELLED_BYTES = TUNNEL_PORT_AT + 4 + 4 + 4;
const DELETE_FAMILY_AT = PORT_AT + 4 + 4;
const DELETE_BYTES = DELETE_FAMILY_AT + 4;

/** Encodes destinations by patching copies of a template per service. */
class DestinationEncoder {
  readonly #familyId: number;
  /** Room for every destination of the batch; filled front to back. */
  readonly #slab: Buffer;
  #at = 0;
  #service: ServiceIdentity | undefined;
  #template: Buffer = Buffer.alloc(0);
  #tunnelTemplate: Buffer = Buffer.alloc(0);
  #deleteTemplate: Buffer = Buffer.alloc(0);

  constructor(familyId: number, operations: readonly IpvsOperation[]) {
    this.#familyId = familyId;
    let bytes = 0;
    for (const operation of operations) {
      if (operation.type === "deleteDestination") bytes += DELETE_BYTES;
      else if ("destination" in operation)
        bytes += operation.destination.tunnel === undefined ? FULL_BYTES : TUNNELLED_BYTES;
    }
    this.#slab = Buffer.allocUnsafe(bytes);
  }

  write(command: number, service: ServiceIdentity, destination: Destination): Buffer {
    const { weight, tunnel } = destination;
    assert(weight >= 0 && weight <= MAX_WEIGHT, `weight ${weight}`);
    if (service !== this.#service) this.#prepare(service);
    const message = this.#copy(tunnel === undefined ? this.#template : this.#tunnelTemplate);
    message[NETLINK_HEADER_BYTES] = command;
    message[FAMILY_AT] = writeAddress(message, ADDRESS_AT, destination.address);
    writeU16be(message, PORT_AT, destination.port);
    message[METHOD_AT] = METHOD_NUMBERS[destination.method];
    writeU32(message, WEIGHT_AT, weight);
    if (tunnel !== undefined) {
      message[TUNNEL_TYPE_AT] = TUNNEL_NUMBERS[tunnel.type];
      writeU16be(message, TUNNEL_PORT_AT, tunnel.type === "gue" ? tunnel.port : 0);
    }
    return message;
  }

  delete(service: ServiceIdentity, destination: DestinationIdentity): Buffer {
    if (service !== this.#service) this.#prepare(service);
    const message = this.#copy(this.#deleteTemplate);
    message[DELETE_FAMILY_AT] = writeAddress(message, ADDRESS_AT, destination.address);
    writeU16be(message, PORT_AT, destination.port);
    return message;
  }

  #copy(template: Buffer): Buffer {
    const at = this.#at;
    this.#at = at + template.length;
    this.#slab.set(template, at);
    return this.#slab.subarray(at, this.#at);
  }

  #prepare(service: ServiceIdentity): void {
    this.#service = service;
    this.#template = this.#build(n.IPVS_CMD_NEW_DEST, service);
    this.#tunnelTemplate = this.#build(n.IPVS_CMD_NEW_DEST, service, true);
    this.#deleteTemplate = this.#build(n.IPVS_CMD_DEL_DEST, service);
    assert(this.#template.length === FULL_BYTES && this.#deleteTemplate.length === DELETE_BYTES, "template layout");
    assert(this.#tunnelTemplate.length === TUNNELLED_BYTES, "template layout with a tunnel");
  }

  /** A message about a destination with zeros where it differs from others of its service. */
  #build(command: number, service: ServiceIdentity, isTunnelled = false): Buffer {
    return encode(this.#familyId, REQUEST_WITH_ACK, command, (attributes) => {
      writeIdentityNest(attributes, service);
      attributes.nest(n.IPVS_CMD_ATTR_DEST, (inner) => {
        inner.bytes(n.IPVS_DEST_ATTR_ADDR, Buffer.alloc(n.IPVS_ADDRESS_BYTES)).u16be(n.IPVS_DEST_ATTR_PORT, 0);
        if (command !== n.IPVS_CMD_DEL_DEST) {
          inner.u32(n.IPVS_DEST_ATTR_FWD_METHOD, 0).u32(n.IPVS_DEST_ATTR_WEIGHT, 0);
          // No thresholds and, where the tunnel's attributes are left out, a plain IPIP tunnel: the kernel resets them.
          inner.u32(n.IPVS_DEST_ATTR_U_THRESH, 0).u32(n.IPVS_DEST_ATTR_L_THRESH, 0);
        }
        inner.u16(n.IPVS_DEST_ATTR_ADDR_FAMILY, 0);
        if (!isTunnelled) return;
        inner.u8(n.IPVS_DEST_ATTR_TUN_TYPE, 0).u16be(n.IPVS_DEST_ATTR_TUN_PORT, 0).u16(n.IPVS_DEST_ATTR_TUN_FLAGS, 0);
      });
    });
  }
}

function addressFamilyNumber(family: IpFamily): number {
  return family === 4 ? AF_INET : AF_INET6;
}

function addressField(address: IpText): Buffer {
  const field = Buffer.alloc(n.IPVS_ADDRESS_BYTES);
  writeAddress(field, 0, address);
  return field;
}

/**
 * Writes an address where zeros stand; IPv4 digit by digit, because this runs once per destination.
 * @returns the number of its address family
 */
function writeAddress(target: Buffer, at: number, address: IpText): number {
  let octet = 0;
  let index = at;
  for (let i = 0; i < address.length; i++) {
    const code = address.charCodeAt(i);
    if (code === DOT) {
      target[index++] = octet;
      octet = 0;
    } else if (code >= DIGIT_0 && code <= DIGIT_9) {
      octet = octet * 10 + code - DIGIT_0;
    } else {
      target.set(ipToBytes(address), at);
      return AF_INET6;
    }
  }
  assert(index === at + 3, `not an address: ${address}`);
  target[index] = octet;
  return AF_INET;
}

const DOT = 0x2e;
const DIGIT_0 = 0x30;
const DIGIT_9 = 0x39;

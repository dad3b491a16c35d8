import { ipFromBytes, ipToBytes } from "../base/ip.ts";
import type { Result } from "../base/result.ts";
import type { SyncDaemon, SyncOperation, SyncRole } from "../ipvs/sync.ts";
import type { AttributeReader, AttributeWriter } from "./attributes.ts";
import { encodeGenericMessage, openGeneric } from "./generic.ts";
import * as n from "./ipvs-numbers.ts";
import { decodeError, type NetlinkDecodeError, NLM_F_ACK, NLM_F_DUMP, NLM_F_REQUEST } from "./message.ts";

/** Asks for the daemons of connection synchronisation; up to two replies by `decodeSyncDaemon`. */
export function encodeDumpSyncDaemons(familyId: number): Buffer {
  const flags = NLM_F_REQUEST | NLM_F_DUMP;
  return encodeGenericMessage(familyId, flags, n.IPVS_CMD_GET_DAEMON, n.IPVS_GENL_VERSION, () => {});
}

/** Encodes an operation as a request with an acknowledgement. */
export function encodeSyncOperation(familyId: number, operation: SyncOperation): Buffer {
  const isStart = operation.type === "startDaemon";
  const command = isStart ? n.IPVS_CMD_NEW_DAEMON : n.IPVS_CMD_DEL_DAEMON;
  return encodeGenericMessage(familyId, NLM_F_REQUEST | NLM_F_ACK, command, n.IPVS_GENL_VERSION, (attributes) => {
    attributes.nest(n.IPVS_CMD_ATTR_DAEMON, (inner) => {
      if (isStart) writeDaemon(inner, operation.daemon);
      else inner.u32(n.IPVS_DAEMON_ATTR_STATE, STATES[operation.role]);
    });
  });
}

const STATES: Readonly<Record<SyncRole, number>> = { master: n.IP_VS_STATE_MASTER, backup: n.IP_VS_STATE_BACKUP };

/** In the order of ipvsadm. */
function writeDaemon(attributes: AttributeWriter, daemon: SyncDaemon): void {
  const group = ipToBytes(daemon.group);
  attributes
    .u32(n.IPVS_DAEMON_ATTR_STATE, STATES[daemon.role])
    .string(n.IPVS_DAEMON_ATTR_MCAST_IFN, daemon.interface)
    .u32(n.IPVS_DAEMON_ATTR_SYNC_ID, daemon.id)
    .u16(n.IPVS_DAEMON_ATTR_SYNC_MAXLEN, daemon.maxBytes)
    .u16(n.IPVS_DAEMON_ATTR_MCAST_PORT, daemon.port)
    .u8(n.IPVS_DAEMON_ATTR_MCAST_TTL, daemon.ttl)
    .bytes(group.length === 4 ? n.IPVS_DAEMON_ATTR_MCAST_GROUP : n.IPVS_DAEMON_ATTR_MCAST_GROUP6, group);
}

/** Reads one reply about the daemons. Kernels before 4.3 leave out group, port, TTL and length: those are 0 or empty. */
export function decodeSyncDaemon(message: Buffer, familyId: number): Result<SyncDaemon, NetlinkDecodeError> {
  const top = openGeneric(message, familyId, n.IPVS_CMD_NEW_DAEMON);
  if (!top.ok) return top;
  let daemon: Result<SyncDaemon, NetlinkDecodeError> = decodeError("missing-attribute", "no daemon");
  while (top.value.next()) {
    if (top.value.type === n.IPVS_CMD_ATTR_DAEMON) daemon = decodeNest(top.value.nested());
  }
  return top.value.error === undefined ? daemon : { ok: false, error: top.value.error };
}

function decodeNest(reader: AttributeReader): Result<SyncDaemon, NetlinkDecodeError> {
  let state = 0;
  let device = "";
  let [id, maxBytes, port, ttl] = [0, 0, 0, 0];
  let group = "";
  while (reader.next()) {
    switch (reader.type) {
      case n.IPVS_DAEMON_ATTR_STATE:
        state = reader.u32();
        break;
      case n.IPVS_DAEMON_ATTR_MCAST_IFN:
        device = reader.string();
        break;
      case n.IPVS_DAEMON_ATTR_SYNC_ID:
        id = reader.u32();
        break;
      case n.IPVS_DAEMON_ATTR_SYNC_MAXLEN:
        maxBytes = reader.u16();
        break;
      case n.IPVS_DAEMON_ATTR_MCAST_PORT:
        port = reader.u16();
        break;
      case n.IPVS_DAEMON_ATTR_MCAST_TTL:
        ttl = reader.u8();
        break;
      case n.IPVS_DAEMON_ATTR_MCAST_GROUP:
        if (reader.length >= 4) group = ipFromBytes(reader.data().subarray(0, 4));
        break;
      case n.IPVS_DAEMON_ATTR_MCAST_GROUP6:
        if (reader.length >= 16) group = ipFromBytes(reader.data().subarray(0, 16));
        break;
    }
  }
  const role = state === n.IP_VS_STATE_MASTER ? "master" : state === n.IP_VS_STATE_BACKUP ? "backup" : undefined;
  if (reader.error === undefined && role === undefined) return decodeError("missing-attribute", `state ${state}`);
  return reader.outcome({ role: role ?? "backup", interface: device, id, group, port, ttl, maxBytes });
}

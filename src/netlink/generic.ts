import type { Result } from "../base/result.ts";
import { AttributeReader, AttributeWriter } from "./attributes.ts";
import {
  decodeError,
  decodeHeader,
  encodeMessage,
  NETLINK_HEADER_BYTES,
  type NetlinkDecodeError,
  NLM_F_REQUEST,
} from "./message.ts";

/*
 * Generic netlink puts four bytes behind the netlink header, whose type is the number of the family:
 *
 *  +---------------+---------------+-------------------------------+
 *  |    command    |    version    |           reserved            |
 *  +---------------+---------------+-------------------------------+
 *
 * Family numbers are handed out when modules load; the controller, whose number is fixed, knows them by name.
 */
export const GENERIC_HEADER_BYTES = 4;
/** Where attributes begin in a message of a family without a header of its own. */
export const GENERIC_BODY_OFFSET = NETLINK_HEADER_BYTES + GENERIC_HEADER_BYTES;

const GENL_ID_CTRL = 0x10;
const CTRL_VERSION = 1;
const CTRL_CMD_NEWFAMILY = 1;
const CTRL_CMD_GETFAMILY = 3;
const CTRL_ATTR_FAMILY_ID = 1;
const CTRL_ATTR_FAMILY_NAME = 2;

/**
 * Builds one generic netlink request.
 * @param familyId message type of the family
 * @param flags    NLM_F_* bits
 * @param command  the family's command number
 * @param version  the family's version
 */
export function encodeGenericMessage(
  familyId: number,
  flags: number,
  command: number,
  version: number,
  writeAttributes: (attributes: AttributeWriter) => void,
): Buffer {
  return encodeMessage(familyId, flags, (writer) => {
    writer.u8(command).u8(version).u16le(0);
    writeAttributes(new AttributeWriter(writer));
  });
}

/**
 * Asks the controller for a family by its name, which also makes the kernel load the module that provides it. Needs no
 * privilege. Answered by one message, or ENOENT.
 */
export function encodeGetFamily(name: string): Buffer {
  return encodeGenericMessage(GENL_ID_CTRL, NLM_F_REQUEST, CTRL_CMD_GETFAMILY, CTRL_VERSION, (attributes) => {
    attributes.string(CTRL_ATTR_FAMILY_NAME, name);
  });
}

/** Reads the number of the family from the controller's answer. */
export function decodeFamilyId(message: Buffer): Result<number, NetlinkDecodeError> {
  const reader = openGeneric(message, GENL_ID_CTRL, CTRL_CMD_NEWFAMILY);
  if (!reader.ok) return reader;
  let familyId = 0;
  while (reader.value.next()) {
    if (reader.value.type === CTRL_ATTR_FAMILY_ID) familyId = reader.value.u16();
  }
  const outcome = reader.value.outcome(familyId);
  return outcome.ok && familyId === 0 ? decodeError("missing-attribute", "no family id") : outcome;
}

/** Checks the headers of a reply and gives a reader of its attributes. */
export function openGeneric(
  message: Buffer,
  familyId: number,
  command: number,
): Result<AttributeReader, NetlinkDecodeError> {
  const header = decodeHeader(message);
  if (!header.ok) return header;
  const { type, length } = header.value;
  if (type !== familyId) return decodeError("unexpected-type", `family ${type}`);
  if (length < GENERIC_BODY_OFFSET) return decodeError("short-message", "no generic header");
  const found = message[NETLINK_HEADER_BYTES];
  if (found !== command) return decodeError("unexpected-type", `command ${found} instead of ${command}`);
  return { ok: true, value: new AttributeReader(message, GENERIC_BODY_OFFSET, length) };
}

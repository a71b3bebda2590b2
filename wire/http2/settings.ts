// SETTINGS (RFC 9113, section 6.5): what each end asks of the other.
import { err, ok, type Result } from '../../kit/result.ts';
import {
  ErrorCode,
  type Fault,
  malformed,
  PAYLOAD_BYTES_MAX,
  WINDOW_BYTES_INITIAL,
  WINDOW_BYTES_MAX,
} from './protocol.ts';

export const Setting = {
  HEADER_TABLE_SIZE: 1,
  ENABLE_PUSH: 2,
  MAX_CONCURRENT_STREAMS: 3,
  INITIAL_WINDOW_SIZE: 4,
  MAX_FRAME_SIZE: 5,
  MAX_HEADER_LIST_SIZE: 6,
  ENABLE_CONNECT_PROTOCOL: 8,
} as const;

/** What a peer has said that matters to us. Frames are never larger than what every peer takes, so its bound does not. */
export interface PeerSettings {
  readonly headerTableBytes: number;
  readonly streamsMax: number;
  readonly initialWindowBytes: number;
  /** What it takes of a head: names, values and 32 bytes for each field. */
  readonly headListBytesMax: number;
  readonly isConnectProtocolEnabled: boolean;
}

/** Before a peer has said anything; it is then safe to suppose room for this many streams, as RFC 9113 6.5.2 advises. */
export const SETTINGS_BEFORE_ANY: PeerSettings = {
  headerTableBytes: 4096,
  streamsMax: 100,
  initialWindowBytes: WINDOW_BYTES_INITIAL,
  headListBytesMax: Number.POSITIVE_INFINITY,
  isConnectProtocolEnabled: false,
};

const ENTRY_BYTES = 6;

/** The bytes of a list of settings: the payload of SETTINGS, and of the field HTTP2-Settings. */
export function writeSettings(entries: readonly (readonly [setting: number, value: number])[]): Buffer {
  const payload = Buffer.allocUnsafe(entries.length * ENTRY_BYTES);
  entries.forEach(([setting, value], index) => {
    payload.writeUInt16BE(setting, index * ENTRY_BYTES);
    payload.writeUInt32BE(value, index * ENTRY_BYTES + 2);
  });
  return payload;
}

/** What holds once `payload` was read after `before`; in order, so the last of two entries wins. */
export function applySettings(before: PeerSettings, payload: Buffer): Result<PeerSettings, Fault> {
  if (payload.length % ENTRY_BYTES !== 0)
    return err(malformed(`settings of ${payload.length} bytes`, ErrorCode.FRAME_SIZE_ERROR));
  let settings = before;
  for (let at = 0; at < payload.length; at += ENTRY_BYTES) {
    const applied = applyOne(settings, payload.readUInt16BE(at), payload.readUInt32BE(at + 2));
    if (!applied.ok) return applied;
    settings = applied.value;
  }
  return ok(settings);
}

function applyOne(settings: PeerSettings, setting: number, value: number): Result<PeerSettings, Fault> {
  switch (setting) {
    case Setting.HEADER_TABLE_SIZE:
      return ok({ ...settings, headerTableBytes: value });
    case Setting.ENABLE_PUSH:
      return value <= 1 ? ok(settings) : err(malformed(`ENABLE_PUSH of ${value}`));
    case Setting.MAX_CONCURRENT_STREAMS:
      return ok({ ...settings, streamsMax: value });
    case Setting.INITIAL_WINDOW_SIZE:
      if (value > WINDOW_BYTES_MAX)
        return err(malformed(`INITIAL_WINDOW_SIZE of ${value}`, ErrorCode.FLOW_CONTROL_ERROR));
      return ok({ ...settings, initialWindowBytes: value });
    case Setting.MAX_FRAME_SIZE:
      if (value < PAYLOAD_BYTES_MAX || value > 2 ** 24 - 1) return err(malformed(`MAX_FRAME_SIZE of ${value}`));
      return ok(settings);
    case Setting.MAX_HEADER_LIST_SIZE:
      return ok({ ...settings, headListBytesMax: value });
    case Setting.ENABLE_CONNECT_PROTOCOL:
      if (value > 1 || (value === 0 && settings.isConnectProtocolEnabled))
        return err(malformed(`ENABLE_CONNECT_PROTOCOL of ${value}`));
      return ok({ ...settings, isConnectProtocolEnabled: value === 1 });
    default:
      return ok(settings);
  }
}

// The answer to what is no request. It is the last on its connection.
import type { Refusal, WireFailure } from '../message.ts';
import type { Outbox } from './outbox.ts';
import { writeResponseHead } from './write-head.ts';

export function plainRefusal(failure: WireFailure, status: number): Refusal {
  const body = Buffer.from(`The request was refused: ${failure.reason}.\n`);
  return { head: { status, fields: ['content-type', 'text/plain'], bodyBytes: body.length }, body };
}

export function writeRefusal({ head, body }: Refusal, outbox: Outbox): void {
  const setting = { method: 'GET', minorVersion: 1, isKept: false };
  const written = writeResponseHead({ ...head, bodyBytes: body.length }, setting);
  if (!written.ok) return;
  outbox.text(written.value.text);
  outbox.bytes(body);
}

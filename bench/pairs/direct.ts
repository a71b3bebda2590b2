// No sidecars at all: what the load generator, the app and the machine cost, which is subtracted from the others' latencies.
import { ok } from '../../kit/result.ts';
import type { PreparePair } from './pair.ts';

export const direct: PreparePair = async ({ appPort }) =>
  ok({ version: '', start: async () => ok({ port: appPort, sidecars: [], start: undefined }) });

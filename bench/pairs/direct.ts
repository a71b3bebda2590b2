// No sidecars at all: what the load generator, the app and the machine cost, which is subtracted from the others' latencies.
import { ok } from '../../kit/result.ts';
import { appPortOf, type PreparePair } from './pair.ts';

export const direct: PreparePair = async ({ app }) =>
  ok({ version: '', start: async (shape) => ok({ port: appPortOf(shape, app), sidecars: [], start: undefined }) });

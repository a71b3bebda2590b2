// One way to Names, whichever kind the configuration asks for. A pod opens its own: kubernetes.ts.
import type { Clock } from '../../kit/clock.ts';
import type { Log } from '../../kit/log.ts';
import type { Processes } from '../../kit/processes.ts';
import { ok, type Result } from '../../kit/result.ts';
import type { NamesConfig } from '../config.ts';
import { openRegistry } from './registry.ts';
import type { Names } from './resolver.ts';
import { openStaticList } from './static-list.ts';

export interface OpenNamesDeps {
  readonly processes: Processes;
  readonly clock: Clock;
  readonly log: Log;
}

/** Or a sentence that says why there is no such name service here. */
export async function openNames(config: NamesConfig, deps: OpenNamesDeps): Promise<Result<Names>> {
  switch (config.kind) {
    case 'registry':
      return openRegistry({ directory: config.directory, ...deps });
    case 'static':
      return ok(openStaticList(config.peers));
    case 'mdns': {
      // Loaded on demand: nobody else needs the library.
      const { openMdns } = await import('./mdns.ts');
      return openMdns({ interfaceAddress: config.interfaceAddress, ...deps });
    }
  }
}

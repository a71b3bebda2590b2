// How the sidecar is connected to its app, as metadata shows it: Dapr's names, and durations as Go writes them.
import type { AppConnection } from '../../api/proto/runtime.ts';
import type { AppConfig } from '../config.ts';

/** Undefined for a program that only calls. `isHealthy` is undefined where nobody asks. */
export function appConnection(app: AppConfig, isHealthy: boolean | undefined): AppConnection | undefined {
  const { port, protocol = 'http', host, maxConcurrency, health } = app;
  if (port === undefined) return undefined;
  return {
    port,
    protocol,
    channelAddress: host,
    ...(maxConcurrency !== undefined && { maxConcurrency }),
    ...(health !== undefined && {
      health: {
        healthCheckPath: health.path,
        healthProbeInterval: goDuration(health.intervalMs),
        healthProbeTimeout: goDuration(health.timeoutMs),
        healthThreshold: health.threshold,
        ...(isHealthy !== undefined && { status: isHealthy ? 'healthy' : 'unhealthy' }),
      },
    }),
  };
}

/** `500ms`, `1.5s`, `5s`, `1m30s`, `1h0m0s`. */
function goDuration(durationMs: number): string {
  if (durationMs < 1000) return `${durationMs}ms`;
  const minutes = Math.floor(durationMs / 60_000);
  const seconds = `${(durationMs % 60_000) / 1000}s`;
  if (minutes === 0) return seconds;
  return minutes < 60 ? `${minutes}m${seconds}` : `${Math.floor(minutes / 60)}h${minutes % 60}m${seconds}`;
}

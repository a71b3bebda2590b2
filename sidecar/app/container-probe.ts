// One probe of a container, done as the kubelet does it, but on loopback: by HTTP, by TCP, or by gRPC.
import type { AppProbe, GrpcProbe, HttpProbe } from '../../api/app-probe.ts';
import { lastNumber, ProtoWriter, readFields } from '../../api/proto/protobuf.ts';
import type { Clock } from '../../kit/clock.ts';
import { GrpcAnswer, type GrpcEnd, grpcRequest } from '../../wire/grpc-call.ts';
import { frameMessage } from '../../wire/grpc-frame.ts';
import type { Fields, RequestHead } from '../../wire/message.ts';
import { authority } from './address.ts';
import type { Ask } from './ask.ts';
import { type AppAddress, connectToApp } from './connect.ts';
import { AppHttp2Pool } from './http2-pool.ts';
import { type Answered, askHttp1As, noConnection, onConnection } from './probe.ts';
import { appTlsOptions } from './tls.ts';

const HOST = 'localhost';
/** By which apps know probes. */
const AGENT: Fields = ['user-agent', 'kube-probe/invoke'];

export function askContainer(probe: AppProbe, clock: Clock): Ask {
  switch (probe.kind) {
    case 'http':
      return askByHttp(probe, clock);
    case 'tcp':
      return askByTcp({ host: HOST, port: probe.port }, clock);
    case 'grpc':
      return askByGrpc(probe, clock);
  }
}

/** The kubelet looks at no certificate. It follows redirects, and here one is a success. */
function askByHttp({ port, isTls, target, authority: host, fields }: HttpProbe, clock: Clock): Ask {
  const tls = isTls ? appTlsOptions({ isUnverified: true }, HOST, 'http/1.1') : undefined;
  const head: RequestHead = {
    method: 'GET',
    target,
    authority: host === '' ? authority(HOST, port) : host,
    scheme: undefined,
    fields: [...without(fields, AGENT), ...without(fields, ['accept', '*/*']), ...fields],
    bodyBytes: 0,
    upgrade: undefined,
    expectsContinue: false,
  };
  return askHttp1As({ host: HOST, port, tls }, clock, head, (status) => status >= 200 && status < 400);
}

/** Nothing, where the probe says it itself. */
function without(fields: Fields, field: Fields): Fields {
  const isSaid = fields.some((name, i) => i % 2 === 0 && name === field[0]);
  return isSaid ? [] : field;
}

function askByTcp(address: AppAddress, clock: Clock): Ask {
  return (answered) =>
    connectToApp(address, clock, (connected) => {
      if (connected.ok) connected.value.destroy();
      answered(connected.ok ? undefined : noConnection(connected.error));
    });
}

const CHECK = '/grpc.health.v1.Health/Check';
/** HealthCheckResponse.ServingStatus */
const SERVING = 1;
const ANSWER_BYTES_MAX = 4096;

/** On a connection of its own, as the kubelet's is. */
function askByGrpc({ port, service }: GrpcProbe, clock: Clock): Ask {
  const question = frameMessage(checkRequest(service));
  return (answered) => {
    const pool = new AppHttp2Pool({ host: HOST, port }, clock);
    const told: Answered = (problem) => {
      pool.destroy();
      answered(problem);
    };
    const cancel = onConnection(pool, told, (connection) => {
      let serving = 0;
      const message = (bytes: Buffer) => {
        serving = servingIn(bytes);
      };
      const answer = new GrpcAnswer(ANSWER_BYTES_MAX, { message, ended: (end) => told(servingProblem(end, serving)) });
      const requester = connection.request(grpcRequest(pool, CHECK, AGENT), answer);
      requester.data(question);
      requester.end([]);
      return requester;
    });
    return () => {
      cancel();
      pool.destroy();
    };
  };
}

function checkRequest(service: string): Buffer {
  const writer = new ProtoWriter();
  writer.utf8(1, service);
  return writer.finish();
}

function servingIn(message: Buffer): number {
  const fields = readFields(message);
  return fields.ok ? lastNumber(fields.value, 1) : 0;
}

function servingProblem(end: GrpcEnd, serving: number): string | undefined {
  if (end.kind !== 'status') return `its health check was not answered: ${end.reason}`;
  if (end.status !== 0) return `its health check was answered with the gRPC status ${end.status}`;
  return serving === SERVING ? undefined : `its health check was answered with the serving status ${serving}`;
}

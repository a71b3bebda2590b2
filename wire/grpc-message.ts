// The words beside a grpc-status (gRPC over HTTP/2, "Status-Message").

/** Percent-encoded UTF-8; what does not decode is shown as it came. */
export function decodeGrpcMessage(encoded: string): string {
  try {
    return decodeURIComponent(encoded);
  } catch {
    return encoded;
  }
}

# One image for each part of Invoke: PART is sidecar, sentry or operator. The context is what `npm run images` bundled for
# that part, so nothing is downloaded here; see scripts/images.ts.
FROM node:24-bookworm-slim

# What runs needs no package manager, and what is not there needs no fixing.
RUN rm -rf /usr/local/lib/node_modules /usr/local/bin/npm /usr/local/bin/npx /usr/local/bin/corepack \
    /usr/local/bin/yarn /usr/local/bin/yarnpkg /opt/yarn-*

ARG PART
ARG VERSION
ARG REVISION
LABEL org.opencontainers.image.title="invoke-${PART}" \
      org.opencontainers.image.description="Invoke, secure service invocation: the ${PART}" \
      org.opencontainers.image.version="${VERSION}" \
      org.opencontainers.image.revision="${REVISION}" \
      org.opencontainers.image.licenses="Apache-2.0"

COPY app/ /app/
# By the flags of ENTRYPOINT, which is why they stand here, too: another engine's compiled code would be refused. A third of the
# processor time of a start (scripts/images/compiled.ts).
RUN ["node", "--max-semi-space-size=1", "--single-threaded-gc", "/app/compile.cjs"]
# One arena, and large blocks given back at once: buffers come and go by the megabyte, and what malloc keeps of them counts
# against the memory limit of somebody's pod. From 128 KiB on, so that the buffers of reads and writes are not mapped anew each.
ENV NODE_ENV=production \
    MALLOC_ARENA_MAX=1 \
    MALLOC_TRIM_THRESHOLD_=131072 \
    MALLOC_MMAP_THRESHOLD_=131072
# A number, so that Kubernetes can see that it is not root.
USER 65532:65532
WORKDIR /app
# By measurement of a sidecar at full load:
# - a small young generation: what a call leaves behind is collected soon, not by the tens of megabytes;
# - no threads for the collector: with so little to do at a time they cost more to wake than they help, a tenth of all;
# - what else there is to set is set while it runs, and why: kit/engine.ts.
ENTRYPOINT ["node", "--max-semi-space-size=1", "--single-threaded-gc", "/app/main.cjs"]

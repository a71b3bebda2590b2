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
# One arena, and large blocks given back at once: buffers come and go by the megabyte, and what malloc keeps of them counts
# against the memory limit of somebody's pod. After 1 KiB calls at full load a sidecar has some 10 MB less.
ENV NODE_ENV=production \
    MALLOC_ARENA_MAX=1 \
    MALLOC_TRIM_THRESHOLD_=131072 \
    MALLOC_MMAP_THRESHOLD_=65536
# A number, so that Kubernetes can see that it is not root.
USER 65532:65532
WORKDIR /app
# A small young generation: what a call leaves behind is collected soon, not by the tens of megabytes. With so little to do at
# a time, the collector's other threads cost more to wake than they help: a tenth of a sidecar's processor time at full load.
# And large bodies ask for a collection themselves (kit/young-garbage.ts).
ENTRYPOINT ["node", "--max-semi-space-size=2", "--single-threaded-gc", "--expose-gc", "/app/main.cjs"]

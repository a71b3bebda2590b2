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
ENV NODE_ENV=production
# A number, so that Kubernetes can see that it is not root.
USER 65532:65532
WORKDIR /app
# A small young generation: the buffers of a body that passes through are collected soon, not by the tens of megabytes.
ENTRYPOINT ["node", "--max-semi-space-size=1", "/app/main.cjs"]

# The backend: the GraphQL server that runs jobs on Kubernetes or on a Docker engine. The image that jobs run in is
# another one, runner-image/Dockerfile; both stand on the same Debian, so a node stores it once.
#
#   docker build -t maps-python-backend:latest .
#
# Behind a mirror: --build-arg NODE_IMAGE=… --build-arg BASE_IMAGE=… --build-arg NPM_CONFIG_REGISTRY=…
ARG NODE_IMAGE=node:24-bookworm-slim
ARG BASE_IMAGE=debian:bookworm-slim

FROM ${NODE_IMAGE} AS build
ARG NPM_CONFIG_REGISTRY
WORKDIR /app
COPY package.json package-lock.json .npmrc ./
RUN npm ci --include=dev --loglevel=error
COPY tsconfig.json tsconfig.build.json ./
COPY src ./src
RUN npm run --silent build
# What only a compiler, an editor, another platform or another runtime than Node reads. The licences stay.
RUN npm prune --omit=dev --loglevel=error \
 && driver=node_modules/@photostructure/sqlite \
 && rm -rf dist/.tsbuildinfo node_modules/.bin node_modules/.package-lock.json \
      node_modules/typescript node_modules/@types node_modules/cpu-features node_modules/nan $driver/src \
 && find $driver/prebuilds -mindepth 1 -maxdepth 1 ! -name "$(node -p 'process.platform + "-" + process.arch')" -exec rm -r {} + \
 && find node_modules -type f \( -name '*.map' -o -name '*.ts' -o -name '*.mts' -o -name '*.cts' -o -name '*.md' \) \
      ! -iname 'licen*' ! -iname 'notice*' -delete \
 && find node_modules -type d -empty -delete \
 && chmod 755 dist/main.js dist/cli/main.js
# Nothing that is needed may be missing: both client libraries and the database are loaded once.
RUN node -e "new (require('@photostructure/sqlite').DatabaseSync)(':memory:').close()" \
 && node --input-type=module -e "for (const name of ['@kubernetes/client-node', 'dockerode', 'pg', './dist/app.module.js']) await import(name)"

FROM ${BASE_IMAGE}
# The uid of the runner image too: either side may delete what the other left.
RUN groupadd --gid 10001 maps \
 && useradd --uid 10001 --gid 10001 --home-dir /tmp --no-create-home --shell /usr/sbin/nologin maps \
 && install -d -o maps -g maps /var/lib/maps-python \
 && ln -s /app/dist/cli/main.js /usr/local/bin/maps
# Node alone: no npm, no headers.
COPY --from=build /usr/local/bin/node /usr/local/bin/node
WORKDIR /app
COPY --from=build /app/node_modules ./node_modules
COPY --from=build /app/package.json ./
COPY LICENSE ./
COPY --from=build /app/dist ./dist
ARG VERSION=dev
ARG REVISION=unknown
LABEL org.opencontainers.image.title="maps-python backend" \
      org.opencontainers.image.description="Runs Python scripts as isolated jobs, with logs that arrive live and never get lost" \
      org.opencontainers.image.licenses="Apache-2.0" \
      org.opencontainers.image.version="${VERSION}" \
      org.opencontainers.image.revision="${REVISION}"
ENV NODE_ENV=production \
    HOST=0.0.0.0 \
    DATA_DIR=/var/lib/maps-python
USER 10001:10001
EXPOSE 8000
HEALTHCHECK --interval=10s --timeout=5s --start-period=30s --retries=3 \
  CMD ["node", "-e", "require('node:http').get({ port: process.env.PORT || 8000, path: '/health/live', timeout: 4000 }, (r) => process.exit(r.statusCode === 200 ? 0 : 1)).on('timeout', () => process.exit(1)).on('error', () => process.exit(1))"]
# Exec form: node is PID 1 and gets SIGTERM itself. The options are explained in docs/benchmarks.md.
CMD ["node", "--max-semi-space-size=4", "--heap-growing-percent=100", "dist/main.js"]

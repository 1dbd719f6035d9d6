# syntax=docker/dockerfile:1
# One image for both roles: `holdfast hq …` and `holdfast agent …`.

# Current Debian stable, with the Node that package-lock.json pins for development.
ARG NODE_IMAGE=node:24.21.0-trixie-slim

FROM ${NODE_IMAGE} AS build
WORKDIR /app
COPY package.json package-lock.json ./
RUN npm ci --no-audit --no-fund
COPY . .
# What stays: lmdb, which is bound to machine code, and what it needs. All else is in dist/bundle.
RUN npm run build \
 && npm prune --omit=dev --omit=peer --no-audit --no-fund \
 && find node_modules -type f \( -name '*.map' -o -name '*.ts' -o -name '*.cts' -o -name '*.mts' -o -iname '*.md' \) -delete \
 && rm -rf node_modules/.cache node_modules/lmdb/dependencies node_modules/lmdb/src

FROM ${NODE_IMAGE}
LABEL org.opencontainers.image.title="Holdfast" \
      org.opencontainers.image.licenses="Apache-2.0"
ENV NODE_ENV=production
WORKDIR /app
COPY --from=build /app/package.json /app/LICENSE ./
COPY --from=build /app/node_modules ./node_modules
COPY --from=build /app/bin ./bin
COPY --from=build /app/dist/bundle ./dist/bundle
COPY --from=build /app/dist/dashboard ./dist/dashboard
# The one place that is written to; everything else may be read-only.
RUN install -d -o node -g node -m 0700 /data
USER node
VOLUME /data
ENV HOLDFAST_DATA_DIR=/data
EXPOSE 8000
ENTRYPOINT ["node", "bin/holdfast.js"]
CMD ["hq", "--host", "0.0.0.0"]
# Finds where HQ or the agent in the container listens.
HEALTHCHECK --interval=10s --timeout=5s --start-period=20s --retries=3 \
  CMD ["node", "dist/bundle/health-check.js"]

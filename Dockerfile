# syntax=docker/dockerfile:1
# One image for both roles: `holdfast hq …` and `holdfast agent …`.

FROM node:24-bookworm-slim AS build
WORKDIR /app
COPY package.json package-lock.json ./
RUN npm ci --no-audit --no-fund
COPY . .
RUN npm run build && npm prune --omit=dev --no-audit --no-fund

FROM node:24-bookworm-slim
LABEL org.opencontainers.image.title="Holdfast" \
      org.opencontainers.image.licenses="Apache-2.0"
ENV NODE_ENV=production
WORKDIR /app
COPY --from=build /app/package.json ./
COPY --from=build /app/node_modules ./node_modules
COPY --from=build /app/bin ./bin
COPY --from=build /app/dist ./dist
# The one place that is written to; everything else may be read-only.
RUN install -d -o node -g node -m 0700 /data
USER node
VOLUME /data
ENV HOLDFAST_DATA_DIR=/data
EXPOSE 8000
ENTRYPOINT ["node", "bin/holdfast.js"]
CMD ["hq", "--host", "0.0.0.0"]
HEALTHCHECK --interval=10s --timeout=5s --start-period=20s --retries=3 \
  CMD ["node", "dist/cli/health-check.js"]

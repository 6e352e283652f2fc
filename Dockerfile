# The image of every process of a deployment: `serve`, `work`, `migrate`.
# Build: docker build -t mcp-registry .
FROM node:22-bookworm-slim AS pages
WORKDIR /static
COPY static/package.json static/package-lock.json ./
RUN npm ci --ignore-scripts --no-audit --no-fund
COPY static/ ./
RUN npm run build

FROM rust:1.95-bookworm AS build
WORKDIR /src
COPY . .
COPY --from=pages /static/dist static/dist
ENV UI_REQUIRE_DIST=1
RUN --mount=type=cache,target=/usr/local/cargo/registry \
    --mount=type=cache,target=/src/target \
    cargo build --locked --release --package mcp-registry \
    && cp target/release/mcp-registry /usr/local/bin/

FROM debian:bookworm-slim
# The certificates of the authorities that upstreams' certificates come from.
RUN apt-get update \
    && apt-get install -y --no-install-recommends ca-certificates \
    && rm -rf /var/lib/apt/lists/* \
    && useradd --system --uid 10001 --home-dir /var/lib/mcp-registry --create-home --shell /usr/sbin/nologin registry
COPY --from=build /usr/local/bin/mcp-registry /usr/local/bin/mcp-registry
COPY deploy/ready /usr/local/bin/ready
# Where SQLite and a generated sealing key would be; with PostgreSQL nothing is written here.
WORKDIR /var/lib/mcp-registry
USER 10001
ENV MCP_REGISTRY__SERVER__LISTEN=0.0.0.0:8080 MCP_REGISTRY__LOG__FORMAT=json
EXPOSE 8080
STOPSIGNAL SIGTERM
ENTRYPOINT ["mcp-registry"]
CMD ["serve"]

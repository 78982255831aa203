# Shardsmith's core by default: convert, check, inspect, pull, verify.
#   docker build -t shardsmith .
#   docker run --rm -v "$PWD:/data" shardsmith pull raccoon@v1 --out v1 --remote /data/store
# With more of it: --build-arg EXTRAS='[s3]', '[build]' or '[all]'.
FROM python:3.11-slim AS wheel
WORKDIR /src
COPY . .
RUN pip install --no-cache-dir hatchling && python -m hatchling build -t wheel -d /dist

FROM python:3.11-slim
ARG EXTRAS=""
# git: versions are named in a workspace's repository; the core alone pulls without it
RUN apt-get update && apt-get install --yes --no-install-recommends git && rm -rf /var/lib/apt/lists/*
COPY --from=wheel /dist /dist
RUN pip install --no-cache-dir "shardsmith${EXTRAS} @ file://$(ls /dist/*.whl)"
RUN useradd --create-home shardsmith
USER shardsmith
WORKDIR /data
ENTRYPOINT ["shardsmith"]
CMD ["--help"]

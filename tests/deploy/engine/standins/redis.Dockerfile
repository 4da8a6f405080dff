# Stands in for redis:8-alpine: Debian's Redis 8, with Alpine's shell, the official image's user, folder and volume.
FROM digitline-deploy-test/debian:trixie

RUN groupadd --system --gid 1000 redis \
    && useradd --system --uid 999 --gid redis --home-dir /home/redis --shell /bin/false redis \
    && apt-get update \
    && apt-get install --yes --no-install-recommends busybox redis-server \
    && rm -rf /var/lib/apt/lists/* \
    && for name in sh cat grep; do ln -sf /bin/busybox "/usr/local/bin/$name"; done \
    && ln -sf busybox /bin/sh \
    && install -d -o redis -g redis /data

COPY redis-entrypoint.sh /usr/local/bin/docker-entrypoint.sh

VOLUME /data
WORKDIR /data
EXPOSE 6379
ENTRYPOINT ["docker-entrypoint.sh"]
CMD ["redis-server"]

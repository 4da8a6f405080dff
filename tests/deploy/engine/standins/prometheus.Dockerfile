# Stands in for prom/prometheus: Debian's Prometheus, which is of version 2, with the official image's folder and user.
FROM digitline-deploy-test/debian:trixie

RUN apt-get update \
    && apt-get install --yes --no-install-recommends prometheus promtool \
    && rm -rf /var/lib/apt/lists/* /etc/prometheus/* \
    && install -d -o nobody -g nogroup /prometheus

VOLUME /prometheus
WORKDIR /prometheus
EXPOSE 9090
USER nobody
ENTRYPOINT ["prometheus"]

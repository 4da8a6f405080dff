# Stands in for python:3.11-slim-bookworm: Debian's own Python of that version, where the official image puts it.
FROM digitline-deploy-test/debian:bookworm

RUN apt-get update \
    && apt-get install --yes --no-install-recommends netbase python3 python3-pip python3-venv \
    && rm -rf /var/lib/apt/lists/* \
    && ln -s /usr/bin/python3 /usr/local/bin/python \
    && ln -s /usr/bin/python3 /usr/local/bin/python3

# How this machine's pip reaches its index.
COPY pip.conf /etc/pip.conf

ENV PATH=/usr/local/bin:/usr/local/sbin:/usr/sbin:/usr/bin:/sbin:/bin \
    LANG=C.UTF-8

CMD ["python3"]

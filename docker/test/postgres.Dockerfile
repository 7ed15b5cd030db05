# Stands for the image `postgres` in the test of docker-compose.yaml, on machines that cannot pull it. It takes the same
# variables.
FROM debian:bookworm
RUN apt-get update -q && apt-get install -q -y --no-install-recommends postgresql && rm -rf /var/lib/apt/lists/*
ENV PATH=/usr/lib/postgresql/15/bin:$PATH PGDATA=/var/lib/postgresql/data/pg
COPY postgres-entrypoint /usr/local/bin/postgres-entrypoint
ENTRYPOINT ["/bin/sh", "/usr/local/bin/postgres-entrypoint"]

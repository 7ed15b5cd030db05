# Stands for the image `docker:dind` in the test of the chart, on machines that cannot pull it; with a small image inside, as
# its engine cannot pull either. The context has `images.tar`.
FROM debian:bookworm
RUN apt-get update -q && apt-get install -q -y --no-install-recommends docker.io iptables openssl && rm -rf /var/lib/apt/lists/*
COPY dind-entrypoint images.tar /
ENTRYPOINT ["/bin/sh", "/dind-entrypoint"]

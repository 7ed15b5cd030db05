# A small image whose shell is not bash or dash.
FROM debian:bookworm AS build
RUN apt-get update -q && apt-get install -q -y --no-install-recommends busybox-static
FROM scratch
COPY --from=build /bin/busybox /bin/busybox
RUN ["/bin/busybox", "--install", "-s", "/bin"]

# One image for all of asyncops: the command decides which process it is.
# The binaries are static; the image holds them, CA certificates and time zones.
FROM golang:1.26 AS build
WORKDIR /src
COPY go.mod go.sum ./
RUN go mod download
COPY . .
ARG VERSION=devel
RUN CGO_ENABLED=0 go build -trimpath -ldflags "-s -w" -o /out/ ./cmd/asyncops \
 && for name in api worker scheduler; do \
      CGO_ENABLED=0 go build -trimpath -ldflags "-s -w" -o "/out/asyncops-$name" "./cmd/$name"; \
    done

FROM gcr.io/distroless/static-debian12:nonroot
LABEL org.opencontainers.image.title="asyncops" \
      org.opencontainers.image.description="Database operations and API calls as durable jobs" \
      org.opencontainers.image.licenses="Apache-2.0"
COPY --from=build /out/ /usr/local/bin/
USER nonroot:nonroot
ENTRYPOINT []
CMD ["asyncops", "version"]

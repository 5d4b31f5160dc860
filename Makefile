# make alone lists the targets. Variables, set as in `make test PKG=./ledger/...`:
#   GO       the go command
#   PKG      what test, cover and lint look at, all packages by default
#   FLAGS    more flags for go test, such as -run=TestClaim or -count=10
#   ARGS     arguments of `make run`, such as --config asyncops.yaml, and of `make bench`, such as -quick
GO    ?= go
PKG   ?= $(SLOW) ./...
FLAGS ?=
ARGS  ?=

# The race detector looks at everything but SQLite's C, which was turned into
# Go: watching it takes five times as long, and it has locks of its own.
RACE := -race -gcflags=modernc.org/sqlite/lib=-race=false -gcflags=modernc.org/libc=-race=false
# make check vets, and nobody debugs test binaries.
LEAN := -vet=off -ldflags=-w

# The packages whose tests take longest come first, so that no core idles at the end; two of them run at a time, on two cores.
SLOW := ./e2e ./dispatch ./store ./ledger

TOOL := $(GO) tool -modfile=$(CURDIR)/tools/go.mod

.DEFAULT_GOAL := help
.PHONY: help run build test kill cover check fmt lint vuln bench services clean FORCE

help:
	@awk -F ':.*## ' '/^[a-z]+:.*## / { printf "make %-9s %s\n", $$1, $$2 }' $(MAKEFILE_LIST)

run: bin/asyncops ## build and run everything in one process on 127.0.0.1:8080 (ARGS=…)
	@exec bin/asyncops dev $(ARGS)

build: bin/asyncops bin/asyncops-api bin/asyncops-worker bin/asyncops-scheduler ## build the commands into bin/

# go build knows best whether something has changed.
FORCE:
bin/asyncops: FORCE
	CGO_ENABLED=0 $(GO) build -trimpath -o $@ ./cmd/asyncops
bin/asyncops-%: FORCE
	CGO_ENABLED=0 $(GO) build -trimpath -o $@ ./cmd/$*

test: services ## run all tests on real servers, with the race detector (PKG=…, FLAGS=…)
	ASYNCOPS_REQUIRE_SERVICES=1 $(GO) test $(RACE) $(LEAN) -timeout 18m $(FLAGS) $(PKG)

kill: services ## run the long tier of e2e, which takes ten minutes (FLAGS=-v for its figures)
	ASYNCOPS_REQUIRE_SERVICES=1 ASYNCOPS_E2E=long $(GO) test $(RACE) $(LEAN) -timeout 45m $(FLAGS) ./e2e

cover: services ## write coverage.out and print the coverage of each function (PKG=…)
	ASYNCOPS_REQUIRE_SERVICES=1 $(GO) test -timeout 12m -coverpkg=./... -coverprofile=coverage.out $(FLAGS) $(PKG)
	$(GO) tool cover -func=coverage.out

check: lint ## check format, vet, lint, architecture, documentation, go.mod, the pages, generated files
	$(GO) test -count=1 ./internal/arch ./internal/docs
	cd tools && $(GO) vet ./... && $(TOOL) golangci-lint run --config ../.golangci.yml ./...
	cd tools && $(GO) test ./...
	$(GO) mod tidy -diff
	cd tools && $(GO) mod tidy -diff
	cd bench && $(GO) vet ./... && $(TOOL) golangci-lint run --config ../.golangci.yml ./...
	cd bench && $(GO) test ./... && $(GO) mod tidy -diff
	scripts/dashboard
	scripts/generated

lint: ## check format, vet and the linters of .golangci.yml (PKG=…)
	@unformatted="$$(gofmt -l $$(find . -name '*.go' -not -path './.asyncops/*'))"; \
	if [ -n "$$unformatted" ]; then echo "not formatted, run make fmt:"; echo "$$unformatted"; exit 1; fi
	$(GO) vet $(PKG)
	$(TOOL) golangci-lint run $(PKG)

fmt: ## format all Go files
	gofmt -w $$(find . -name '*.go' -not -path './.asyncops/*')

vuln: ## look for known vulnerabilities in what is used; needs the network
	$(TOOL) govulncheck ./...

bench: services ## measure asyncops beside River and asynq, which takes minutes (ARGS=…)
	cd bench && $(GO) run . $(ARGS)

services: ## find or install the servers that the tests start
	@scripts/services

clean: ## remove what was built; the jobs of make run, in .asyncops, stay
	rm -rf bin coverage.out

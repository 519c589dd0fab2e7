# Schalter. `make run` starts the demo, `make test` tests everything; `make help` lists the rest.
# Tools are pinned here and run by `go run module@version`, so that they never move the versions in go.mod.

export STATICCHECK := honnef.co/go/tools/cmd/staticcheck@v0.8.2
GOLANGCI := github.com/golangci/golangci-lint/v2/cmd/golangci-lint@v2.15.0
GOVULNCHECK := golang.org/x/vuln/cmd/govulncheck@v1.9.0

# Where the demo keeps its data, and the port it takes.
DATA ?= var
LISTEN ?= :8443

SHELL := /bin/bash
.SHELLFLAGS := -euo pipefail -c
.DELETE_ON_ERROR:
.DEFAULT_GOAL := help

# What the browser code and the programs are made of. Stamps in bin/ remember the last build.
UI_SOURCES := $(shell find web/ui -path web/ui/node_modules -prune -o -path web/ui/dist -prune -o -path web/ui/src/gen -prune -o -type f -print)
# (The browser code is in them by bin/.ui; its generated files change with every check.)
GO_SOURCES := $(shell find appliance cmd media systemd web hw \( -name node_modules -o -path web/e2e -o -path web/ui/src -o -path web/ui/dist -o -path web/ui/messages \) -prune -o -type f ! -name '*_test.go' \
	\( -name '*.go' -o -name '*.sql' -o -name '*.html' -o -name '*.css' -o -name '*.svg' -o -name '*.json' -o -name '*.yaml' -o -name '*.txt' \) -print)

.PHONY: help
help: ## list the targets
	@awk 'BEGIN {FS = ":.*## "} /^[a-z-]+:.*## / {printf "  make %-12s %s\n", $$1, $$2}' $(MAKEFILE_LIST)
	@printf '\n  make run DATA=dir LISTEN=:port takes another directory or port.\n'

.PHONY: run
run: bin/.need-run build ## install what is missing, build, start the demo town on :8443
	@exec bin/schalterd --data '$(DATA)' --listen '$(LISTEN)' --demo

.PHONY: build
build: bin/schalterd bin/schalter bin/schalter-load ## build bin/schalterd, bin/schalter and bin/schalter-load

.PHONY: ui
ui: bin/.ui ## build the browser code alone

.PHONY: check
check: bin/.need-check bin/.ui ## the fast checks, under two minutes: run before every commit
	@.ci/steps check

.PHONY: test
test: bin/.need-test bin/.ui web/e2e/node_modules/.package-lock.json build ## everything: checks, fuzzing, the whole program, real browsers
	@.ci/steps test

.PHONY: race
race: bin/.ui ## all Go tests with the race detector
	RACE_PEERS=1 nice go test -race ./...

.PHONY: fuzz
fuzz: bin/.ui ## every fuzz target; FUZZ=1m for a minute each
	@.ci/steps fuzz

.PHONY: bench
bench: bin/.need-run build ## the box beside the textbook SFU: CPU per packet, memory, delay, as ratios (6 minutes)
	bin/schalter-load bench

.PHONY: bench-go
bench-go: bin/.ui ## the benchmarks of the Go code, ten times each, as benchstat reads them
	nice go test -run='^$$' -bench=. -benchmem -count=10 ./media/... ./appliance/...

.PHONY: lint
lint: bin/.ui ## golangci-lint; its first build takes three minutes
	nice go run $(GOLANGCI) run ./...

.PHONY: vuln
vuln: bin/.ui ## known weaknesses in what we import; warns only when the list cannot be had
	nice go run $(GOVULNCHECK) ./... || echo 'see above: a finding, or the list at vuln.go.dev could not be reached'

.PHONY: pictures
pictures: bin/.need-test bin/.ui web/e2e/node_modules/.package-lock.json build ## the README's pictures, from the running product (root)
	node web/e2e/run.mjs pictures

.PHONY: clean-demo
clean-demo: ## drop the demo's data
	@if [ -e '$(DATA)/lock' ] && ! flock --nonblock '$(DATA)/lock' true; then \
	  echo 'The demo runs in $(DATA): stop it first (Ctrl+C).' >&2; exit 1; fi
	rm -rf -- '$(DATA)'

.PHONY: clean
clean: ## drop all that was built, keep the demo's data
	rm -rf bin web/ui/dist/assets web/ui/dist/.vite web/ui/src/gen web/ui/node_modules web/e2e/node_modules

# Programs. Go itself knows best what is to be built again; the stamps only spare asking it.
bin/schalterd: bin/.ui $(GO_SOURCES) go.mod go.sum | bin/.need-run
	go build -trimpath -o $@ ./cmd/schalterd
	@touch $@

bin/schalter: $(GO_SOURCES) go.mod go.sum | bin/.need-run
	go build -trimpath -o $@ ./cmd/schalter
	@touch $@

bin/schalter-load: $(GO_SOURCES) go.mod go.sum | bin/.need-run
	go build -trimpath -o $@ ./cmd/schalter-load
	@touch $@

bin/.ui: web/ui/node_modules/.package-lock.json $(UI_SOURCES)
	cd web/ui && npm run --silent build
	@touch web/ui/dist/.keep $@

web/ui/node_modules/.package-lock.json: web/ui/package-lock.json | bin/.need-run
	cd web/ui && npm ci --ignore-scripts --no-audit --no-fund --silent
	@touch $@

web/e2e/node_modules/.package-lock.json: web/e2e/package-lock.json | bin/.need-run
	cd web/e2e && npm ci --ignore-scripts --no-audit --no-fund --silent
	@touch $@

# What the steps need of Debian. A stamp is renewed when the list changes, that is, with this file.
bin/.need-run: Makefile
	@mkdir -p bin
	@.ci/need npm=npm gcc=gcc /usr/include/stdio.h=libc6-dev
	@touch $@

bin/.need-check: Makefile bin/.need-run
	@.ci/need git=git systemd-analyze=systemd
	@touch $@

bin/.need-test: Makefile bin/.need-check
	@plugins=/usr/lib/$$(gcc -print-multiarch)/gstreamer-1.0; \
	  .ci/need chromium=chromium firefox-esr=firefox-esr certutil=libnss3-tools ip=iproute2 tc=iproute2 nft=nftables \
	  strace=strace ffmpeg=ffmpeg curl=curl openssl=openssl fc-list=fontconfig whip-client=simple-whip-client \
	  $$plugins/libgstopus.so=gstreamer1.0-plugins-base $$plugins/libgstvpx.so=gstreamer1.0-plugins-good \
	  $$plugins/libgstwebrtc.so=gstreamer1.0-plugins-bad $$plugins/libgstnice.so=gstreamer1.0-nice
	@touch $@

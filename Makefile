# Everything below runs on the Node of node_modules/.bin (24, from the registry), whatever the
# machine has; only npm itself runs on the machine's own. A shell other than the default one makes
# old versions of make look programs up in the exported PATH.
MACHINE_PATH := $(PATH)
export PATH := $(CURDIR)/node_modules/.bin:$(PATH)
SHELL := $(shell command -v bash || command -v sh)
.DEFAULT_GOAL := help
.PHONY: help setup demo demo-up test test-guarded test-faults check format generate promise up down servers kustomize k8s k8s-dry-run k8s-e2e soak rehearse parents conformance fuzz model bench bench-beside bench-history bench-floods bench-waits bench-values bench-identity bench-idle bench-lanes bench-leaks bench-limits bench-streams bench-turns test-packages pack images clean

JOBS ?= examples/flight-report/src/jobs.ts
REPORT := .offstage/test-report.json

help: ## Show this help
	@awk 'BEGIN { FS = ":.*## " } /^[a-z0-9-]+:.*## / { printf "  make %-14s %s\n", $$1, $$2 }' $(MAKEFILE_LIST)

setup: kit/dist/.made ## Install the packages, Node 24 among them (done by the others when needed)
	@:

# npm writes this file last, so it is newer than the lock file once everything is in place.
node_modules/.package-lock.json: package-lock.json
	@echo 'installing packages (npm ci)'
	@PATH="$(MACHINE_PATH)" npm ci --loglevel=error --no-audit --no-fund --no-update-notifier
	@node scripts/check-node.cjs

# The database that offstage dev begins with: another one where the packages have brought another PGlite.
kit/dist/.made: node_modules/.package-lock.json
	@node kit/scripts/prepare-cluster.ts && touch $@

demo: setup ## A report over three million flights: on services of its own, or on those OFFSTAGE_SCHEDULER names
	@node scripts/demo.ts

demo-up: up ## The same report on the services of make up
	@. .offstage/up/env && node scripts/demo.ts

test: setup servers kustomize ## Run all tests (TESTS=kit/src/bus runs those of a folder)
	@$(if $(TESTS),,node scripts/bundles/main.ts && TEST_BUNDLES=$(CURDIR)/.offstage/bundles) vitest run $(TESTS) --reporter=default --reporter=json --outputFile.json=$(REPORT)

test-guarded: setup servers ## Run the end-to-end tests with identity and mutual TLS on (TESTS=test/outage.test.ts runs one)
	@GUARDED=all vitest run --project guarded $(TESTS)

test-faults: setup servers ## Run the scheduler's tests over a database of which one statement in a hundred fails (FAULTS_SEED, FAULTS_ONE_IN, TESTS)
	@FAULTS=all FAULTS_SEED=$${FAULTS_SEED:-$$(date +%s)} vitest run --project faulty $(TESTS)

check: setup ## Format, lint, layers, types, proto rules, generated files
	@echo 'biome ci'; if [ -t 1 ]; then biome ci; else biome ci --colors=off; fi
	node scripts/layers/main.ts
	tsc --noEmit
	buf lint
	sh scripts/check-proto.sh

format: setup ## Format, and fix what can be fixed safely
	@biome check --write

generate: setup ## Generate proto/gen from the proto files
	@sh scripts/generate.sh

promise: setup ## Take the proto files as they are for what later ones must not break
	@buf build --exclude-source-info --path proto/offstage --path proto/keda -o proto/promised.binpb

up: setup servers ## Start the three services with PostgreSQL and NATS (JOBS=… names the job modules)
	@OFFSTAGE_JOBS="$(JOBS)" node scripts/up.ts

down: ## Stop what make up started; its data stays in .offstage/up
	@[ ! -d .offstage/up ] || node scripts/down.ts

servers: ## Install PostgreSQL and nats-server where they are missing
	@sh scripts/install-servers.sh

kustomize: ## Install what renders deploy/k8s where it is missing
	@sh scripts/install-kustomize.sh

k8s: setup kustomize ## Render the overlays of deploy/k8s (or OVERLAYS=…), and check them against schemas and rules
	@node scripts/k8s/main.ts $(OVERLAYS)

k8s-dry-run: setup kustomize ## Have a real API server look at every overlay (KUBECTL is the command that asks it)
	@node scripts/k8s/dry-run.ts

k8s-e2e: setup kustomize ## Try the images of make images and the overlay local on a real cluster (KUBECONFIG, KUBECTL, K8S_IMPORT, NODE)
	@NODE="$(NODE)" node scripts/k8s-e2e/main.ts

soak: setup servers ## Ten minutes of random kills, freezes, drains and stalls under load, with memory, threads and handles (SOAK_SECONDS, SOAK_SEED)
	@SOAK_SECONDS=$${SOAK_SECONDS:-600} vitest run --project clusters test/soak.test.ts

rehearse: setup servers ## Rehearse a rolling update, and this release beside the one before (REHEARSE_SECONDS)
	@REHEARSE_SECONDS=$${REHEARSE_SECONDS:-20} vitest run --project clusters test/rehearsal

parents: setup servers ## 20,000 parents that wait for children on two slots, with threads and memory (PARENTS)
	@PARENTS=$${PARENTS:-20000} vitest run --project clusters test/waiting-parents.test.ts

conformance: setup ## Hold an executor in any language against docs/executor-protocol.md (EXECUTOR is its command; SCENARIOS=2,5.1)
	@node test/conformance/main.ts

fuzz: setup servers ## A thousand calls of any bytes to each RPC, without and with identity and TLS (FUZZ_CALLS, FUZZ_SEED)
	@GUARDED=all FUZZ_CALLS=$${FUZZ_CALLS:-1000} vitest run test/fuzz.test.ts

model: setup servers ## A thousand stories of jobs, compared with a small model on PGlite and PostgreSQL (MODEL_RUNS, MODEL_SEED)
	@MODEL_RUNS=$${MODEL_RUNS:-1000} vitest run services/scheduler/src/store/jobs-model.test.ts

bench: setup servers ## Measure the hot path beside bare gRPC and bare SQL
	@node bench/hot-path/main.ts

bench-beside: setup servers ## Measure the hot path beside that of another commit, in turns (BESIDE=<commit>, BENCH_STANDS, BENCH_SECONDS, BENCH_ROUNDS)
	@node bench/hot-path/beside.ts $(BESIDE)

bench-history: setup servers ## Measure the hot path beside a million finished and a million queued jobs, and beside retention
	@node bench/hot-path/history.ts
	@node bench/hot-path/retention.ts

bench-floods: setup servers ## Measure an ordinary job beside the floods of another caller, and a known caller beside those of strangers
	@node bench/floods/main.ts
	@node bench/floods/strangers.ts

bench-waits: setup servers ## Measure 10,000 waits of 1,000 clients: statements while nothing changes, and the time until all are answered
	@node bench/waits/main.ts

bench-schedules: setup servers ## Measure how late jobs begin when 10,000 schedules are due in the same second
	@node bench/schedules/main.ts

bench-values: setup servers ## Measure reusable values, and how soon others hear of a refresh
	@node bench/values/main.ts
	@node bench/values/refreshes.ts

bench-identity: setup servers ## Measure the hot path with tokens and TLS beside without
	@node bench/identity/main.ts

bench-idle: setup ## Measure idle handlers
	@node bench/idle/main.ts

bench-turns: setup servers ## Measure how long a slot stands empty from one job to the next, and where that time goes (BENCH_SLOTS)
	@node bench/turns/main.ts

bench-limits: setup servers ## Measure the hot path of a method with limits beside one without, on as many slots and on ten times as many
	@node bench/limits/main.ts

bench-lanes: setup servers ## Measure a job that does nothing in each lane, beside piscina alone (BENCH_SECONDS, BENCH_ROUNDS)
	@node bench/lanes/main.ts

bench-leaks: setup ## Measure what looking for leaks costs a run (BENCH_SECONDS, BENCH_ROUNDS)
	@node bench/leaks/main.ts

bench-streams: setup servers ## Measure the memory of every process while parameters and results of 1 GiB are streams (BENCH_MIB)
	@node bench/streams/main.ts

test-packages: setup ## Install the packages into an empty project and use them there, on Node 22 and 24
	@PACKAGES=all vitest run --project open test/packages

pack: setup ## Build the packages for npm: tarballs in dist/packages
	@node scripts/pack/main.ts

images: setup ## Build the images of deploy/docker, also as archives in dist/images (ENGINE, NODE=debian or a base)
	@NODE="$(NODE)" node scripts/images/main.ts

clean: ## Remove packages and all state, that of make up included
	@[ ! -d .offstage/up ] || node scripts/down.ts --data
	@rm -rf node_modules kit/dist dist .offstage coverage

# rxtrack: the extension in extension/ and sql/, the gateway in gateway/.
# `make help` lists what there is to do.

# The distribution's own PostgreSQL, or the one that PG_CONFIG names.
PG_CONFIG := $(or $(PG_CONFIG),$(shell scripts/postgresql pg_config))
PREFIX    ?= /usr/local
PORT      ?= 8480
RUN_DIR   ?= .run

export PG_CONFIG PREFIX PORT RUN_DIR DESTDIR

# Sub-makes are quiet about the directories they enter, and builds about the
# commands they run; V=1 shows them.
MAKEFLAGS += --no-print-directory
QUIET      = $(if $(V),,-s)

.PHONY: all extension gateway run test fuzz fuzz-c fuzz-http bench bench-compare test-versions bench-storage bench-patient bench-scale bench-notify bench-access chaos lint format clean help \
	install install-extension install-gateway \
	uninstall uninstall-extension uninstall-gateway

all: extension gateway                  ## build the extension and the gateway (the default)

extension:                              ## build the extension only
	@$(MAKE) $(QUIET) -C extension all

gateway:                                ## build the gateway only
	@$(MAKE) $(QUIET) -C gateway all

run:                                    ## install what is missing, build, and start it all (PORT=8480, RUN_DIR=.run)
	@scripts/run --check
	@scripts/dependencies run
	@$(MAKE) all
	@exec setpriv --pdeathsig TERM scripts/run

test:                                   ## install what is missing, build, and run the tests (TESTS='files' for some, SANITIZE=1)
	@scripts/dependencies test
	@$(MAKE) all
	@exec tests/run $(TESTS)

test-versions:                          ## make run and make test from nothing, on Debian releases in roots of debootstrap (RELEASES='bookworm trixie', TESTS)
	@exec tests/versions/run $(RELEASES)

fuzz:                                   ## hold random requests against a model of the contract (SEED=n, COUNT=10000, HTTP=1)
	@scripts/dependencies test
	@$(MAKE) all
	@FUZZ_SEED=$(or $(SEED),$(shell date +%s)) FUZZ_COUNT=$(or $(COUNT),10000) FUZZ_HTTP=$(HTTP) PROVE_FLAGS=--verbose \
		exec tests/run tests/fuzz/model.t

fuzz-c:                                 ## fuzz the parsers by coverage, under sanitizers (SECONDS=600)
	@scripts/dependencies fuzz-c
	@exec tests/fuzz/fuzz-c $(or $(SECONDS),600)

fuzz-http:                              ## broken and odd HTTP against a gateway with the sanitizers (SECONDS=1200, SEED=n)
	@scripts/dependencies test
	@$(MAKE) all SANITIZE=1
	@FUZZ_SECONDS=$(or $(SECONDS),1200) FUZZ_SEED=$(SEED) SANITIZE=1 PROVE_FLAGS=--verbose exec tests/run tests/fuzz/http.t

bench:                                  ## measure it beside other ways to do it, about ten minutes (SECONDS=5, REPEAT=3)
	@scripts/dependencies bench
	@$(MAKE) all
	@BENCH=1 BENCH_SECONDS=$(SECONDS) BENCH_REPEAT=$(REPEAT) BENCH_READY=$(READY) BENCH_GATEWAY='$(GATEWAY)' PROVE_FLAGS=--verbose \
		exec tests/run tests/bench/bench.t

bench-compare:                          ## this build and another revision's in turns (BASE=revision, ROUNDS=20, SECONDS=2, least ratios HTTP=0.9 EVENTS=0.9 SUBMIT=0.85)
	@scripts/dependencies bench
	@$(MAKE) all
	@BENCH_ROUNDS=$(ROUNDS) BENCH_SECONDS=$(SECONDS) BENCH_HTTP=$(HTTP) BENCH_EVENTS=$(EVENTS) BENCH_SUBMIT=$(SUBMIT) \
		exec tests/bench/compare/run $(BASE)

bench-storage:                          ## bytes an update on disk, beside text and jsonb (COUNT=1000000)
	@scripts/dependencies bench
	@$(MAKE) all
	@BENCH=1 BENCH_COUNT=$(COUNT) PROVE_FLAGS=--verbose exec tests/run tests/bench/storage.t

bench-patient:                          ## how long a patient's items take to read, beside a plain table (SCALE=10000000)
	@scripts/dependencies bench
	@$(MAKE) all
	@BENCH=1 BENCH_SCALE=$(SCALE) PROVE_FLAGS=--verbose exec tests/run tests/bench/patient.t

bench-scale:                            ## updates a second with many stored and with few (SCALE=10000000, SECONDS=2, REPEAT=15, WARM_UP, HUGE_PAGES=4500)
	@scripts/dependencies bench
	@$(MAKE) all
	@BENCH=1 BENCH_SCALE=$(SCALE) BENCH_SECONDS=$(SECONDS) BENCH_REPEAT=$(REPEAT) BENCH_WARM_UP=$(WARM_UP) PROVE_FLAGS=--verbose \
		exec scripts/huge_pages $(or $(HUGE_PAGES),4500) tests/run tests/bench/scale.t

bench-notify:                           ## what events cost those who submit, and how soon listeners hear, four minutes (ROUNDS=5, STREAMS=2000)
	@scripts/dependencies test
	@$(MAKE) all
	@BENCH_ROUNDS=$(ROUNDS) BENCH_STREAMS=$(STREAMS) PROVE_FLAGS=--verbose exec tests/run tests/bench/notify/notify.t

chaos:                                  ## kill listeners, gateway, dispatcher and server at random under load (SECONDS=60, SEED=n)
	@scripts/dependencies test
	@$(MAKE) all
	@CHAOS_SECONDS=$(or $(SECONDS),60) CHAOS_SEED=$(SEED) PROVE_FLAGS=--verbose exec tests/run tests/readiness/chaos.t

bench-access:                           ## what authentication adds to the cost of a request, with and without in turns (SECONDS=2, REPEAT=20)
	@scripts/dependencies bench
	@$(MAKE) all
	@BENCH=1 BENCH_SECONDS=$(SECONDS) BENCH_REPEAT=$(REPEAT) PROVE_FLAGS=--verbose exec tests/run tests/bench/access.t

lint:                                   ## cppcheck, the strict warnings, shellcheck, formatting, and the rules of the tree: includes, names, lengths
	@scripts/dependencies lint
	@exec scripts/lint

format:                                 ## lay the gateway's C out as .clang-format says
	@scripts/dependencies lint
	clang-format -i $(wildcard gateway/*.[ch] gateway/*/*.[ch])

install: install-extension install-gateway          ## install for PG_CONFIG's server, and the gateway under PREFIX (DESTDIR is honoured)

uninstall: uninstall-extension uninstall-gateway    ## take both away again

install-extension uninstall-extension: %-extension:
	@$(MAKE) -C extension $*

install-gateway uninstall-gateway: %-gateway:
	@$(MAKE) -C gateway $*

clean:                                  ## remove the build products (what `make run` keeps stays)
	@$(MAKE) -C extension clean
	@$(MAKE) -C gateway clean
	@$(MAKE) -C tests/fuzz/c clean

help:                                   ## say this
	@sed -n 's/^\([a-z-]*\):[^#]*## \(.*\)/  make \1|\2/p' Makefile | awk -F '|' '{ printf "%-20s %s\n", $$1, $$2 }'

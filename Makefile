# The commands a newcomer needs. Everything else is `cargo xtask --help`.

CARGO ?= cargo
INPUT ?= {"name": "world"}

.PHONY: help demo page test fmt bench

help:
	@echo 'make demo         build, start everything in one process, run an example, serve until Ctrl-C'
	@echo 'make demo ONCE=1  the same, but end with the exit code of the example'
	@echo 'make page         build the web page, if npm is there and something changed'
	@echo 'make test         everything that this machine can test'
	@echo 'make fmt          format the sources'
	@echo 'make bench        measure, optimised'

demo: page
	$(CARGO) build --quiet --locked --package stroem-cli
	"$${CARGO_TARGET_DIR:-target}/debug/stroem" dev --path examples --demo hello --input '$(INPUT)' $(if $(ONCE),--once)

# Nothing but the page needs npm, so without it, or when it fails, everything else is built all the same.
page:
	@if ! command -v npm > /dev/null; then \
		echo 'npm is not there, so the program is built without its web page; the page says how to have it'; \
	elif [ -z "$$(find ui/src ui/public ui/index.html ui/package-lock.json docs/reference/openapi.json \
			-newer ui/dist/page/index.html -print -quit 2>&1)" ]; then \
		:; \
	else \
		echo 'building the web page'; \
		{ npm --prefix ui ci --silent --no-audit --no-fund && npm --prefix ui run --silent bundle > /dev/null; } \
			|| echo 'the web page cannot be built, so the program is built without it'; \
	fi

test:
	$(CARGO) xtask ci

fmt:
	$(CARGO) fmt --all

bench:
	$(CARGO) xtask bench

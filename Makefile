# The commands a newcomer needs. Everything else is `cargo xtask --help`.

CARGO ?= cargo
INPUT ?= {"name": "world"}

.PHONY: help demo test fmt bench

help:
	@echo 'make demo         build, start everything in one process, run an example, serve until Ctrl-C'
	@echo 'make demo ONCE=1  the same, but end with the exit code of the example'
	@echo 'make test         everything that this machine can test'
	@echo 'make fmt          format the sources'
	@echo 'make bench        measure, optimised'

demo:
	$(CARGO) build --quiet --locked --package stroem-cli
	"$${CARGO_TARGET_DIR:-target}/debug/stroem" dev --path examples --demo hello --input '$(INPUT)' $(if $(ONCE),--once)

test:
	$(CARGO) xtask ci

fmt:
	$(CARGO) fmt --all

bench:
	$(CARGO) xtask bench

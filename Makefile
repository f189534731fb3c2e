# `make` alone lists the targets; the text behind ## is what it lists.

.PHONY: help run test check

help: ## list the targets
	@sed -n 's/^\([a-z-]*\):.*## /\1\t/p' $(MAKEFILE_LIST) | expand -t 12

run: ## build and start the tracker; options in ARGS, as in: make run ARGS="-p 6969 -v"
	cargo run --release -- $(ARGS)

test: ## run all tests; those that need a program that is not installed say so
	cargo test

check: ## what .ci/run does: install what is missing (as root), format, lints, all tests
	.ci/run

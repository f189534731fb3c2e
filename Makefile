# `make` alone lists the targets; the text behind ## is what it lists.

VERSION := $(shell sed -n 's/^version = "\(.*\)"/\1/p' Cargo.toml | head -n 1)

# Cross-compiling has a target directory of its own: other flags would rebuild everything else.
CROSS := $(CURDIR)/target/cross
CARGO_HOME ?= $(HOME)/.cargo

WINDOWS := x86_64-pc-windows-gnu
LINUX := x86_64-unknown-linux-musl
PI64 := aarch64-unknown-linux-musl
PI32 := armv7-unknown-linux-gnueabihf

# Rust's own linker writes functions that are the same to the byte once, which spares 1 percent.
FOLDED := -C link-arg=--icf=all

# Functions are put into each other only where they are small: 70 KB less.
SMALL := -C llvm-args=-inline-threshold=35

# How many seconds `make soak` takes, about; fewer than 120 it cannot.
SECONDS ?= 600

# What `make fuzz` fuzzes, and for how long each. Without a sanitizer: the code is free of `unsafe`,
# so there is nothing for one to find, and without it there are five to ten times as many tries.
FUZZED := query head udp options tracker router_packet router_text
FUZZ_SECONDS ?= 900

# Trackers and load testers that `make bench` compares with. Not --locked: with the versions that
# they were released with, they do not compile any more.
AQUATIC := aquatic_udp aquatic_udp_load_test aquatic_http aquatic_http_load_test

.PHONY: help run test soak crowds bench aquatic fuzz check dist windows linux pi sums reproducible clean
.PHONY: needs-known needs-fuzz needs-windows needs-linux needs-pi64 needs-pi32

help: ## list the targets
	@sed -n 's/^\([a-z-]*\):.*## /\1\t/p' $(MAKEFILE_LIST) | expand -t 16

run: ## build and start the tracker; options in ARGS, as in: make run ARGS="-p 6969 -v"
	cargo run --release -- $(ARGS)

test: ## run all tests; those that need a program that is not installed say so
	cargo test

soak: linux ## good and hostile load, then a table (as root); make soak SECONDS=180 (120 at least)
	MAYFLY_SOAK_SECONDS=$(SECONDS) \
	MAYFLY_SOAK_EXECUTABLE=$(CURDIR)/dist/mayfly-$(VERSION)-linux-x86_64 \
	cargo test --release --test tests soak::in_full -- --exact --ignored --nocapture

crowds: linux ## honest clients in crowds of others, in 3 minutes: a table, and a verdict (as root)
	MAYFLY_SOAK_EXECUTABLE=$(CURDIR)/dist/mayfly-$(VERSION)-linux-x86_64 \
	cargo test --release --test tests soak::crowds::in_full -- --exact --ignored --nocapture

bench: ## mayfly against others on the same load; a section alone: make bench ARGS=udp
	cargo bench --bench bench -- $(ARGS)

aquatic: ## compile from crates.io, into target/aquatic, what make bench takes of aquatic
	cargo install --root $(CURDIR)/target/aquatic $(AQUATIC:%=%@0.9.0)

fuzz: needs-known needs-fuzz ## fuzz what reads bytes, FUZZ_SECONDS (900) each; alone: make fuzz ARGS=query
	@for target in $(or $(ARGS),$(FUZZED)); do \
		echo "fuzzing $$target for $(FUZZ_SECONDS) seconds"; \
		mkdir -p tests/fuzz/corpus/$$target; \
		RUSTC_BOOTSTRAP=1 cargo fuzz run --fuzz-dir tests/fuzz --sanitizer none $$target \
			tests/fuzz/corpus/$$target tests/fuzz/seeds/$$target -- \
			-max_total_time=$(FUZZ_SECONDS) -max_len=16384 -print_final_stats=1 || exit 1; \
	done

check: ## what .ci/run does: install what is missing (as root), format, lints, all tests
	.ci/run

dist: needs-windows needs-linux needs-pi64 needs-pi32 ## all executables and their sums, in dist/
	@$(MAKE) --no-print-directory windows linux pi
	@$(MAKE) --no-print-directory sums

windows: needs-windows ## dist/mayfly-VERSION-windows-x86_64.exe
	@mkdir -p dist $(CROSS)
	@printf '$(subst $(newline),\n,$(RESOURCE))' > $(CROSS)/mayfly.rc
	x86_64-w64-mingw32-windres $(CROSS)/mayfly.rc $(CROSS)/mayfly-rc.o
	$(call build,$(WINDOWS),-C link-arg=$(CROSS)/mayfly-rc.o -C link-arg=-Wl$(comma)--no-insert-timestamp)
	cp $(CROSS)/$(WINDOWS)/release/mayfly.exe dist/mayfly-$(VERSION)-windows-x86_64.exe

linux: needs-linux ## dist/mayfly-VERSION-linux-x86_64
	@mkdir -p dist
	CARGO_TARGET_X86_64_UNKNOWN_LINUX_MUSL_LINKER=rust-lld \
	$(call build,$(LINUX),-C link-arg=-z -C link-arg=pack-relative-relocs $(FOLDED))
	cp $(CROSS)/$(LINUX)/release/mayfly dist/mayfly-$(VERSION)-linux-x86_64

pi: needs-pi64 needs-pi32 ## dist/mayfly-VERSION-linux-aarch64 and -armv7, for the Raspberry Pi
	@mkdir -p dist
	CARGO_TARGET_AARCH64_UNKNOWN_LINUX_MUSL_LINKER=rust-lld \
	$(call build,$(PI64),$(FOLDED))
	cp $(CROSS)/$(PI64)/release/mayfly dist/mayfly-$(VERSION)-linux-aarch64
	CARGO_TARGET_ARMV7_UNKNOWN_LINUX_GNUEABIHF_LINKER=arm-linux-gnueabihf-gcc \
	$(call build,$(PI32),-C target-feature=+crt-static)
	cp $(CROSS)/$(PI32)/release/mayfly dist/mayfly-$(VERSION)-linux-armv7

sums:
	cd dist && sha256sum mayfly-$(VERSION)-* > SHA256SUMS && cat SHA256SUMS

reproducible: ## build everything twice, in two places, and compare
	rm -rf target/twice && mkdir -p target/twice
	git clone -q . target/twice/one && git clone -q . target/twice/other
	$(MAKE) -C target/twice/one dist
	$(MAKE) -C target/twice/other dist
	diff target/twice/one/dist/SHA256SUMS target/twice/other/dist/SHA256SUMS
	@echo 'the same, byte for byte'

clean: ## remove what was built
	cargo clean
	rm -rf dist tests/fuzz/target

# $(call build,TARGET,FLAGS): a release build whose bytes do not depend on where it was built.
build = CARGO_TARGET_DIR=$(CROSS) RUSTFLAGS="$(2) $(SMALL) \
	--remap-path-prefix=$(CURDIR)=/mayfly --remap-path-prefix=$(CARGO_HOME)=/cargo" \
	cargo build --locked --release --target $(1)

# $(call target,TARGET) and $(call program,PROGRAM,PACKAGES): fail with what is missing and how to
# get it, in a line.
target = @test -d "$$(rustc --print target-libdir --target $(1))" || \
	{ echo 'missing: the Rust target $(1) (rustup target add $(1))'; exit 1; }
program = @command -v $(1) > /dev/null || \
	{ echo 'missing: $(1) (apt-get install $(2))'; exit 1; }

needs-known:
	@$(if $(filter-out $(FUZZED),$(ARGS)),echo 'make fuzz ARGS=$(ARGS): the targets are $(FUZZED)'; exit 1)

# cargo-fuzz wants options of the nightly Rust; RUSTC_BOOTSTRAP has them of any other, too.
needs-fuzz:
	@command -v cargo-fuzz > /dev/null || \
		{ echo 'missing: cargo-fuzz (cargo install cargo-fuzz)'; exit 1; }

needs-windows:
	$(call target,$(WINDOWS))
	$(call program,x86_64-w64-mingw32-gcc,gcc-mingw-w64-x86-64)
	$(call program,x86_64-w64-mingw32-windres,binutils-mingw-w64-x86-64)

needs-linux:
	$(call target,$(LINUX))

needs-pi64:
	$(call target,$(PI64))

needs-pi32:
	$(call target,$(PI32))
	$(call program,arm-linux-gnueabihf-gcc,gcc-arm-linux-gnueabihf libc6-dev-armhf-cross)

comma := ,
define newline


endef

# What Windows shows as the properties of the executable.
define RESOURCE
1 VERSIONINFO
FILEVERSION $(subst .,$(comma),$(VERSION)),0
PRODUCTVERSION $(subst .,$(comma),$(VERSION)),0
BEGIN
  BLOCK "StringFileInfo"
  BEGIN
    BLOCK "040904b0"
    BEGIN
      VALUE "FileDescription", "mayfly, a BitTorrent tracker"
      VALUE "FileVersion", "$(VERSION)"
      VALUE "InternalName", "mayfly"
      VALUE "LegalCopyright", "MIT OR Apache-2.0"
      VALUE "OriginalFilename", "mayfly.exe"
      VALUE "ProductName", "mayfly"
      VALUE "ProductVersion", "$(VERSION)"
    END
  END
  BLOCK "VarFileInfo"
  BEGIN
    VALUE "Translation", 0x409, 1200
  END
END
endef

# Everything kmosaic needs while it is worked on. It takes python3 (3.11 or later), make, a C++20 compiler (GCC or
# Clang) and the package index; cmake and ninja come from the index where they are missing.
#
#   make PYTHON=python3.13 test     another Python
#   make VENV=../venv demo         another place for the virtual environment

PYTHON ?= python3
VENV ?= .venv
DEMO ?= demo
# How many processes run the tests; they are short, and most of them use threads of their own.
TEST_JOBS ?= 2

BIN := $(VENV)/bin
PIP := $(BIN)/python -m pip --disable-pip-version-check
STAMPS := $(VENV)/stamps
SOURCES := pyproject.toml CMakeLists.txt README.md LICENSE \
    $(shell find src cpp -type f ! -name '_core*' ! -name '*.pyc' ! -path 'cpp/tests/*')
CPP_FILES = $(shell find cpp -name '*.cpp' -o -name '*.hpp')
SANITIZE_BUILD := build/sanitize
# The processors whose emulation runs the tests, and the instruction set each must choose. Haswell has no AVX-512, and
# Opteron_G1 nothing beyond SSE3, less than any machine of 2010.
CPUS_aarch64 ?= max:neonmm cortex-a76:neondot cortex-a72:neon
CPUS_x86_64 ?= Haswell:avx2 Opteron_G1:sse2
# Those of the environment, where it has them.
CMAKE = $(shell command -v cmake || echo $(BIN)/cmake)
CTEST = $(shell command -v ctest || echo $(BIN)/ctest)

.PHONY: help demo install test test-sklearn check docs bench bench-quick fuzz sanitize cross cross-aarch64 cross-x86_64 \
    wheels test-wheels test-wheels-emulated clean
.DEFAULT_GOAL := help

help: ## this list
	@grep -hE '^[a-z-]+:.*##' $(MAKEFILE_LIST) | sed -E 's/^([a-z-]+):[^#]*## /  make \1\t/' | expand -t 20

demo: $(STAMPS)/installed ## build, fit the embedded digits and a photo, write reports, pictures and the lesson into demo/
	@mkdir -p $(DEMO)
	@$(BIN)/kmosaic sweep digits --clusters 10,16,36,64,144 --seeds 3 --json $(DEMO)/sweep.json \
	    --csv $(DEMO)/sweep.csv --report $(DEMO)/report.html --pictures $(DEMO)/sweep --force
	@echo
	@$(BIN)/kmosaic fit digits --clusters 36 -o $(DEMO)/digits.kmosaic --labels $(DEMO)/labels.csv \
	    --report $(DEMO)/fit.html --pictures $(DEMO)/fit --force
	@echo
	@$(BIN)/kmosaic show $(DEMO)/digits.kmosaic -o $(DEMO)/centroids.png --force
	@echo
	@$(BIN)/kmosaic explain -o $(DEMO)/lesson.html --force
	@echo
	@$(BIN)/kmosaic quantize "$$($(BIN)/python -c 'import sklearn.datasets as d; print(d.__path__[0])')/images/china.jpg" \
	    --colors 16 -o $(DEMO)/china.png --report $(DEMO)/colours.html --palette-out $(DEMO)/china.gpl --force
	@echo
	@echo "The centroids of 36 clusters, the fit and the sweep to look into, the lesson, and a photo in 16 colours:"
	@echo "$(abspath $(DEMO))/centroids.png"
	@echo "$(abspath $(DEMO))/fit.html"
	@echo "$(abspath $(DEMO))/lesson.html"
	@echo "$(abspath $(DEMO))/report.html"
	@echo "$(abspath $(DEMO))/colours.html"

# WHEELS names some of them, such as WHEELS='linux-x86_64 --python 3.12'. zig is the compiler for all of them.
wheels: $(STAMPS)/wheels ## wheels of every system, into dist/ (half an hour; CPython 3.11 and 3.12 with headers)
	@$(BIN)/python -m wheels.build $(WHEELS)

test-wheels: $(STAMPS)/wheels ## check dist/: tags, symbols, sizes, and this system's in a new environment
	@$(BIN)/python -m wheels.check dist/*.whl
	@$(BIN)/python -m wheels.first_minute dist/*.whl

# What has no machine here runs in emulation: qemu-aarch64 and wine.
test-wheels-emulated: $(STAMPS)/wheels ## the C++ tests as zig compiles them for Arm and Windows, in qemu and wine
	@$(BIN)/python -m wheels.run_tests linux-aarch64 windows-x86_64

install: $(STAMPS)/installed ## build kmosaic and install it into the virtual environment

# The installed package, not src/: only there is the compiled core.
test: $(STAMPS)/test ## the whole test suite, and the examples in the documentation
	$(BIN)/python -m pytest -n $(TEST_JOBS) --dist worksteal --doctest-modules tests --pyargs kmosaic

# Not with this project's settings of pytest.
test-sklearn: $(STAMPS)/test ## scikit-learn's own tests of k-means, with kmosaic.patch_sklearn() (a minute)
	cd / && SKLEARN_RUN_FLOAT32_TESTS=1 "$(abspath $(BIN))/python" -m pytest -q -c /dev/null -p no:cacheprovider \
	    -p kmosaic.accelerate.pytest_plugin --pyargs \
	    sklearn.cluster.tests.test_k_means sklearn.cluster.tests.test_bisect_k_means

# The native module's types, which mypy reads, are generated when it is built.
check: $(STAMPS)/check $(STAMPS)/installed ## formatting, lint (Python and the pages' scripts), types, layers
	$(BIN)/ruff check .
	$(BIN)/ruff format --check .
	$(BIN)/biome ci --colors=off
	@cp "$$($(BIN)/python -c 'import kmosaic, pathlib; print(pathlib.Path(kmosaic.__file__).parent)')/_core.pyi" src/kmosaic/
	$(BIN)/mypy
	PYTHONPATH=src $(BIN)/lint-imports
	$(BIN)/python cpp/check_layers.py
	$(BIN)/clang-format --dry-run -Werror $(CPP_FILES)

docs: $(STAMPS)/docs ## the documentation site, into site/
	@NO_MKDOCS_2_WARNING=1 $(BIN)/mkdocs build --strict --quiet
	@echo "$(abspath site)/index.html"

# BENCH passes options on, such as BENCH='--only mnist-256 --rounds 5'; an interrupted run goes on with
# BENCH='--resume build/bench/runs.json'.
bench: $(STAMPS)/bench ## time, memory and inertia beside other libraries (half an hour)
	@mkdir -p build/bench
	@$(BIN)/python -m benchmarks --json build/bench/runs.json --plots build/bench $(BENCH)

bench-quick: $(STAMPS)/bench ## the same with less of everything, and ten shapes drawn at random (five minutes)
	@$(BIN)/python -m benchmarks --quick $(BENCH)
	@$(BIN)/python -m benchmarks.shapes --count 10 --rounds 1

# FUZZ passes options on, such as FUZZ='--seed 123 --seconds 60' or FUZZ='--only fits'.
fuzz: $(STAMPS)/test $(STAMPS)/cmake ## random fits, damaged files and libFuzzer against exact arithmetic (two minutes)
	@PATH="$(abspath $(BIN)):$$PATH" $(BIN)/python -m fuzz $(FUZZ)

sanitize: $(STAMPS)/cmake ## the kernels' tests under AddressSanitizer and UndefinedBehaviourSanitizer
	@$(CMAKE) -S cpp/tests -B $(SANITIZE_BUILD) -DKMOSAIC_SANITIZE=ON -DKMOSAIC_WARNINGS_AS_ERRORS=ON
	@$(CMAKE) --build $(SANITIZE_BUILD) --parallel
	$(CTEST) --test-dir $(SANITIZE_BUILD) --output-on-failure --no-tests=error --parallel $(TEST_JOBS)

cross: cross-aarch64 cross-x86_64 ## the kernels' tests on emulated processors: Arm, and x86 without AVX-512 or AVX

# KMOSAIC_BEST: what test_dispatch must find chosen.
cross-aarch64 cross-x86_64: cross-%: $(STAMPS)/cmake
	@for tool in $*-linux-gnu-g++ qemu-$*; do command -v $$tool > /dev/null || { echo >&2 \
	    "make $@ needs $$tool; on Debian: apt install g++-$(subst _,-,$*)-linux-gnu qemu-user"; exit 1; }; done
	@$(CMAKE) -S cpp/tests -B build/$@ -DCMAKE_TOOLCHAIN_FILE=$(CURDIR)/cpp/tests/$*.cmake
	@$(CMAKE) --build build/$@ --parallel
	@set -e; for cpu in $(CPUS_$*); do echo "On $${cpu%:*}, which must choose $${cpu#*:}"; \
	    QEMU_CPU=$${cpu%:*} KMOSAIC_BEST=$${cpu#*:} \
	    $(CTEST) --test-dir build/$@ --output-on-failure --no-tests=error --parallel $(TEST_JOBS); done

clean: ## remove everything made here, the virtual environment too
	@rm -rf $(VENV) $(DEMO) build dist site .mypy_cache .pytest_cache .ruff_cache .import_linter_cache .hypothesis
	@rm -f src/kmosaic/_core*
	@find src tests benchmarks -name __pycache__ -type d -prune -exec rm -rf {} +

$(STAMPS)/venv:
	@$(PYTHON) -c 'import sys; sys.exit(sys.version_info < (3, 11) and "kmosaic needs Python 3.11 or later: make PYTHON=python3.12 ...")'
	@$(PYTHON) -m venv $(VENV)
	@mkdir -p $(STAMPS)
	@touch $@

$(STAMPS)/installed: $(STAMPS)/venv $(SOURCES)
	@echo "Building kmosaic; the first time takes a few minutes"
	@$(PIP) install --quiet ".[pictures]"
	@touch $@

$(STAMPS)/test: $(STAMPS)/installed
	@$(PIP) install --quiet ".[test,browser]"
	@touch $@

# What these need changes only with pyproject.toml; none of them needs the package built.
$(STAMPS)/check $(STAMPS)/docs $(STAMPS)/bench $(STAMPS)/wheels: $(STAMPS)/%: $(STAMPS)/venv pyproject.toml
	@$(BIN)/python -c 'import sys, tomllib; extras = tomllib.load(open("pyproject.toml", "rb"))["project"]["optional-dependencies"]; print(*extras[sys.argv[1]], sep="\n")' $* > $@.txt
	@$(PIP) install --quiet -r $@.txt
	@touch $@

$(STAMPS)/bench: $(STAMPS)/installed

$(STAMPS)/cmake: $(STAMPS)/venv
	@command -v cmake > /dev/null || $(PIP) install --quiet cmake ninja
	@touch $@

# Sourced by the scripts beside it: goes to the root of the repository, and knows how to speak and where cargo-fuzz is.

set -euo pipefail
cd "$(dirname "${BASH_SOURCE[0]}")/.."
export CARGO_TERM_PROGRESS_WHEN=never

# A headline.
say() {
    printf '\n== %s\n' "$*"
}

fail() {
    printf '\nFAILED: %s\n' "$*" >&2
    exit 1
}

# Runs a command after printing it.
run() {
    printf '$ %s\n' "$*"
    "$@" </dev/null
}

# A scratch folder that goes away with the script; its path is in $scratch.
make_scratch() {
    scratch=$(mktemp -d)
    trap 'rm -rf "$scratch"' EXIT
}

# Says loudly that the script has not run, and for want of what.
skipped() {
    cat >&2 <<TEXT

**********************************************************************
**  SKIPPED: $(basename "$0") has not run.
**  It needs $1,
**  which is not there and could not be installed.
**********************************************************************

TEXT
}

# Whether fuzz targets can be built, after installing what can be installed: a nightly toolchain, cargo-fuzz. libFuzzer
# also needs a C++ compiler. With MOONPHASE_REQUIRE_FUZZ=1 it is a failure if they cannot.
have_cargo_fuzz() {
    local missing=
    if ! cargo +nightly --version >/dev/null 2>&1; then
        echo "no nightly toolchain: installing one"
        rustup toolchain install nightly --profile minimal </dev/null || missing="a nightly toolchain"
    fi
    if [[ -z $missing ]] && ! cargo fuzz --version >/dev/null 2>&1; then
        echo "no cargo-fuzz: installing it"
        cargo install cargo-fuzz --locked </dev/null || missing=cargo-fuzz
    fi
    if [[ -z $missing ]] && ! command -v "${CXX:-c++}" >/dev/null; then
        missing="a C++ compiler"
    fi
    [[ -z $missing ]] && return
    skipped "$missing"
    [[ ${MOONPHASE_REQUIRE_FUZZ:-0} != 1 ]] || fail "fuzz targets are required here"
    return 1
}

# A command of cargo-fuzz under the nightly toolchain. Comparisons are not traced: mutators that know what they mutate
# gain nothing from that, and it takes a third of the time.
cargo_fuzz() {
    local command=$1
    shift
    run cargo +nightly fuzz "$command" --no-trace-compares --codegen-units 4 "$@"
}

# AddressSanitizer without what takes half of its time: nothing here points to the locals of functions that have returned, and
# a few frames tell where an object was allocated.
export ASAN_OPTIONS=${ASAN_OPTIONS:+$ASAN_OPTIONS:}detect_stack_use_after_return=0:malloc_context_size=6

# libFuzzer's options for every run: a single input may take so long and so much.
fuzz_limits=(-timeout=30 -rss_limit_mb=3072 -print_final_stats=1)

# All options for one target: `fuzz_options TARGET` leaves them in $options. What makes texts has a dictionary; and where
# most inputs are new to coverage, weighing rare features would take a third of the time.
fuzz_options() {
    options=("${fuzz_limits[@]}")
    case $1 in
    parser) options+=(-dict=fuzz/dictionaries/lua.dict) ;;
    library) options+=(-dict=fuzz/dictionaries/lua.dict -entropic=0) ;;
    undump) options+=(-entropic=0) ;;
    esac
}

# The door to everything; each recipe is a plain command, so that none of this needs `just`.

default:
    @just --list

# Format, lint, document, test, model: what a change must pass.
ci:
    .ci/run

test:
    cargo test

# Each feature alone, all together, and none: `just features`, or `just features serde`.
features *names:
    .ci/features {{names}}

# Saves a million sessions, and loads them: `just warm-restart 100000 /tmp/sessions`.
warm-restart *args:
    cargo run --release --features serde --example warm_restart -- {{args}}

# Loom models, in three passes: `just models`, or one of `just models plain`, `rmw`, `real`.
models *passes:
    loom-tests/run.sh {{passes}}

# Weaken every memory ordering, one at a time, and see a model fail: `just orderings --sample 12`, `--only pile.rs`.
orderings *args:
    cd loom-tests && cargo run --bin orderings -- {{args}}

# Break each protocol on purpose and see its model fail.
mutants *name:
    loom-tests/mutants.sh {{name}}

# Random schedules of whole caches, and threads stopped after each of their steps.
schedules *args:
    cd shuttle-tests && cargo test --release {{args}}

# Break the crate on purpose and see the schedules find it.
schedules-planted *names:
    shuttle-tests/planted.sh {{names}}

# The checker's own tests; then real threads: `just histories-run --seconds 300 --seed 1`.
histories *args:
    cd histories && cargo test {{args}}

# Break the crate on purpose and see the histories find it.
histories-planted *names:
    histories/planted.sh {{names}}

histories-run *args:
    cd histories && cargo run --release -- {{args}}

# cargo-mutants over a copy of the tree; about an hour and a half.
mutation *args:
    .cargo/mutants.sh {{args}}

# Fuzz each target beside its naive twin, so many seconds.
fuzz seconds="60" *targets:
    fuzz/run.sh {{seconds}} {{targets}}

# Build the library for other targets: `just targets`, or `just targets s390x-unknown-linux-gnu`.
targets *names:
    .ci/targets {{names}}

# Interpret small tests with Miri, under several schedules and for other targets: `FLEETING_MIRI_SEEDS=64 just miri`.
miri:
    .ci/miri

# Address, leak and thread sanitizers.
sanitizers *names:
    .ci/sanitizers {{names}}

# Freeze threads at random instructions; peers beside.
freeze *args:
    cd trials && cargo run --release --bin freeze -- {{args}}

# Break the crate on purpose and see the freezer report it.
freeze-planted *names:
    trials/planted.sh {{names}}

# Half an hour of churn; `just soak --minutes 5`.
soak *args:
    cd trials && cargo run --release --bin soak -- {{args}}

# Stores for web frameworks: their own tests, conformance, real HTTP.
integrations *args:
    cd integrations && cargo test --workspace {{args}}

# Break the packages on purpose and see a test fail.
integrations-planted *names:
    integrations/planted.sh {{names}}

# The frameworks' own suites, over our stores.
framework-suites:
    integrations/framework-suites.sh

# Our session stores, those of others, and planted faults, case by case.
conformance:
    cd integrations && cargo run --release -p fleeting-session-conformance

# A web server over the store, with a page at http://127.0.0.1:3000: `just session-server --load 200`.
session-server *args:
    cargo run --release --manifest-path examples/session_server/Cargo.toml -- {{args}}

# Click through its page in headless Chromium.
browser-test:
    examples/session_server/browser-test.sh

replay *args:
    cargo run --release --example replay -- {{args}}

# One workload or command of the benches: `just bench storm --quick`; without arguments it tells what there is.
bench *args:
    cargo run --release -p fleeting-benches -- {{args}}

# All workloads with both allocators, into benches/results: `just bench-all`, or `just bench-all --quick`.
bench-all *args:
    benches/run.sh {{args}}

# What benches/results say: the table, losses first; and benches/plots.
bench-report:
    cargo run --release -p fleeting-benches -- table
    cargo run --release -p fleeting-benches -- plot

# Single paths of the crate, warm and alone, by criterion.
bench-paths *args:
    cargo bench -p fleeting-benches -- {{args}}

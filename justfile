# The door to everything; each recipe is a plain command, so that none of this needs `just`.

default:
    @just --list

# Format, lint, document, test, model: what a change must pass.
ci:
    .ci/run

test:
    cargo test

# Loom models, in three passes: `just models`, or one of `just models plain`, `rmw`, `real`.
models *passes:
    loom-tests/run.sh {{passes}}

# Break each protocol on purpose and see its model fail.
mutants *name:
    loom-tests/mutants.sh {{name}}

replay *args:
    cargo run --release --example replay -- {{args}}

bench *args:
    cargo run --release -p fleeting-benches -- {{args}}

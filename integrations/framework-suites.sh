#!/usr/bin/env bash
# Runs the frameworks' own suites over our stores: those of the sources that cargo has fetched, in a copy that is thrown away. That of
# tower-sessions is its tests' folder, and that of actix-session a module which only its own tests see, and which is opened here.
set -euo pipefail
cd "$(dirname "$0")"
here=$PWD
cargo fetch --quiet --locked
source_of() {
    cargo metadata --locked --format-version 1 | grep -o "\"manifest_path\":\"[^\"]*/$1-[0-9.]*/Cargo.toml\"" | cut -d '"' -f 4 | xargs dirname
}
tree=$(mktemp -d)
trap 'rm -rf "$tree"' EXIT

cp -r "$(source_of actix-session)" "$tree/actix-session"
rm -rf "$tree/actix-session/"{Cargo.lock,tests,examples}
sed -i '/^\[\[example\]\]/,/^$/d; /^\[\[test\]\]/,/^$/d' "$tree/actix-session/Cargo.toml"
sed -i -E '0,/^\[dependencies/s//[dependencies.actix-test]\nversion = "0.1"\n\n[dependencies/' "$tree/actix-session/Cargo.toml"
sed -i '/^#\[cfg(test)\]$/{N;/allow(missing_docs)/s/^#\[cfg(test)\]\n//}' "$tree/actix-session/src/lib.rs"

mkdir -p "$tree/suites/src" "$tree/suites/tests"
cp Cargo.lock "$tree/suites/"
tower=$(source_of tower-sessions)
cp -r "$tower/tests/common" "$tree/suites/tests/"
sed -E 's/^#\[cfg\(all\(test.*$//; s/use tower_sessions::\{MemoryStore, SessionManagerLayer\};/use fleeting_tower_sessions::FleetingStore as MemoryStore; use tower_sessions::SessionManagerLayer;/' \
    "$tower/tests/integration-tests.rs" >"$tree/suites/tests/tower_sessions.rs"
grep -q FleetingStore "$tree/suites/tests/tower_sessions.rs"
cat >"$tree/suites/Cargo.toml" <<MANIFEST
[package]
name = "framework-suites"
version = "0.0.0"
edition = "2024"

[dependencies]
fleeting-actix-session = { path = "$here/actix-session" }
fleeting-tower-sessions = { path = "$here/tower-sessions" }

[dev-dependencies]
actix-session = "0.11.0"
actix-web = { version = "4", default-features = false, features = ["macros"] }
axum = "0.8"
axum-core = "0.5"
http = "1"
http-body-util = "0.1"
time = "0.3"
tokio = { version = "1", features = ["macros", "rt-multi-thread"] }
tower = { version = "0.5", features = ["util"] }
tower-cookies = "0.11"
tower-sessions = "0.15"

[patch.crates-io]
actix-session = { path = "$tree/actix-session" }

[profile.dev]
debug = "line-tables-only"

[workspace]
MANIFEST
touch "$tree/suites/src/lib.rs"
cat >"$tree/suites/tests/actix_session.rs" <<'TEST'
use actix_session::test_helpers::acceptance_test_suite;
use fleeting_actix_session::FleetingSessionStore;

#[actix_web::test]
async fn acceptance() {
    let store = FleetingSessionStore::default();
    acceptance_test_suite(move || store.clone(), true).await;
}
TEST
cd "$tree/suites"
CARGO_TARGET_DIR="$here/target/suites" cargo test

#!/usr/bin/env bash
# Breaks the packages in several ways, one at a time and in a copy, and expects a test to fail. `planted.sh [NAME ...]`: only these.
# A break that changes nothing, or does not compile, is an error of this script. Prints `caught N of M`; fails unless all are.
set -euo pipefail
cd "$(dirname "$0")"
here=$PWD
cargo fetch --quiet --locked
tree=$(mktemp -d)
trap 'rm -rf "$tree"' EXIT
mkdir -p "$tree/main/integrations"
cp -r ../Cargo.toml ../README.md ../src "$tree/main/"
# The manifest of the workspace names members that are not copied, and tests.
sed -i '/^\[workspace\]/,$d' "$tree/main/Cargo.toml"
cp -r Cargo.toml Cargo.lock sessions tower-sessions actix-session conformance "$tree/main/integrations/"
export CARGO_TARGET_DIR="$here/target/planted"

# name | file | sed script
breaks=$(cat <<'BREAKS'
create-overwrites | sessions/src/lib.rs | s/Some\(_\) => Op::Keep,/Some(_) => Slot::put(\&session, lifetime),/
create-takes-deleted-keys | sessions/src/lib.rs | s/None => Slot::put\(&session, lifetime\),/None | Some(Slot::Deleted) => Slot::put(\&session, lifetime),/
update-revives | sessions/src/lib.rs | s/Some\(Slot::Deleted\) => \(Update::Deleted, Op::Keep\),/Some(Slot::Deleted) => (Update::Done, Slot::put(\&session, lifetime)),/
update-creates | sessions/src/lib.rs | s/^ +None => \(Update::Absent, Op::Keep\),/None => (Update::Done, Slot::put(\&session, lifetime)),/
update-keeps-expiry | sessions/src/lib.rs | s/Some\(Slot::Live\(..\)\) => \(Update::Done, Slot::put\(&session, lifetime\)\),/Some(Slot::Live(..)) => (Update::Done, Op::Put(Slot::Live(session.clone(), lifetime))),/
extend-does-nothing | sessions/src/lib.rs | s/Some\(Slot::Live\(session, _\)\) => \(Update::Done, Slot::put\(session, lifetime\)\),/Some(Slot::Live(..)) => (Update::Done, Op::Keep),/
extend-keeps-old-lifetime | sessions/src/lib.rs | s/Some\(Slot::Live\(session, _\)\) => \(Update::Done, Slot::put\(session, lifetime\)\),/Some(Slot::Live(session, old)) => (Update::Done, match lifetime { Lifetime::For(ttl) => Op::PutWithTtl(Slot::Live(session.clone(), *old), ttl), Lifetime::Until(at) => Op::PutWithExpiry(Slot::Live(session.clone(), *old), at) }),/
delete-leaves-no-tombstone | sessions/src/lib.rs | s/if f\(session\) => Some\(self.tombstone\(\*lifetime\)\)/if f(session) => { let _ = lifetime; Some(Op::Remove) }/
delete-does-nothing | sessions/src/lib.rs | s/Some\(Slot::Live\(session, lifetime\)\) if f\(session\)/Some(Slot::Live(session, lifetime)) if f(session) \&\& false/
bar-does-not-bar | sessions/src/lib.rs | s/None => Some\(Op::PutWithTtl\(Slot::Deleted, absent\)\),/None => { let _ = absent; None }/
tombstone-stays-for-ever | sessions/src/lib.rs | s/if self.is_within_tombstone_time\(expiry\)/if self.is_within_tombstone_time(expiry) || true/
tombstone-outlives-session | sessions/src/lib.rs | s/if self.is_within_tombstone_time\(expiry\)/if self.is_within_tombstone_time(expiry) \&\& false/
tombstone-ignores-ttl | sessions/src/lib.rs | s/ttl.min\(self.tombstone_time\)/ttl.max(self.tombstone_time)/
tombstone-by-system-clock | sessions/src/lib.rs | s/self.clock.as_ref\(\).map_or_else/None::<Arc<dyn Clock>>.as_ref().map_or_else/
tombstones-not-counted | sessions/src/counts.rs | s/tombstones.fetch_add\(1,/tombstones.fetch_add(0,/
tombstones-counted-for-ever | sessions/src/counts.rs | s/tombstones.fetch_sub\(1,/tombstones.fetch_sub(0,/
tombstones-counted-twice | sessions/src/lib.rs | s/if is_buried && matches!\(outcome, Outcome::Inserted \| Outcome::Replaced\)/let _ = Outcome::Kept == outcome; if is_buried/
refusals-not-counted | sessions/src/lib.rs | s/add\(&self.counts.refused, 1\)/add(\&self.counts.refused, 0)/
delete-where-looks-once | sessions/src/lib.rs | s/self.delete_if\(key.clone\(\), \|session\| f\(&key, session\)\)/self.delete(key.clone())/
dates-in-seconds | tower-sessions/src/lib.rs | s/date - OffsetDateTime::UNIX_EPOCH/time::Duration::seconds((date - OffsetDateTime::UNIX_EPOCH).whole_seconds())/
no-other-id | tower-sessions/src/store.rs | s/if self.sessions.create\(record.id, kept, lifetime\)/if self.sessions.create(record.id, kept, lifetime) || true/
store-upserts | tower-sessions/src/store.rs | s/self.sessions.update\(record.id/self.sessions.put_unless_deleted(record.id/
store-delete-expired-idle | tower-sessions/src/store.rs | s/self.sessions.sweep\(\);//
cache-gives-other-ids | tower-sessions/src/cache.rs | s/self.sessions.put\(record.id, kept, lifetime\);/while !self.sessions.create(record.id, kept.clone(), lifetime) { record.id = Id::default(); }/
cache-yields-to-tombstones | tower-sessions/src/cache.rs | s/self.sessions.put\(record.id/self.sessions.put_unless_deleted(record.id/
cache-takes-in-deleted | tower-sessions/src/cache.rs | s/self.sessions.put_unless_deleted\(record.id/self.sessions.put(record.id/
cache-does-not-bar | tower-sessions/src/cache.rs | s/self.sessions.delete_or_bar\(\*id, self.time_on_the_way\)/self.sessions.delete(*id)/
cache-bars-too-long | tower-sessions/src/cache.rs | s/self.time_on_the_way = time;/let _ = time;/
actix-dead-key | actix-session/src/store.rs | s/Update::Deleted => .*$/Update::Deleted => Ok(session_key),/
actix-revives-elsewhere | actix-session/src/store.rs | s/Update::Deleted => .*$/Update::Deleted => self.create(state, ttl, SessionId::random).map_err(UpdateError::Other),/
actix-loses-updates | actix-session/src/store.rs | s/Update::Absent => self.create.*$/Update::Absent => Ok(SessionId::random().expect("bytes").text()),/
actix-ttl-idle | actix-session/src/store.rs | s/self.sessions.extend\(key, lifetime\(ttl\)\);/let _ = (key, ttl);/
actix-negative-ttl | actix-session/src/store.rs | s/\(\*ttl\).try_into\(\).unwrap_or_default\(\)/ttl.unsigned_abs()/
actix-key-repeats | actix-session/src/store.rs | s/if self.sessions.create\(key, state.clone\(\), lifetime\(ttl\)\)/if self.sessions.create(key, state.clone(), lifetime(ttl)) || true/
actix-short-keys | actix-session/src/session_id.rs | s/getrandom::fill\(&mut bytes\)/getrandom::fill(\&mut bytes[..16])/
actix-loose-keys | actix-session/src/session_id.rs | s/b'a'..=b'f'/b'a'..=b'g'/
tombstones-unbounded | sessions/src/lib.rs | s/self.graves.len\(\) > self.max_tombstones/self.graves.len() > usize::MAX/
tombstones-newest-forgotten | sessions/src/lib.rs | s/self.graves.push\(key\);/if self.graves.len() < self.max_tombstones { self.graves.push(key) } else { self.cache.remove(\&key); }/
dead-loads-are-hits | sessions/src/lib.rs | s/add\(&self.counts.dead_loads, 1\)/add(\&self.counts.dead_loads, 0)/
logouts-are-replacements | sessions/src/counts.rs | s/stats.removed = \(stats.removed \+ took_place\)/stats.removed = (stats.removed + 0 * took_place)/
snapshot-revives-deleted | sessions/src/snapshot.rs | s/Some\(Slot::Live\(..\)\) \| None => Some\(Op::PutWithTtl\(Slot::Deleted, left\)\)/Some(Slot::Live(..)) | None => { let _ = left; None }/
snapshot-yields-to-live | sessions/src/snapshot.rs | s/Some\(Slot::Deleted\) => None,/Some(_) => None,/
snapshot-any-age | sessions/src/snapshot.rs | s/snapshot = snapshot.max_age\(max_age\)/snapshot = snapshot.max_age(max_age * 1000)/
tower-stale-saves | tower-sessions/src/store.rs | s/is_empty \|\| loaded.is_current\(stored\)/is_empty || loaded.is_current(stored) || true/
tower-second-save-is-stale | tower-sessions/src/version.rs | s/\[self.seen, self.own\].contains/[self.seen].contains/
tower-reads-make-stale | tower-sessions/src/store.rs | s/if version::is_same_data\(record, stored\)/if version::is_same_data(record, stored) \&\& false/
actix-stale-updates | actix-session/src/store.rs | s/state.is_empty\(\) \|\| loaded.is_current\(stored\)/state.is_empty() || loaded.is_current(stored) || true/
BREAKS
)

caught=0
all=0
while IFS= read -r line; do
    name=${line%% | *}
    rest=${line#* | }
    file=${rest%% | *}
    script=${rest#* | }
    if [ $# -gt 0 ] && [[ " $* " != *" $name "* ]]; then
        continue
    fi
    all=$((all + 1))
    sed -E "$script" "$file" >"$tree/main/integrations/$file"
    result=MISSED
    cd "$tree/main/integrations"
    if cmp -s "$file" "$here/$file"; then
        result="changes nothing"
    elif ! RUSTFLAGS="--cap-lints allow" cargo test --workspace --all-features --offline --lib --tests --no-run >"$tree/log" 2>&1; then
        result="does not compile: $(grep -m 1 '^error' "$tree/log")"
    elif ! RUSTFLAGS="--cap-lints allow" timeout 300 cargo test --workspace --all-features --offline --lib --tests -- --skip ten_thousand >"$tree/log" 2>&1; then
        result="caught by $(grep -m 1 -E '^test .* FAILED$' "$tree/log" | cut -d ' ' -f 2)"
        caught=$((caught + 1))
    fi
    cd "$here"
    cp "$file" "$tree/main/integrations/$file"
    echo "$name: $result"
done <<<"$breaks"
echo "caught $caught of $all"
[ "$caught" -eq "$all" ]

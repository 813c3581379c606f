//! A session store under test: its operations, drawn by the schedule, and the invariants that an execution ends with.

use std::collections::BTreeMap;
use std::time::Duration;

use fleeting::{MemStore, MemStoreBuilder, SessionData};
use shuttle::rand::RngCore;
use shuttle::thread::{self, JoinHandle};

use crate::clock::{StepClock, ticks};
use crate::ignore;
use crate::ledger::Ledger;

/// An operation on a store; which token, and how long it is to live, the schedule says.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
#[expect(missing_docs, reason = "named as the methods are")]
pub enum Kind {
    Save,
    SaveFor,
    Create,
    Update,
    CompareAndSave,
    Touch,
    Rename,
    Delete,
    Take,
    Find,
    FindWithExpiry,
    Read,
    All,
    DeleteWhere,
    Clear,
    Sweep,
    Advance,
}

/// All of them.
pub const ALL: &[Kind] = &[
    Kind::Save,
    Kind::SaveFor,
    Kind::Create,
    Kind::Update,
    Kind::CompareAndSave,
    Kind::Touch,
    Kind::Rename,
    Kind::Delete,
    Kind::Take,
    Kind::Find,
    Kind::FindWithExpiry,
    Kind::Read,
    Kind::All,
    Kind::DeleteWhere,
    Kind::Clear,
    Kind::Sweep,
    Kind::Advance,
];

/// All but those that copy data, so that the fate of each can be told.
pub const WITHOUT_COPIES: &[Kind] = &[
    Kind::Save,
    Kind::SaveFor,
    Kind::Create,
    Kind::Update,
    Kind::CompareAndSave,
    Kind::Touch,
    Kind::Delete,
    Kind::Take,
    Kind::Find,
    Kind::DeleteWhere,
    Kind::Clear,
    Kind::Sweep,
    Kind::Advance,
];

/// A store, its clock, and the fates of its data. Clones are handles to one.
#[derive(Clone, Debug)]
pub struct World {
    /// The store.
    pub store: MemStore,
    /// Its clock.
    pub clock: StepClock,
    /// Its data, by number.
    pub ledger: Ledger,
}

impl Default for World {
    fn default() -> Self {
        World::with(|builder| builder)
    }
}

impl World {
    /// A store as `configure` says, without a janitor unless that says otherwise; every removal is reported to the ledger.
    pub fn with(configure: impl FnOnce(MemStoreBuilder) -> MemStoreBuilder) -> World {
        let (clock, ledger) = (StepClock::default(), Ledger::default());
        let reports = ledger.clone();
        let builder = MemStore::builder().cleanup_interval(Duration::ZERO).clock(clock.clone());
        let builder = builder.on_removal(move |token, data, _| {
            assert_eq!(token.len(), 3, "a callback got a token that nobody made");
            reports.reported(number(data));
        });
        let store = configure(builder).build().expect("a plain configuration is accepted");
        World { store, clock, ledger }
    }

    /// New data, and its number.
    fn data(&self) -> ([u8; 4], u32) {
        let number = self.ledger.number();
        (number.to_le_bytes(), number)
    }

    /// What became of a save that lives from `before` on for `ttl`.
    fn saved(&self, number: u32, before: Duration, ttl: Duration, is_saved: bool) -> bool {
        if !is_saved {
            self.ledger.withheld(number);
        } else if self.clock.now() < before + ttl {
            self.ledger.published(number);
        }
        is_saved
    }

    /// Saves new data by `save`, which is told the expiry; whether it did.
    fn save_by(&self, ttl: Duration, save: impl FnOnce(&[u8], std::time::SystemTime) -> bool) -> bool {
        let ((data, number), before) = (self.data(), self.clock.now());
        let is_saved = save(&data, self.clock.wall(before + ttl));
        self.saved(number, before, ttl, is_saved)
    }

    /// Saves new data.
    pub fn save(&self, token: u8, ttl: Duration) {
        self.save_by(ttl, |data, expiry| {
            self.store.save(name(token), data, expiry);
            true
        });
    }

    /// Saves new data if the token is free.
    pub fn create(&self, token: u8, ttl: Duration) -> bool {
        self.save_by(ttl, |data, expiry| self.store.create(name(token), data, expiry).is_ok())
    }

    /// Saves new data if the session is live.
    pub fn update(&self, token: u8, ttl: Duration) -> bool {
        self.save_by(ttl, |data, expiry| self.store.update(name(token), data, expiry))
    }

    /// Looks a session up, and saves new data unless somebody else does in between.
    pub fn compare_and_save(&self, token: u8, ttl: Duration) -> bool {
        let Some((_, version)) = self.store.find_versioned(name(token)) else { return false };
        self.save_by(ttl, |data, expiry| self.store.compare_and_save(name(token), version, data, expiry).is_ok())
    }

    /// Gives a session another token.
    pub fn rename(&self, old: u8, new: u8, ttl: Duration) -> bool {
        // The data is copied, whatever comes of it; a second time if another session came in its place.
        self.ledger.copied();
        self.store.rename(name(old), name(new), self.clock.wall(self.clock.now() + ttl))
    }

    /// One operation; `draw` says on which of the tokens, and the rest.
    pub fn run(&self, kind: Kind, tokens: u8, draw: u64) {
        let token = (draw % u64::from(tokens)) as u8;
        let ttl = TTLS[(draw >> 8) as usize % TTLS.len()];
        let store = &self.store;
        match kind {
            Kind::Save => self.save(token, ttl),
            Kind::SaveFor => {
                let ((data, number), before) = (self.data(), self.clock.now());
                store.save_for(name(token), data, ttl);
                self.saved(number, before, ttl, true);
            }
            Kind::Create => ignore(self.create(token, ttl)),
            Kind::Update => ignore(self.update(token, ttl)),
            Kind::CompareAndSave => ignore(self.compare_and_save(token, ttl)),
            Kind::Touch => ignore(store.touch(name(token), self.clock.wall(self.clock.now() + ttl))),
            Kind::Rename => ignore(self.rename(token, (token + 1) % tokens, ttl)),
            Kind::Delete => ignore(store.delete(name(token))),
            Kind::Take => ignore(store.take(name(token)).map(|data| number(&data))),
            Kind::Find => {
                if let Some(data) = store.find(name(token)) {
                    let before = number(&data);
                    thread::yield_now();
                    // The handle outlives whatever becomes of the session.
                    assert_eq!(number(&data.clone()), before);
                }
            }
            Kind::FindWithExpiry => {
                let before = self.clock.wall(self.clock.now());
                let found = store.find_with_expiry(name(token));
                assert!(found.is_none_or(|(_, expiry)| expiry > before), "found at or after its expiry");
            }
            Kind::Read => ignore(store.read(name(token), number)),
            Kind::All => ignore(store.all().into_iter().map(|(_, data)| number(&data)).max()),
            Kind::DeleteWhere => ignore(store.delete_where(|_, data| number(data).is_multiple_of(2))),
            Kind::Clear => store.clear(),
            Kind::Sweep => ignore(store.sweep()),
            Kind::Advance => self.clock.advance(ticks(1 + draw % 2)),
        }
    }

    /// A thread that does so many operations of these kinds.
    pub fn spawn(&self, kinds: &'static [Kind], tokens: u8, operations: usize) -> JoinHandle<()> {
        let world = self.clone();
        thread::spawn(move || {
            for _ in 0..operations {
                let draw = shuttle::rand::thread_rng().next_u64();
                world.run(kinds[(draw >> 32) as usize % kinds.len()], tokens, draw);
            }
        })
    }

    /// The end of an execution, when nothing else runs: see `caches::World::finish`.
    pub fn finish(self) {
        let left = self.assert_sound();
        self.assert_leaves_in_time(left.keys().cloned());
        let left: Vec<u32> = self.assert_sound().values().map(|data| number(data)).collect();
        self.ledger.assert_settled(left);
    }

    /// Sweeps, and compares every way to count what is there.
    fn assert_sound(&self) -> BTreeMap<Vec<u8>, SessionData> {
        let store = &self.store;
        store.sweep();
        let mut found = BTreeMap::new();
        for (token, data) in store.iter() {
            assert!(found.insert(token.to_vec(), data).is_none(), "iteration saw {token:?} twice");
        }
        let stats = store.stats();
        assert_eq!(store.len(), found.len(), "after a sweep, len counts what iteration sees");
        assert_eq!(
            stats.inserts,
            stats.removed + stats.expired + stats.entries,
            "what came left, or is there: {stats:?}"
        );
        assert_eq!(stats.contained_panics, 0, "a callback of the scenario's panicked");
        for (token, data) in &found {
            let is_same = store.read(token, |bytes| bytes == &**data);
            assert_eq!(is_same, Some(true), "iteration and look-up disagree about {token:?}");
        }
        assert_eq!(store.sweep(), 0, "a second sweep at the same moment finds nothing");
        found
    }

    /// At each expiry, in turn, a sweep removes exactly what is due then.
    fn assert_leaves_in_time(&self, tokens: impl Iterator<Item = Vec<u8>>) {
        let mut due: BTreeMap<Duration, usize> = BTreeMap::new();
        for token in tokens {
            let (_, expiry) = self.store.find_with_expiry(&token).expect("just seen, and time stands still");
            let elapsed = expiry.duration_since(self.clock.wall(Duration::ZERO)).expect("after the origin");
            *due.entry(elapsed).or_default() += 1;
        }
        for (expiry, count) in due {
            let held = self.store.len();
            self.clock.advance(expiry - self.clock.now());
            assert_eq!(self.store.sweep(), count, "of what is due at {expiry:?}, a sweep forgot some");
            assert_eq!(self.store.len(), held - count);
        }
    }
}

/// Times to live: short ones, that threads outlive, and a long one.
const TTLS: [Duration; 5] = [ticks(1), ticks(2), ticks(3), ticks(5), ticks(1_000)];

/// A token.
pub fn name(token: u8) -> [u8; 3] {
    [b't', b'-', b'0' + token]
}

/// The number of data that a world made.
pub fn number(data: &[u8]) -> u32 {
    u32::from_le_bytes(data.try_into().expect("data that nobody saved"))
}

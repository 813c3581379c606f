//! The stores side by side, as tables in Markdown.

use std::fmt::Write;

use fleeting::ManualClock;
use fleeting_actix_session::FleetingSessionStore;
use fleeting_sessions::Sessions;
use fleeting_tower_sessions::{FleetingCache, FleetingStore};
use tower_sessions::MemoryStore;
use tower_sessions::session::Id;
use tower_sessions_moka_store::MokaStore;

use crate::adapters::{ActixSubject, OldMokaStore, TowerSubject};
use crate::cases::{CASES, Case, Verdict};
use crate::planted::{FAULTS, Planted};
use crate::subject::{Inapplicable, Subject, TestClock};

/// A store by its name, and how one is made.
pub struct Peer {
    /// As the table calls it.
    pub name: &'static str,
    /// Makes a new one.
    pub make: fn() -> Box<dyn Subject>,
}

impl Peer {
    /// How it does in each case, in order.
    pub fn verdicts(&self) -> Vec<Verdict> {
        CASES.iter().map(|case| case.ask(&*(self.make)())).collect()
    }
}

/// Ours, then those of others.
pub fn peers() -> [Peer; 5] {
    [
        Peer { name: "`FleetingStore`", make: fleeting_store },
        Peer { name: "`FleetingSessionStore`", make: fleeting_session_store },
        Peer { name: "`FleetingCache`", make: fleeting_cache },
        Peer { name: "`MemoryStore` 0.15", make: memory_store },
        Peer { name: "`MokaStore` 0.15", make: moka_store },
    ]
}

fn by_manual_clock<K, V>() -> (TestClock, Sessions<K, V>)
where
    K: std::hash::Hash + Eq + Clone + Send + Sync + 'static,
    V: Send + Sync + 'static,
{
    let clock = ManualClock::new();
    let sessions = Sessions::builder().clock(clock.clone()).build().expect("a janitor's thread");
    (TestClock::Manual(clock), sessions)
}

fn fleeting_store() -> Box<dyn Subject> {
    let (clock, sessions) = by_manual_clock();
    let purge = |store: &FleetingStore| _ = store.sessions().sweep();
    Box::new(TowerSubject {
        store: FleetingStore::from(sessions),
        clock,
        purge,
        held: |store| Ok(store.sessions().len()),
    })
}

fn fleeting_cache() -> Box<dyn Subject> {
    let (clock, sessions) = by_manual_clock();
    let purge = |store: &FleetingCache| _ = store.sessions().sweep();
    Box::new(TowerSubject {
        store: FleetingCache::from(sessions),
        clock,
        purge,
        held: |store| Ok(store.sessions().len()),
    })
}

fn fleeting_session_store() -> Box<dyn Subject> {
    let (clock, sessions) = by_manual_clock();
    Box::new(ActixSubject {
        store: FleetingSessionStore::from(sessions),
        clock,
        // As long as ours are: 64 hexadecimal digits.
        unknown_key: || format!("{:032x}{:032x}", Id::default().0, Id::default().0),
        purge: |store| _ = store.sessions().sweep(),
        held: |store| Ok(store.sessions().len()),
    })
}

fn memory_store() -> Box<dyn Subject> {
    // It has no way to free what has expired, and none to count but its `Debug`.
    let held = |store: &MemoryStore| Ok(format!("{store:?}").matches("expiry_date").count());
    Box::new(TowerSubject { store: MemoryStore::default(), clock: TestClock::System, purge: |_| (), held })
}

fn moka_store() -> Box<dyn Subject> {
    let store = OldMokaStore(MokaStore::new(None));
    Box::new(TowerSubject { store, clock: TestClock::System, purge: |_| (), held: |_| Err(Inapplicable) })
}

/// Each case, and how these stores did in it.
pub fn peer_table(verdicts: &[(&str, Vec<Verdict>)]) -> String {
    let mut table = "| case |".to_owned();
    verdicts.iter().for_each(|(name, _)| write!(table, " {name} |").expect("text grows"));
    writeln!(table, "\n|---|{}", "---|".repeat(verdicts.len())).expect("text grows");
    for (row, case) in CASES.iter().enumerate() {
        write!(table, "| {} |", case.name).expect("text grows");
        for (_, verdicts) in verdicts {
            let verdict = match verdicts[row] {
                Verdict::Passes => "passes",
                Verdict::Fails(_) => "**fails**",
                Verdict::Inapplicable => "n/a",
            };
            write!(table, " {verdict} |").expect("text grows");
        }
        table.push('\n');
    }
    table
}

/// The cases that a store fails, by their ids.
pub fn failed(subject: impl Fn() -> Box<dyn Subject>) -> Vec<&'static str> {
    let fails = |case: &&Case| matches!(case.ask(&*subject()), Verdict::Fails(_));
    CASES.iter().filter(fails).map(|case| case.id).collect()
}

/// Each planted fault, and the cases that catch it.
pub fn fault_table() -> String {
    let mut table = "| planted fault | caught by |\n|---|---|\n".to_owned();
    for &fault in FAULTS {
        let caught = failed(|| Box::new(Planted::new(Some(fault))));
        writeln!(table, "| `{fault:?}` | {} |", caught.join(", ")).expect("text grows");
    }
    table
}

//! The cases. Each is asked of a new store, and tells the first thing that is wrong.

use std::hint;
use std::sync::Barrier;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::thread;
use std::time::{Duration, SystemTime};

use crate::subject::{Inapplicable, Loaded, Subject};

/// A case: what it asks for, and how.
pub struct Case {
    /// In a word or two.
    pub id: &'static str,
    /// What a store that passes does.
    pub name: &'static str,
    check: fn(&dyn Subject) -> Result<(), Refusal>,
}

/// How a store did in a case.
#[derive(Clone, PartialEq, Eq, Debug)]
pub enum Verdict {
    /// As asked.
    Passes,
    /// Not as asked, and what was wrong.
    Fails(String),
    /// The store cannot be asked this.
    Inapplicable,
}

enum Refusal {
    Wrong(String),
    Inapplicable,
}

impl From<Inapplicable> for Refusal {
    fn from(_: Inapplicable) -> Self {
        Refusal::Inapplicable
    }
}

impl Case {
    /// Asks a store, which must be new.
    pub fn ask(&self, subject: &dyn Subject) -> Verdict {
        match (self.check)(subject) {
            Ok(()) => Verdict::Passes,
            Err(Refusal::Wrong(what)) => Verdict::Fails(what),
            Err(Refusal::Inapplicable) => Verdict::Inapplicable,
        }
    }
}

/// All of them.
pub const CASES: &[Case] = &[
    Case { id: "round_trip", name: "a load answers what was created, expiry included", check: round_trip },
    Case {
        id: "unknown_key",
        name: "an unknown key has no session, and none comes by a touch or a deletion",
        check: unknown_key,
    },
    Case { id: "keeps_apart", name: "what is done to one session leaves the others", check: keeps_apart },
    Case { id: "create_collision", name: "a creation under a taken key overwrites nothing", check: create_collision },
    Case {
        id: "create_on_deleted",
        name: "a creation passes the key of a deleted session by",
        check: create_on_deleted,
    },
    Case { id: "save_replaces", name: "a save replaces the data", check: save_replaces },
    Case { id: "save_moves_expiry", name: "a save moves the expiry, later and earlier", check: save_moves_expiry },
    Case { id: "exact_expiry", name: "a session is live until its expiry, and not at it", check: exact_expiry },
    Case { id: "past_expiry", name: "an expiry that has come ends a session, at its creation too", check: past_expiry },
    Case { id: "far_expiry", name: "an expiry in the year 9900 is none too far", check: far_expiry },
    Case {
        id: "touch_moves_expiry",
        name: "a touch moves the expiry, later and earlier, and keeps the data",
        check: touch_moves_expiry,
    },
    Case { id: "touch_revives_nothing", name: "a touch brings nothing back", check: touch_revives_nothing },
    Case { id: "delete_ends", name: "a deletion ends a session", check: delete_ends },
    Case { id: "late_save", name: "a save after the deletion does not bring the session back", check: late_save },
    Case { id: "late_save_elsewhere", name: "nor does it under another key", check: late_save_elsewhere },
    Case {
        id: "save_after_expiry",
        name: "a save after the expiry does not bring the session back under its key",
        check: save_after_expiry,
    },
    Case {
        id: "made_up_key",
        name: "a save under a key that the client made up makes no session there",
        check: made_up_key,
    },
    Case { id: "frees_expired", name: "expired sessions are freed", check: frees_expired },
    Case { id: "prints_nothing", name: "`Debug` prints neither keys nor data", check: prints_nothing },
    Case {
        id: "race_of_creations",
        name: "of two creations at once under one key, both get a session",
        check: race_of_creations,
    },
    Case {
        id: "race_of_save_and_delete",
        name: "a save at the same time as a deletion does not undo it",
        check: race_of_save_and_delete,
    },
    Case {
        id: "race_of_touch_and_delete",
        name: "a touch at the same time as a deletion does not undo it",
        check: race_of_touch_and_delete,
    },
];

/// Rounds of a race.
const ROUNDS: usize = 3_000;

fn ensure(holds: bool, otherwise: impl FnOnce() -> String) -> Result<(), Refusal> {
    if holds { Ok(()) } else { Err(Refusal::Wrong(otherwise())) }
}

fn data(subject: &dyn Subject, key: &str) -> Option<String> {
    subject.load(key).map(|loaded| loaded.data)
}

fn has(subject: &dyn Subject, key: &str, wanted: &str, when: &str) -> Result<(), Refusal> {
    let found = data(subject, key);
    ensure(found.as_deref() == Some(wanted), || format!("{when}: {wanted:?} expected, {found:?} found"))
}

fn has_none(subject: &dyn Subject, key: &str, when: &str) -> Result<(), Refusal> {
    let found = data(subject, key);
    ensure(found.is_none(), || format!("{when}: no session expected, {found:?} found"))
}

fn round_trip(subject: &dyn Subject) -> Result<(), Refusal> {
    let expiry = subject.clock().after(60) + Duration::from_nanos(1_234_567);
    let data = "a \"quoted\" line\n, and one beyond ASCII: \u{1F980}";
    let key = subject.create(data, expiry);
    let Some(Loaded { data: found, expiry: told }) = subject.load(&key) else {
        return Err(Refusal::Wrong("not loaded".to_owned()));
    };
    ensure(found == data, || format!("{found:?} is not what was created"))?;
    ensure(told.is_none_or(|told| told == expiry), || format!("expiry {told:?} instead of {expiry:?}"))
}

fn unknown_key(subject: &dyn Subject) -> Result<(), Refusal> {
    let key = subject.unknown_key();
    has_none(subject, &key, "before")?;
    subject.delete(&key);
    subject.delete(&key);
    has_none(subject, &key, "after a deletion")?;
    match subject.touch(&key, subject.clock().after(60)) {
        Ok(()) => has_none(subject, &key, "after a touch"),
        Err(Inapplicable) => Ok(()),
    }
}

fn keeps_apart(subject: &dyn Subject) -> Result<(), Refusal> {
    let expiry = subject.clock().after(60);
    let keys = [1, 2, 3].map(|number| subject.create(&format!("session {number}"), expiry));
    subject.save(&keys[0], "changed", expiry);
    subject.delete(&keys[1]);
    has(subject, &keys[0], "changed", "the one that was saved")?;
    has(subject, &keys[2], "session 3", "the one that was let alone")
}

fn create_collision(subject: &dyn Subject) -> Result<(), Refusal> {
    let expiry = subject.clock().after(60);
    let first = subject.create_under(&subject.unknown_key(), "first", expiry)?;
    let second = subject.create_under(&first, "second", expiry)?;
    has(subject, &first, "first", "the one that was there")?;
    ensure(first != second, || "both were told one key".to_owned())?;
    has(subject, &second, "second", "the new one")
}

fn create_on_deleted(subject: &dyn Subject) -> Result<(), Refusal> {
    let expiry = subject.clock().after(60);
    let first = subject.create("first", expiry);
    subject.delete(&first);
    let second = subject.create_under(&first, "second", expiry)?;
    // A request of the first session's user ends now.
    subject.save(&first, "first, late", expiry);
    has(subject, &second, "second", "after a late save of the deleted one")
}

fn save_replaces(subject: &dyn Subject) -> Result<(), Refusal> {
    let expiry = subject.clock().after(60);
    let key = subject.create("before", expiry);
    let told = subject.save(&key, "after", expiry);
    ensure(told == key, || "a live session was given another key".to_owned())?;
    has(subject, &key, "after", "after a save")
}

fn save_moves_expiry(subject: &dyn Subject) -> Result<(), Refusal> {
    let clock = subject.clock();
    let (longer, shorter) = (subject.create("longer", clock.after(3)), subject.create("shorter", clock.after(60)));
    subject.save(&longer, "longer", clock.after(60));
    subject.save(&shorter, "shorter", clock.after(3));
    clock.advance(clock.seconds(4));
    has(subject, &longer, "longer", "past the expiry that it had before")?;
    has_none(subject, &shorter, "past the earlier expiry that it was given")
}

fn exact_expiry(subject: &dyn Subject) -> Result<(), Refusal> {
    let clock = subject.clock();
    let odd = match clock.instant() {
        instant if instant < clock.seconds(1) => Duration::from_nanos(7),
        _ => Duration::ZERO,
    };
    let key = subject.create("session", clock.after(3) + odd);
    clock.advance(clock.seconds(3) + odd - clock.instant());
    has(subject, &key, "session", "an instant before its expiry")?;
    clock.advance(clock.instant());
    has_none(subject, &key, "at its expiry")?;
    clock.advance(clock.seconds(1));
    has_none(subject, &key, "after its expiry")
}

fn past_expiry(subject: &dyn Subject) -> Result<(), Refusal> {
    let clock = subject.clock();
    for past in [clock.now(), clock.now() - clock.seconds(1), SystemTime::UNIX_EPOCH] {
        let key = subject.create("born dead", past);
        has_none(subject, &key, "created with an expiry that has come")?;
        let key = subject.create("live", clock.after(60));
        subject.save(&key, "ended", past);
        has_none(subject, &key, "saved with an expiry that has come")?;
    }
    Ok(())
}

fn far_expiry(subject: &dyn Subject) -> Result<(), Refusal> {
    let clock = subject.clock();
    // The first day of the year 9900.
    let expiry = SystemTime::UNIX_EPOCH + Duration::from_secs(250_245_676_800);
    let key = subject.create("far", expiry);
    clock.advance(clock.seconds(4));
    has(subject, &key, "far", "some thousand years early")
}

fn touch_moves_expiry(subject: &dyn Subject) -> Result<(), Refusal> {
    let clock = subject.clock();
    let (longer, shorter) = (subject.create("longer", clock.after(3)), subject.create("shorter", clock.after(60)));
    subject.touch(&longer, clock.after(8))?;
    subject.touch(&shorter, clock.after(3))?;
    clock.advance(clock.seconds(4));
    has(subject, &longer, "longer", "past the expiry that it had before")?;
    has_none(subject, &shorter, "past the earlier expiry that it was given")?;
    clock.advance(clock.seconds(4));
    has_none(subject, &longer, "past the later expiry that it was given")
}

fn touch_revives_nothing(subject: &dyn Subject) -> Result<(), Refusal> {
    let clock = subject.clock();
    let (deleted, expired) = (subject.create("deleted", clock.after(60)), subject.create("expired", clock.after(3)));
    subject.delete(&deleted);
    subject.touch(&deleted, clock.after(60))?;
    has_none(subject, &deleted, "touched after its deletion")?;
    clock.advance(clock.seconds(3));
    subject.touch(&expired, clock.after(60))?;
    has_none(subject, &expired, "touched after its expiry")
}

fn delete_ends(subject: &dyn Subject) -> Result<(), Refusal> {
    let key = subject.create("session", subject.clock().after(60));
    subject.delete(&key);
    has_none(subject, &key, "after its deletion")?;
    subject.delete(&key);
    has_none(subject, &key, "after another")
}

fn late_save(subject: &dyn Subject) -> Result<(), Refusal> {
    let clock = subject.clock();
    let key = subject.create("logged in", clock.after(60));
    subject.delete(&key);
    for _ in 0..2 {
        subject.save(&key, "logged in", clock.after(90));
        has_none(subject, &key, "saved after its deletion")?;
        clock.advance(clock.seconds(2));
    }
    subject.purge();
    subject.save(&key, "logged in", clock.after(90));
    has_none(subject, &key, "saved after its deletion and a purge")
}

fn late_save_elsewhere(subject: &dyn Subject) -> Result<(), Refusal> {
    let expiry = subject.clock().after(60);
    let key = subject.create("logged in", expiry);
    subject.delete(&key);
    let told = subject.save(&key, "logged in", expiry);
    // Under the old key it is the other case's.
    if told != key { has_none(subject, &told, "under the key that the sender of a late save is told") } else { Ok(()) }
}

fn save_after_expiry(subject: &dyn Subject) -> Result<(), Refusal> {
    let clock = subject.clock();
    let key = subject.create("idle", clock.after(3));
    clock.advance(clock.seconds(3));
    subject.save(&key, "idle", clock.after(60));
    has_none(subject, &key, "saved after its expiry")
}

fn made_up_key(subject: &dyn Subject) -> Result<(), Refusal> {
    let key = subject.unknown_key();
    let told = subject.save(&key, "planted", subject.clock().after(60));
    has_none(subject, &key, "under the key that the client made up")?;
    match data(subject, &told) {
        Some(other) => ensure(other == "planted", || format!("{other:?} of another session")),
        None => Ok(()),
    }
}

fn frees_expired(subject: &dyn Subject) -> Result<(), Refusal> {
    let clock = subject.clock();
    for number in 0..100 {
        subject.create(&format!("short {number}"), clock.after(2));
    }
    let lasting = subject.create("lasting", clock.after(60));
    let held = subject.held()?;
    ensure(held == 101, || format!("{held} sessions held of 101"))?;
    clock.advance(clock.seconds(2));
    subject.purge();
    let held = subject.held()?;
    ensure(held == 1, || format!("{held} sessions held, of which one is live"))?;
    has(subject, &lasting, "lasting", "after the purge")
}

fn prints_nothing(subject: &dyn Subject) -> Result<(), Refusal> {
    let key = subject.create("card number 4929", subject.clock().after(60));
    let printed = subject.printed()?;
    ensure(!printed.contains("4929"), || "prints the data".to_owned())?;
    ensure(!printed.contains(&key), || "prints the key".to_owned())
}

fn race_of_creations(subject: &dyn Subject) -> Result<(), Refusal> {
    let expiry = subject.clock().after(60);
    race(
        || Ok(subject.unknown_key()),
        |key| subject.create_under(key, "left", expiry),
        |key| subject.create_under(key, "right", expiry),
        |_, left, right| {
            let (left, right) = (left?, right?);
            ensure(left != right, || "both were told one key".to_owned())?;
            has(subject, &left, "left", "the one")?;
            has(subject, &right, "right", "the other")
        },
    )
}

fn race_of_save_and_delete(subject: &dyn Subject) -> Result<(), Refusal> {
    let expiry = subject.clock().after(60);
    race(
        || Ok(subject.create("logged in", expiry)),
        |key| subject.save(key, "logged in, changed", expiry),
        |key| subject.delete(key),
        |key, _, ()| has_none(subject, key, "saved and deleted at the same time"),
    )
}

fn race_of_touch_and_delete(subject: &dyn Subject) -> Result<(), Refusal> {
    let expiry = subject.clock().after(60);
    race(
        || Ok(subject.create("logged in", expiry)),
        |key| subject.touch(key, expiry + Duration::from_secs(1)),
        |key| subject.delete(key),
        |key, touched, ()| {
            touched?;
            has_none(subject, key, "touched and deleted at the same time")
        },
    )
}

/// Runs `left` and `right` at once on what `prepare` made, and judges both answers; many rounds, until one is judged wrong.
fn race<L: Send, R: Send>(
    prepare: impl Fn() -> Result<String, Refusal>,
    left: impl Fn(&str) -> L + Sync,
    right: impl Fn(&str) -> R + Sync,
    judge: impl Fn(&str, L, R) -> Result<(), Refusal>,
) -> Result<(), Refusal> {
    for _ in 0..ROUNDS / CHUNK {
        let keys = (0..CHUNK).map(|_| prepare()).collect::<Result<Vec<_>, _>>()?;
        let start = (Barrier::new(2), AtomicUsize::new(0));
        let (lefts, rights) = thread::scope(|scope| {
            let lefts = scope.spawn(|| in_step(&keys, &start, &left));
            let rights = in_step(&keys, &start, &right);
            (lefts.join().expect("the left one ends"), rights)
        });
        for ((key, left), right) in keys.iter().zip(lefts).zip(rights) {
            judge(key, left, right)?;
        }
    }
    Ok(())
}

/// Rounds between two judgements.
const CHUNK: usize = 100;

/// One side of a race: begins each round when the other side does. They meet at the barrier, which leaves the processor to others, and then spin for
/// a moment, so that both begin within nanoseconds where there is a processor for each.
fn in_step<A>(keys: &[String], (barrier, arrivals): &(Barrier, AtomicUsize), run: impl Fn(&str) -> A) -> Vec<A> {
    let round = |(round, key): (usize, &String)| {
        barrier.wait();
        arrivals.fetch_add(1, Ordering::AcqRel);
        for _ in 0..1_000 {
            if arrivals.load(Ordering::Acquire) >= 2 * (round + 1) {
                break;
            }
            hint::spin_loop();
        }
        run(key)
    };
    keys.iter().enumerate().map(round).collect()
}

//! The invariants, checked while the workers wait at the gate. The janitors go on: what they are in the middle of is looked at
//! again for some seconds, so that only what stays wrong is reported.

use std::collections::HashMap;
use std::sync::atomic::Ordering;
use std::thread;
use std::time::{Duration, Instant};

use crate::world::{Reports, World, read_data, report, token};

/// How long something may stay wrong.
const PATIENCE: Duration = Duration::from_secs(10);

/// A look-up this near to a deadline may go either way.
const NEAR: u64 = 20_000_000;

/// Stale records that the index tolerates beyond twice the entries (`engine.rs`), and what threads may have filed meanwhile.
const RECORDS_SLACK: u64 = 1_024 + 512;

/// Runs all checks; reports what does not hold.
pub fn check(world: &World) {
    eventually("overdue", || nothing_overdue(world));
    eventually("walk, look-up and books", || sessions_are_as_written(world));
    eventually("sessions counted", || sessions_add_up(world));
    eventually("entries counted", || entries_add_up(world));
    eventually("records bounded", || records_are_bounded(world));
    eventually("length", || lengths_agree(world));
    eventually("payloads", || payloads_are_held(world));
}

fn eventually(what: &str, mut holds: impl FnMut() -> Result<(), String>) {
    let limit = Instant::now() + PATIENCE;
    while let Err(problem) = holds() {
        if Instant::now() > limit {
            report(format_args!("{what}: {problem}"));
            return;
        }
        thread::sleep(Duration::from_millis(1));
    }
}

/// What is due has left, within the time that is promised: by the callbacks' reports, without a sweep of ours.
fn nothing_overdue(world: &World) -> Result<(), String> {
    let books = &world.books;
    let limit = books.now().saturating_sub(world.plan.promised_lateness().as_nanos() as u64);
    let is_overdue = |slot: &&crate::world::Slot| !slot.is_gone() && slot.due.load(Ordering::Relaxed) < limit;
    match books.slots.iter().filter(is_overdue).count() {
        0 => Ok(()),
        overdue => Err(format!("{overdue} sessions are overdue")),
    }
}

/// A walk sees each session that the books hold to be there exactly once, with the data that was written last; so does a look-up.
fn sessions_are_as_written(world: &World) -> Result<(), String> {
    let (books, store) = (&world.books, &world.store);
    let before = books.now();
    let mut seen = HashMap::new();
    for (token, data) in store.iter() {
        let (slot, serial) = read_data(&data).ok_or("data that nobody wrote")?;
        if seen.insert(slot, serial).is_some() {
            return Err(format!("the session of slot {slot} was seen twice"));
        }
        let found = store.read(&token, |other| *other == *data);
        let is_due = books.slots[slot as usize].due.load(Ordering::Relaxed) <= books.now() + NEAR;
        if found != Some(true) && !is_due {
            return Err(format!("the session of slot {slot} was walked over, but not found"));
        }
    }
    for (number, slot) in books.slots.iter().enumerate() {
        let (due, serial) = (slot.due.load(Ordering::Relaxed), slot.serial.load(Ordering::Relaxed));
        let found = seen.get(&(number as u64));
        if slot.is_gone() || due <= books.now() + NEAR {
            if found.is_some() && due + NEAR < before {
                return Err(format!("the session of slot {number} was seen after its deadline"));
            }
        } else if found != Some(&serial) {
            return Err(format!("slot {number} should hold serial {serial}, and the walk saw {found:?}"));
        } else if store.find(token(number as u64, slot.generation.load(Ordering::Relaxed))).is_none() {
            return Err(format!("the session of slot {number} was walked over, but not found by its token"));
        }
    }
    Ok(())
}

/// Created = held + removed + expired, by the workers' books, the statistics, and the callbacks.
fn sessions_add_up(world: &World) -> Result<(), String> {
    let (books, stats) = (&world.books, world.store.stats());
    reports_match(&books.sessions, &stats, world.store.len())?;
    let published = stats.inserts + stats.replaced;
    let known = books.published.load(Ordering::Relaxed);
    let unknown = books.failed_renames.load(Ordering::Relaxed);
    if (known..=known + unknown).contains(&published) {
        Ok(())
    } else {
        Err(format!("{published} sessions were published, and {known} to {} should be", known + unknown))
    }
}

fn entries_add_up(world: &World) -> Result<(), String> {
    reports_match(&world.books.entries, &world.cache.stats(), world.cache.len())
}

fn reports_match(reports: &Reports, stats: &fleeting::Stats, held: usize) -> Result<(), String> {
    let load = |count: &std::sync::atomic::AtomicU64| count.load(Ordering::Relaxed);
    let (expired, removed, replaced) = (load(&reports.expired), load(&reports.removed), load(&reports.replaced));
    if (expired, removed, replaced) != (stats.expired, stats.removed, stats.replaced) {
        return Err(format!("reported {expired} expired, {removed} removed, {replaced} replaced; {stats:?}"));
    }
    if stats.inserts != held as u64 + removed + expired || stats.entries != held as u64 {
        return Err(format!("{held} held, {removed} removed, {expired} expired are not all; {stats:?}"));
    }
    if stats.contained_panics != 0 {
        return Err(format!("{} callbacks panicked", stats.contained_panics));
    }
    Ok(())
}

fn records_are_bounded(world: &World) -> Result<(), String> {
    for (name, stats) in [("store", world.store.stats()), ("cache", world.cache.stats())] {
        if stats.records > 2 * stats.entries + RECORDS_SLACK {
            return Err(format!("the {name} has {} records for {} entries", stats.records, stats.entries));
        }
    }
    Ok(())
}

/// A walk sees at most what was held before it, and at least what is held after it: nothing comes in meanwhile, and a sweep on
/// either side takes out what has expired.
fn lengths_agree(world: &World) -> Result<(), String> {
    world.store.sweep();
    let before = world.store.len();
    let walked = world.store.iter().count();
    world.store.sweep();
    let after = world.store.len();
    if !(after..=before).contains(&walked) {
        return Err(format!(
            "the store's walk saw {walked} sessions, where {before} were held before and {after} after"
        ));
    }
    world.cache.sweep();
    let before = world.cache.len();
    let mut walked = 0;
    for (key, payload) in world.cache.iter() {
        walked += 1;
        if key != payload.key {
            return Err(format!("key {key} has the value of {}", payload.key));
        }
    }
    world.cache.sweep();
    let after = world.cache.len();
    if !(after..=before).contains(&walked) {
        return Err(format!(
            "the cache's walk saw {walked} entries, where {before} were held before and {after} after"
        ));
    }
    Ok(())
}

/// Every value of the cache that exists is held: those that left have been freed.
fn payloads_are_held(world: &World) -> Result<(), String> {
    (0..8).for_each(|_| fleeting::release_thread_memory());
    let (payloads, held) = (world.books.payloads.load(Ordering::Relaxed), world.cache.len() as i64);
    if payloads == held { Ok(()) } else { Err(format!("{payloads} values of the cache exist, and {held} are held")) }
}

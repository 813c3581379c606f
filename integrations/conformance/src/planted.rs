//! Stores with one fault each, and one without: they show what the cases catch.

use std::collections::HashMap;
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Mutex, MutexGuard, PoisonError};
use std::thread;
use std::time::{Duration, SystemTime};

use fleeting::ManualClock;

use crate::subject::{Inapplicable, Loaded, Subject, TestClock};

/// What a store does wrong.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Fault {
    /// A deletion does nothing.
    NoopDelete,
    /// A creation overwrites what stands under its key.
    OverwritingCreate,
    /// A save keeps the data that was.
    StaleData,
    /// A save keeps the expiry that was.
    StaleExpiry,
    /// A touch does nothing.
    NoopTouch,
    /// A touch of an unknown key makes a session.
    CreatingTouch,
    /// Nothing expires.
    IgnoredExpiry,
    /// A save after the deletion brings the session back.
    Resurrection,
    /// A creation takes the key of a deleted session.
    ReusedKey,
    /// A save after the deletion brings the session back, under a new key.
    ResurrectionElsewhere,
    /// A save makes whatever session it is told.
    ObedientSave,
    /// A session is live at its expiry.
    LateExpiry,
    /// Expiries are kept in whole seconds.
    RoundedExpiry,
    /// An expiry before now means "never".
    ImmortalPast,
    /// An expiry further ahead than a hundred years overflows.
    OverflowingExpiry,
    /// A touch brings back what was deleted or has expired.
    RevivingTouch,
    /// A touch empties the session.
    ForgetfulTouch,
    /// A deletion empties the store.
    DeleteAll,
    /// Expired sessions stay in memory.
    NeverFreed,
    /// `Debug` prints all.
    Talkative,
    /// A creation looks first, and inserts later.
    RacingCreate,
    /// A save looks first, and writes later.
    RacingSave,
    /// A touch looks first, and writes later.
    RacingTouch,
}

/// All faults.
pub const FAULTS: &[Fault] = &[
    Fault::NoopDelete,
    Fault::OverwritingCreate,
    Fault::StaleData,
    Fault::StaleExpiry,
    Fault::NoopTouch,
    Fault::CreatingTouch,
    Fault::IgnoredExpiry,
    Fault::Resurrection,
    Fault::ReusedKey,
    Fault::ResurrectionElsewhere,
    Fault::ObedientSave,
    Fault::LateExpiry,
    Fault::RoundedExpiry,
    Fault::ImmortalPast,
    Fault::OverflowingExpiry,
    Fault::RevivingTouch,
    Fault::ForgetfulTouch,
    Fault::DeleteAll,
    Fault::NeverFreed,
    Fault::Talkative,
    Fault::RacingCreate,
    Fault::RacingSave,
    Fault::RacingTouch,
];

/// A store behind one lock, by a manual clock, with a fault or without.
#[derive(Debug)]
pub struct Planted {
    fault: Option<Fault>,
    clock: TestClock,
    slots: Mutex<HashMap<String, Slot>>,
    keys: AtomicU64,
}

#[derive(Clone, Debug)]
struct Slot {
    data: String,
    expiry: SystemTime,
    is_deleted: bool,
}

const CENTURY: Duration = Duration::from_secs(100 * 365 * 24 * 60 * 60);

impl Planted {
    /// A store with this fault, or without one.
    pub fn new(fault: Option<Fault>) -> Planted {
        let clock = TestClock::Manual(ManualClock::new());
        Planted { fault, clock, slots: Mutex::default(), keys: AtomicU64::new(0) }
    }

    fn has(&self, fault: Fault) -> bool {
        self.fault == Some(fault)
    }

    fn slots(&self) -> MutexGuard<'_, HashMap<String, Slot>> {
        self.slots.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// The lock; with this fault, given to others first, who may change what was seen before.
    fn slots_after<'s>(
        &'s self,
        fault: Fault,
        slots: MutexGuard<'s, HashMap<String, Slot>>,
    ) -> MutexGuard<'s, HashMap<String, Slot>> {
        if !self.has(fault) {
            return slots;
        }
        drop(slots);
        thread::yield_now();
        self.slots()
    }

    /// Whether a slot is a session or a tombstone still.
    fn stands(&self, slot: &Slot) -> bool {
        let now = self.clock.now();
        self.has(Fault::IgnoredExpiry)
            || slot.expiry > now
            || (self.has(Fault::LateExpiry) && slot.expiry == now)
            || (self.has(Fault::ImmortalPast) && slot.expiry == SystemTime::UNIX_EPOCH)
    }

    fn is_live(&self, slot: &Slot) -> bool {
        !slot.is_deleted && self.stands(slot)
    }

    fn slot(&self, data: &str, expiry: SystemTime) -> Slot {
        let since_epoch = expiry.duration_since(SystemTime::UNIX_EPOCH).unwrap_or_default();
        let expiry = if self.has(Fault::RoundedExpiry) {
            SystemTime::UNIX_EPOCH + Duration::from_secs(since_epoch.as_secs())
        } else if self.has(Fault::OverflowingExpiry) && expiry > self.clock.now() + CENTURY {
            self.clock.now()
        } else if self.has(Fault::ImmortalPast) && expiry <= self.clock.now() {
            SystemTime::UNIX_EPOCH
        } else {
            expiry
        };
        Slot { data: data.to_owned(), expiry, is_deleted: false }
    }
}

impl Subject for Planted {
    fn clock(&self) -> &TestClock {
        &self.clock
    }

    fn unknown_key(&self) -> String {
        format!("key-{}", self.keys.fetch_add(1, Ordering::Relaxed))
    }

    fn create(&self, data: &str, expiry: SystemTime) -> String {
        let key = self.unknown_key();
        self.slots().insert(key.clone(), self.slot(data, expiry));
        key
    }

    fn create_under(&self, key: &str, data: &str, expiry: SystemTime) -> Result<String, Inapplicable> {
        let slots = self.slots();
        let is_taken = match slots.get(key) {
            _ if self.has(Fault::OverwritingCreate) => false,
            Some(slot) if self.has(Fault::ReusedKey) => self.is_live(slot),
            Some(slot) => self.stands(slot),
            None => false,
        };
        let key = if is_taken { self.unknown_key() } else { key.to_owned() };
        self.slots_after(Fault::RacingCreate, slots).insert(key.clone(), self.slot(data, expiry));
        Ok(key)
    }

    fn save(&self, key: &str, data: &str, expiry: SystemTime) -> String {
        let slots = self.slots();
        let current = slots.get(key).filter(|slot| self.stands(slot)).cloned();
        let mut slot = self.slot(data, expiry);
        let key = match current {
            Some(old) if !old.is_deleted => {
                if self.has(Fault::StaleExpiry) {
                    slot.expiry = old.expiry;
                }
                if self.has(Fault::StaleData) {
                    slot.data = old.data;
                }
                key.to_owned()
            }
            Some(_) if self.has(Fault::Resurrection) => key.to_owned(),
            Some(_) if self.has(Fault::ResurrectionElsewhere) => self.unknown_key(),
            Some(_) => return self.unknown_key(),
            None if self.has(Fault::ObedientSave) => key.to_owned(),
            None => self.unknown_key(),
        };
        self.slots_after(Fault::RacingSave, slots).insert(key.clone(), slot);
        key
    }

    fn touch(&self, key: &str, expiry: SystemTime) -> Result<(), Inapplicable> {
        let slots = self.slots();
        let unknown = self.has(Fault::CreatingTouch).then(|| self.slot("", expiry));
        let Some(mut slot) = slots.get(key).cloned().or(unknown) else { return Ok(()) };
        let may = self.is_live(&slot) || self.has(Fault::RevivingTouch);
        if may && !self.has(Fault::NoopTouch) {
            slot.expiry = expiry;
            slot.is_deleted = false;
            if self.has(Fault::ForgetfulTouch) {
                slot.data.clear();
            }
            self.slots_after(Fault::RacingTouch, slots).insert(key.to_owned(), slot);
        }
        Ok(())
    }

    fn load(&self, key: &str) -> Option<Loaded> {
        let slot = self.slots().get(key).filter(|slot| self.is_live(slot))?.clone();
        Some(Loaded { data: slot.data, expiry: Some(slot.expiry) })
    }

    fn delete(&self, key: &str) {
        let mut slots = self.slots();
        if self.has(Fault::DeleteAll) {
            slots.values_mut().for_each(|slot| slot.is_deleted = true);
        } else if let Some(slot) = slots.get_mut(key)
            && !self.has(Fault::NoopDelete)
        {
            slot.is_deleted = true;
        }
    }

    fn purge(&self) {
        if !self.has(Fault::NeverFreed) {
            self.slots().retain(|_, slot| self.stands(slot));
        }
    }

    fn held(&self) -> Result<usize, Inapplicable> {
        Ok(self.slots().values().filter(|slot| !slot.is_deleted).count())
    }

    fn printed(&self) -> Result<String, Inapplicable> {
        Ok(if self.has(Fault::Talkative) { format!("{self:?}") } else { "Planted".to_owned() })
    }
}

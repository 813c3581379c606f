//! A session store as the cases see it.

use std::thread;
use std::time::{Duration, SystemTime};

use fleeting::ManualClock;

/// A session store under test. Keys are text, expiries are wall-clock times, whatever the store makes of them.
pub trait Subject: Send + Sync {
    /// The time that the store goes by.
    fn clock(&self) -> &TestClock;

    /// A key that no session has.
    fn unknown_key(&self) -> String;

    /// Creates a session; the key that it got.
    fn create(&self, data: &str, expiry: SystemTime) -> String;

    /// Creates a session under this key, or, if that is taken, under the one that is returned.
    fn create_under(&self, key: &str, data: &str, expiry: SystemTime) -> Result<String, Inapplicable>;

    /// Saves a session that was loaded; the key that its sender is told.
    fn save(&self, key: &str, data: &str, expiry: SystemTime) -> String;

    /// Moves the expiry alone.
    fn touch(&self, key: &str, expiry: SystemTime) -> Result<(), Inapplicable>;

    /// The live session of a key.
    fn load(&self, key: &str) -> Option<Loaded>;

    /// Deletes a session, if there is one.
    fn delete(&self, key: &str);

    /// Frees what has expired, as far as the store can.
    fn purge(&self);

    /// How many sessions the store holds in memory.
    fn held(&self) -> Result<usize, Inapplicable>;

    /// The store under `Debug`.
    fn printed(&self) -> Result<String, Inapplicable>;
}

/// The store cannot be asked this.
#[derive(Clone, Copy, Debug)]
pub struct Inapplicable;

/// What a load answers.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct Loaded {
    /// The session's data.
    pub data: String,
    /// Its expiry, if the store tells it.
    pub expiry: Option<SystemTime>,
}

/// The time that a store goes by.
#[derive(Clone, Debug)]
pub enum TestClock {
    /// The store was given this clock.
    Manual(ManualClock),
    /// The store knows only the system's clock: the cases wait, and go by quarters of a second.
    System,
}

impl TestClock {
    /// The time by the wall.
    pub fn now(&self) -> SystemTime {
        match self {
            TestClock::Manual(clock) => clock.system_time(),
            TestClock::System => SystemTime::now(),
        }
    }

    /// Lets time pass.
    pub fn advance(&self, by: Duration) {
        match self {
            TestClock::Manual(clock) => clock.advance(by),
            TestClock::System => thread::sleep(by),
        }
    }

    /// So many seconds of a case.
    pub fn seconds(&self, seconds: u32) -> Duration {
        match self {
            TestClock::Manual(_) => Duration::from_secs(1) * seconds,
            TestClock::System => Duration::from_millis(250) * seconds,
        }
    }

    /// The least time that a case can rely on.
    pub fn instant(&self) -> Duration {
        match self {
            TestClock::Manual(_) => Duration::from_nanos(1),
            TestClock::System => Duration::from_millis(250),
        }
    }

    /// When a session expires that has so many seconds of a case to live.
    pub fn after(&self, seconds: u32) -> SystemTime {
        self.now() + self.seconds(seconds)
    }
}

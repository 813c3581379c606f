#![doc = include_str!("../README.md")]
#![forbid(unsafe_code)]

mod cache;
mod store;
mod version;

use std::sync::Arc;
use std::time::{Duration, SystemTime};

pub use fleeting_sessions;
use fleeting_sessions::fleeting::BuildError;
use fleeting_sessions::{Lifetime, Sessions};
use time::OffsetDateTime;
use tower_sessions_core::session::{Id, Record};

pub use self::cache::FleetingCache;
pub use self::store::FleetingStore;
pub use self::version::VERSION_KEY;

/// Sessions whose janitor looks this often.
fn sessions(cleanup_interval: Duration) -> Result<Sessions<Id, Record>, BuildError> {
    Sessions::builder().cleanup_interval(cleanup_interval).build()
}

/// What is kept of a record, and how long.
fn keep(record: &Record) -> (Arc<Record>, Lifetime) {
    (Arc::new(record.clone()), Lifetime::Until(system_time(record.expiry_date)))
}

/// To the nanosecond; what lies before 1970 is 1970, and what the system's time cannot express is as far ahead as it can.
fn system_time(date: OffsetDateTime) -> SystemTime {
    let since_epoch = Duration::try_from(date - OffsetDateTime::UNIX_EPOCH).unwrap_or_default();
    SystemTime::UNIX_EPOCH.checked_add(since_epoch).unwrap_or_else(|| SystemTime::now() + CENTURY)
}

const CENTURY: Duration = Duration::from_secs(100 * 365 * 24 * 60 * 60);

#[cfg(test)]
mod tests {
    use super::*;

    /// Catches a conversion that rounds, or panics at either end of what a date can be.
    #[test]
    fn dates_are_converted_exactly() {
        let now = SystemTime::now();
        assert_eq!(system_time(OffsetDateTime::from(now)), now);
        let odd = OffsetDateTime::UNIX_EPOCH + time::Duration::nanoseconds(1_234_567_891);
        assert_eq!(system_time(odd), SystemTime::UNIX_EPOCH + Duration::from_nanos(1_234_567_891));
        let first = time::Date::MIN.midnight().assume_utc();
        assert_eq!(system_time(first), SystemTime::UNIX_EPOCH);
        let last = time::Date::MAX.midnight().assume_utc();
        assert!(system_time(last) > now + CENTURY / 2);
    }
}

/// The guides' examples, tested.
#[cfg(doctest)]
mod guides {
    #[doc = include_str!("../../../docs/async.md")]
    struct Async;
    #[doc = include_str!("../../../docs/axum.md")]
    struct Axum;
}

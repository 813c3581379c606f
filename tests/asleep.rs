//! Time that the machine sleeps counts: by a process that enters a time namespace whose boot-time clock is eight
//! hours ahead of the former one's, as it is after a suspension. Where the system gives no such namespace, a line
//! says so. Without libtest, whose threads the system does not let in.

#![allow(unsafe_code, reason = "rustix's `unshare_unsafe`")]

#[cfg(not(all(feature = "coarse-clock", target_os = "linux")))]
fn main() {
    println!("asleep: skipped, since the clock is `Instant` here");
}

#[cfg(all(feature = "coarse-clock", target_os = "linux"))]
fn main() {
    linux::main();
}

#[cfg(all(feature = "coarse-clock", target_os = "linux"))]
mod linux {
    use std::fs::File;
    use std::io;
    use std::os::fd::AsFd;
    use std::time::{Duration, Instant, SystemTime};

    use fleeting::{Cache, Clock, MemStore, SystemClock};
    use rustix::thread::{LinkNameSpaceType, UnshareFlags, move_into_link_name_space, unshare_unsafe};

    const MINUTE: Duration = Duration::from_secs(60);
    const HOUR: Duration = Duration::from_secs(3600);

    /// Has the boot-time clock jump by eight hours, and no other.
    fn sleep() -> io::Result<()> {
        // SAFETY: no file descriptors are unshared.
        unsafe { unshare_unsafe(UnshareFlags::NEWUSER | UnshareFlags::NEWTIME) }?;
        std::fs::write("/proc/self/timens_offsets", "boottime 28800 0")?;
        let namespace = File::open("/proc/self/ns/time_for_children")?;
        Ok(move_into_link_name_space(namespace.as_fd(), Some(LinkNameSpaceType::Time))?)
    }

    /// Catches sessions that outlive a night, deadlines given as an `Instant` that come hours early after one, and a
    /// clock that goes back.
    pub fn main() {
        let cache: Cache<&str, u32> = Cache::builder().cleanup_interval(Duration::ZERO).build().expect("plain");
        let store = MemStore::builder().cleanup_interval(Duration::ZERO).build().expect("plain");
        let clock = SystemClock::new();
        let wall = SystemTime::now();
        store.save("short", "1", wall + 30 * MINUTE);
        store.save("long", "1", wall + 9 * HOUR);
        store.save_for("short for", "1", 30 * MINUTE);
        cache.insert_with_ttl("short", 1, 30 * MINUTE);
        cache.insert_with_ttl("long", 1, 9 * HOUR);
        cache.insert_until("until", 1, Instant::now() + 30 * MINUTE);
        cache.insert("for ever", 1);
        let all = ["short", "long", "until", "for ever"];
        assert!(all.iter().all(|key| cache.contains_key(key)));
        assert!(store.find("short").is_some() && store.find("long").is_some() && store.find("short for").is_some());
        let (elapsed, origin) = (clock.elapsed(), clock.origin());

        if let Err(error) = sleep() {
            println!("asleep: skipped, since there is no time namespace to be had here: {error}");
            return;
        }

        // A machine does not fall asleep within a tick of its coarse clock, as this did.
        let woke = Instant::now();
        while woke.elapsed() < Duration::from_millis(20) {}

        // By the first reading of all.
        assert_eq!(store.find("short").as_deref(), None);
        assert!(store.find("short for").is_none() && store.find("long").is_some());
        assert_eq!(all.map(|key| cache.get(key)), [None, Some(1), None, Some(1)]);
        let slept = clock.elapsed() - elapsed;
        assert!(slept >= 8 * HOUR - Duration::from_millis(1) && slept < 8 * HOUR + MINUTE, "{slept:?}");
        assert!(clock.coarse_elapsed() + Duration::from_millis(64) >= clock.elapsed());
        assert!(origin - clock.origin() + Duration::from_millis(1) >= 8 * HOUR, "an instant is so far from the origin");

        // What is given as an `Instant` from now on is as far ahead as it is, and is told so.
        let deadline = Instant::now() + Duration::from_millis(30);
        cache.insert_until("until", 2, deadline);
        let (_, told) = cache.get_with_deadline("until").expect("30 ms are left");
        let told = told.expect("it has a deadline");
        assert!(told.max(deadline) - told.min(deadline) < Duration::from_millis(1));
        while cache.contains_key("until") {}
        let late = Instant::now().checked_duration_since(deadline).expect("not early");
        assert!(late < 30 * MINUTE);
        assert!(store.touch("long", wall + 9 * HOUR) && cache.touch("long", MINUTE));
        assert_eq!((store.sweep(), cache.sweep()), (0, 0), "what had expired was met");
        println!("asleep: ok, eight hours counted");
    }
}

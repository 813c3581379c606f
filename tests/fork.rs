//! Processes that fork with caches in hand. A program of its own, without the test harness, whose other threads are known.
//!
//! Catches a child that panics or hangs at what has only the parent's threads to end it, or that cannot start threads of its own.

#![allow(unsafe_code, reason = "fork, and what goes with it")]

#[cfg(not(unix))]
fn main() {}

#[cfg(unix)]
fn main() {
    unix::own_janitor();
    unix::shared_janitor();
    unix::in_a_sweep();
    unix::in_a_load();
    unix::whatever_other_threads_hold();
}

#[cfg(unix)]
mod unix {
    use std::panic::{AssertUnwindSafe, catch_unwind};
    use std::sync::atomic::{AtomicBool, Ordering};
    use std::sync::{Barrier, mpsc};
    use std::thread;
    use std::time::{Duration, Instant};

    use fleeting::{Cache, Janitor, MemStore};

    const OFTEN: Duration = Duration::from_millis(2);
    const SOON: Duration = Duration::from_millis(10);
    const LONG: Duration = Duration::from_secs(3_600);

    /// Runs `body` in a child, and fails unless that ends well within 20 s.
    #[track_caller]
    fn in_a_child(body: impl FnOnce()) {
        // SAFETY: the C library's allocator works in the child, and nothing is used there whose lock another thread
        // may hold: that is what is tested. The child leaves by `_exit`.
        let child = unsafe { libc::fork() };
        assert!(child >= 0, "no child");
        if child == 0 {
            let is_well = catch_unwind(AssertUnwindSafe(body)).is_ok();
            // SAFETY: always allowed.
            unsafe { libc::_exit(i32::from(!is_well)) }
        }
        let (mut status, limit) = (0, Instant::now() + Duration::from_secs(20));
        loop {
            // SAFETY: `status` is a place for it.
            match unsafe { libc::waitpid(child, &mut status, libc::WNOHANG) } {
                0 if Instant::now() < limit => thread::sleep(Duration::from_millis(1)),
                0 => {
                    // SAFETY: the child is ours, and has not been waited for.
                    unsafe { libc::kill(child, libc::SIGKILL) };
                    panic!("the child hangs");
                }
                _ => break,
            }
        }
        assert_eq!(status, 0, "the child failed");
    }

    fn eventually(mut condition: impl FnMut() -> bool) -> bool {
        let limit = Instant::now() + Duration::from_secs(10);
        while Instant::now() < limit {
            if condition() {
                return true;
            }
            thread::sleep(Duration::from_millis(1));
        }
        false
    }

    /// All that a child may want of a store that it inherited; and its own child.
    fn use_it(store: &MemStore, generations: u32) {
        assert_eq!(store.find("here").as_deref(), Some(&b"data"[..]));
        store.save_for("gone", "soon", Duration::from_millis(1));
        assert!(eventually(|| store.find("gone").is_none()));
        store.sweep();
        assert!(store.stop_cleanup_within(Duration::ZERO), "there is nothing to stop");
        store.stop_cleanup();
        store.start_cleanup().expect("a thread");
        store.start_cleanup().expect("the same");
        assert!(is_swept(store), "the child's own janitor sweeps");
        if generations > 0 {
            in_a_child(|| use_it(store, generations - 1));
            assert!(is_swept(store), "and goes on");
        }
        assert!(store.stop_cleanup_within(LONG));
        store.start_cleanup().expect("a thread");
    }

    /// Whether a session that expires is removed by another thread than this.
    fn is_swept(store: &MemStore) -> bool {
        store.save_for("swept", "soon", Duration::from_millis(1));
        let expired = store.stats().expired;
        eventually(|| store.stats().expired > expired)
    }

    pub fn own_janitor() {
        let mut store = Some(MemStore::new(OFTEN));
        let inherited = store.clone().expect("just made");
        inherited.save_for("here", "data", LONG);
        assert!(is_swept(&inherited), "its thread runs");
        drop(inherited);
        for is_used in [false, true] {
            in_a_child(|| {
                let store = store.take().expect("a copy of the parent's");
                if is_used {
                    use_it(&store, 1);
                }
                let weak = store.downgrade();
                drop(store);
                assert!(weak.upgrade().is_none(), "that was the last handle");
            });
            assert!(store.as_ref().is_some_and(is_swept), "the parent's janitor goes on");
        }
    }

    pub fn shared_janitor() {
        let mut janitor = Some(Janitor::new(OFTEN).expect("valid"));
        let build = |janitor: &Option<Janitor>| {
            let store = MemStore::builder().janitor(janitor.as_ref().expect("not dropped")).build().expect("a thread");
            store.save_for("here", "data", LONG);
            Some(store)
        };
        let (mut one, mut other) = (build(&janitor), build(&janitor));
        in_a_child(|| {
            drop(other.take());
            let new = build(&janitor);
            assert!(new.as_ref().is_some_and(is_swept), "a cache that is built in the child starts a thread");
            use_it(one.as_ref().expect("a copy"), 1);
            drop((one.take(), janitor.take(), new));
        });
        assert!([&one, &other].iter().all(|store| store.as_ref().is_some_and(is_swept)));
    }

    /// Forks while the janitor is in a callback.
    pub fn in_a_sweep() {
        let (entered, has_entered) = mpsc::channel();
        let (release, released) = mpsc::channel::<()>();
        let doors = std::sync::Mutex::new(released);
        let cache = Cache::builder().cleanup_interval(OFTEN).on_removal(move |key: &u64, _: &u64, _| {
            if *key == 1 {
                entered.send(()).expect("the parent waits");
                let _ = doors.lock().expect("one thread").recv();
            }
        });
        let mut cache = Some(cache.build().expect("valid"));
        let handle = cache.clone().expect("just made");
        handle.insert_with_ttl(1, 1, Duration::from_millis(1));
        has_entered.recv().expect("the janitor sweeps");
        drop(handle);
        in_a_child(|| {
            let cache = cache.take().expect("a copy");
            cache.stop_cleanup();
            cache.insert_with_ttl(2, 2, Duration::from_millis(1));
            cache.start_cleanup().expect("a thread");
            assert!(eventually(|| cache.is_empty()));
            drop(cache);
        });
        release.send(()).expect("the callback waits");
        drop(cache);
    }

    /// Forks while another thread loads a key.
    pub fn in_a_load() {
        let cache = Cache::<u64, u64>::builder().cleanup_interval(OFTEN).build().expect("valid");
        let (in_loader, let_go) = (Barrier::new(2), Barrier::new(2));
        thread::scope(|scope| {
            let loading = scope.spawn(|| {
                cache.get_or_insert_with(7, || {
                    in_loader.wait();
                    let_go.wait();
                    1
                })
            });
            in_loader.wait();
            in_a_child(|| assert_eq!(cache.get_or_insert_with(7, || 2), 2));
            let_go.wait();
            assert_eq!(loading.join().expect("no panic"), 1);
        });
    }

    /// Forks again and again while other threads start and stop the janitor, and so hold its lock every now and then.
    pub fn whatever_other_threads_hold() {
        let janitor = Janitor::new(SOON).expect("valid");
        let build = || Some(Cache::<u64, u64>::builder().janitor(&janitor).build().expect("a thread"));
        let mut caches = [build(), build(), build()];
        let is_over = AtomicBool::new(false);
        thread::scope(|scope| {
            for cache in caches.clone() {
                let is_over = &is_over;
                scope.spawn(move || {
                    let cache = cache.expect("just built");
                    while !is_over.load(Ordering::Relaxed) {
                        cache.stop_cleanup_within(Duration::ZERO);
                        cache.start_cleanup().expect("a thread");
                    }
                });
            }
            for round in 0..200 {
                in_a_child(|| {
                    if round % 2 == 0 {
                        caches[0].as_ref().expect("a copy").start_cleanup().expect("a thread");
                    }
                    drop(caches.each_mut().map(Option::take));
                });
            }
            is_over.store(true, Ordering::Relaxed);
        });
    }
}

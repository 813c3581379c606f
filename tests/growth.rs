//! What one call may cost in memory, by a counting allocator: an insert that begins to grow the table, many threads
//! that find it too small at once, and the removal of many entries of one hash. Each is measured at two sizes. One
//! test, so that nothing else allocates meanwhile.
//!
//! Catches a table that is zeroed by hand, tables that each of many threads makes, and copies of a spill that pile
//! up under one pin.

use std::alloc::{GlobalAlloc, Layout, System};
use std::hash::{Hash, Hasher};
use std::sync::atomic::{AtomicI64, Ordering};
use std::thread;
use std::time::Duration;

use fleeting::{Cache, ManualClock};

struct Peak;

/// Bytes allocated now, and the most that were at once.
static BYTES: AtomicI64 = AtomicI64::new(0);
static BYTES_MAX: AtomicI64 = AtomicI64::new(0);

/// Bytes of tables: made, there now, and the most at once. Whatever is large counts as one.
static TABLES: [AtomicI64; 3] = [const { AtomicI64::new(0) }; 3];

/// The strictest alignment that a table was asked for with: above 16, zeroes are not the allocator's own work.
static ALIGNED: AtomicI64 = AtomicI64::new(0);

/// Bytes of an array of some thousand buckets.
const LARGE: usize = 64 << 10;

/// Bytes of a bucket.
const BUCKET: i64 = 80;

fn count(layout: Layout, sign: i64) {
    let size = layout.size() as i64;
    let now = BYTES.fetch_add(sign * size, Ordering::Relaxed) + size;
    if sign > 0 {
        BYTES_MAX.fetch_max(now, Ordering::Relaxed);
    }
}

fn count_table(layout: Layout, sign: i64) {
    let size = layout.size() as i64;
    if layout.size() >= LARGE {
        let now = TABLES[1].fetch_add(sign * size, Ordering::Relaxed) + size;
        if sign > 0 {
            TABLES[0].fetch_add(size, Ordering::Relaxed);
            TABLES[2].fetch_max(now, Ordering::Relaxed);
            ALIGNED.fetch_max(layout.align() as i64, Ordering::Relaxed);
        }
    }
}

#[allow(unsafe_code)]
// SAFETY: every call goes to the system's allocator as it came.
unsafe impl GlobalAlloc for Peak {
    unsafe fn alloc(&self, layout: Layout) -> *mut u8 {
        count(layout, 1);
        count_table(layout, 1);
        // SAFETY: by the caller.
        unsafe { System.alloc(layout) }
    }

    unsafe fn alloc_zeroed(&self, layout: Layout) -> *mut u8 {
        count(layout, 1);
        count_table(layout, 1);
        // As if it took its time: the others go on meanwhile.
        if layout.size() >= LARGE {
            thread::yield_now();
        }
        // SAFETY: by the caller.
        unsafe { System.alloc_zeroed(layout) }
    }

    unsafe fn dealloc(&self, pointer: *mut u8, layout: Layout) {
        count(layout, -1);
        count_table(layout, -1);
        // SAFETY: by the caller.
        unsafe { System.dealloc(pointer, layout) }
    }
}

#[global_allocator]
static ALLOCATOR: Peak = Peak;

fn tables() -> [i64; 3] {
    [0, 1, 2].map(|index| TABLES[index].load(Ordering::Relaxed))
}

/// Frees what the collector holds back, as far as no other thread is pinned.
fn collect() {
    fleeting::release_thread_memory();
    for _ in 0..1_000 {
        crossbeam_epoch::pin().flush();
    }
    fleeting::release_thread_memory();
}

/// Pages that this thread was given so far.
#[cfg(target_os = "linux")]
fn pages() -> u64 {
    let text = std::fs::read_to_string("/proc/thread-self/stat").expect("Linux has /proc");
    let after = text.rsplit_once(')').expect("a name in brackets").1;
    after.split_whitespace().nth(7).and_then(|number| number.parse().ok()).expect("the minor faults")
}

/// The most pages that one insert touches while the table begins to grow from this many buckets.
#[cfg(target_os = "linux")]
fn pages_of_growth(buckets: u64) -> u64 {
    let cache: Cache<u64, u64> = Cache::builder().cleanup_interval(Duration::ZERO).build().expect("sane");
    let entries = 4 * buckets;
    (0..entries - 100).for_each(|key| _ = cache.insert(key, key));
    let (before, mut most) = (tables()[0], 0);
    for key in entries - 100..entries + 1_000 {
        let pages_before = pages();
        cache.insert(key, key);
        most = most.max(pages() - pages_before);
    }
    assert!(tables()[0] - before >= 2 * BUCKET * buckets as i64, "it began to grow");
    most
}

#[cfg(target_os = "linux")]
fn an_insert_does_not_zero_the_table() {
    let pages = [1 << 15, 1 << 18].map(pages_of_growth);
    println!("pages touched by one insert that begins to grow: {pages:?}");
    // A sanitizer's allocator writes of each byte that it hands out.
    assert!(cfg!(fleeting_unpooled) || pages.iter().all(|&pages| pages < 100), "{pages:?}");
    assert!(ALIGNED.load(Ordering::Relaxed) <= 16, "not what the allocator zeroes by itself");
}

fn many_threads_make_few_tables() {
    for (threads, entries, buckets) in [(8, 400_000, 1 << 17), (32, 1_000_000, 1 << 18)] {
        collect();
        let before = tables();
        TABLES[2].store(before[1], Ordering::Relaxed);
        let cache: Cache<u64, u64> = Cache::builder().cleanup_interval(Duration::ZERO).build().expect("sane");
        thread::scope(|scope| {
            for thread in 0..threads {
                let cache = &cache;
                scope.spawn(move || {
                    (0..entries / threads).for_each(|number| _ = cache.insert(number * threads + thread, 1));
                });
            }
        });
        let after = tables();
        let last = (BUCKET * buckets) as f64;
        let (made, at_once) = ((after[0] - before[0]) as f64 / last, (after[2] - before[1]) as f64 / last);
        println!(
            "{threads} threads, {entries} entries: made {made:.2} times the last table, {at_once:.2} times at once"
        );
        // The last two are there at once; two more may be, for threads that wait for a core.
        assert!(at_once < 3.6, "{made} times the last table, {at_once} times at once");
        assert_eq!(cache.len() as u64, entries);
    }
}

#[derive(Clone, PartialEq, Eq)]
struct Same(u64);

impl Hash for Same {
    fn hash<H: Hasher>(&self, state: &mut H) {
        7_u64.hash(state);
    }
}

type SameCache = Cache<Same, u64>;

/// Removes all entries; how many it did.
type Way = fn(&SameCache, &ManualClock) -> u64;

/// The most that is allocated, in bytes an entry, while so many entries of one hash come, and while they go.
fn peak(entries: u64, go: Way) -> [i64; 2] {
    collect();
    let clock = ManualClock::new();
    let builder = Cache::builder().clock(clock.clone()).cleanup_interval(Duration::ZERO);
    let cache: SameCache = builder.time_to_live(Duration::from_secs(60)).build().expect("sane");
    let before = BYTES.load(Ordering::Relaxed);
    let peak = || (BYTES_MAX.load(Ordering::Relaxed) - before) / entries as i64;
    BYTES_MAX.store(before, Ordering::Relaxed);
    (0..entries).for_each(|key| assert!(cache.insert(Same(key), key)));
    let came = peak();
    collect();
    BYTES_MAX.store(before, Ordering::Relaxed);
    assert_eq!(go(&cache, &clock), entries);
    assert_eq!(cache.len(), 0);
    [came, peak()]
}

fn removals_of_one_hash_take_little_memory() {
    let ways: [(&str, Way); 4] = [
        ("clear", |cache, _| {
            cache.clear();
            cache.stats().removed
        }),
        ("retain", |cache, _| {
            let mut asked = 0;
            cache.retain(|_, _| {
                asked += 1;
                false
            });
            asked
        }),
        ("sweep", |cache, clock| {
            clock.advance(Duration::from_secs(61));
            cache.sweep() as u64
        }),
        ("walk past what has expired", |cache, clock| {
            clock.advance(Duration::from_secs(61));
            assert_eq!(cache.iter().count(), 0);
            cache.stats().expired
        }),
    ];
    for (name, go) in ways {
        let peaks = [1_000, 4_000].map(|entries| peak(entries, go));
        println!("{name}: bytes an entry, coming and going: {peaks:?}");
        // 40 bytes an entry, beside key and value, 16 of the spill, some 10 of its record; and what a thread holds
        // back, which is 1 MiB at most.
        let limits = [1_000, 4_000].map(|entries| 400 + (2 << 20) / entries);
        let is_little = |(peak, limit): (&[i64; 2], i64)| peak.iter().all(|&bytes| bytes < limit);
        assert!(peaks.iter().zip(limits).all(is_little), "{name}: {peaks:?}");
    }
}

#[test]
fn one_call_takes_little_memory() {
    #[cfg(target_os = "linux")]
    an_insert_does_not_zero_the_table();
    many_threads_make_few_tables();
    removals_of_one_hash_take_little_memory();
}

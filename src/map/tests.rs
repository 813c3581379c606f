//! What shows of the table from inside only: when it grows, how it spills and fills, and how it leaves a bucket whose slots are all claimed.

#![cfg(not(any(loom, shuttle, fleeting_tiny)))]

use super::bucket::SLOTS;
use super::migrate::makers;
use super::table::BUCKETS_MIN;
use super::*;
use crate::expiry::NEVER;

type TestMap = Map<Entry<u64, u64>>;

/// A hash in a bucket of the smallest table; the lower `number` sorts first.
fn hash(bucket: u64, number: u64) -> u64 {
    bucket << 61 | number
}

fn entry(hash: u64, key: u64) -> Owned<Entry<u64, u64>> {
    Entry::new(hash, key, 0, NEVER, NEVER)
}

/// Puts a new key, as often as it takes, but not for ever; returns the tries.
fn put(map: &TestMap, hash: u64, key: u64) -> usize {
    let guard = reclaim::pin();
    let mut node = entry(hash, key);
    for tries in 1..10 {
        let seat = map.seek(hash, |other| *other.key() == key, &guard);
        assert!(seat.node().is_none(), "a new key");
        match map.put(&seat, node, &guard) {
            Ok(_) => return tries,
            Err(back) => node = back,
        }
    }
    panic!("no free slot, and the table was not renewed");
}

fn has(map: &TestMap, hash: u64, key: u64) -> bool {
    map.find(hash, |other| *other.key() == key, &reclaim::pin()).is_some()
}

/// The hashes that a whole walk sees, in its order.
fn walk(map: &TestMap) -> Vec<u64> {
    let (mut seen, mut from) = (Vec::new(), Some(0));
    while let Some(start) = from {
        from = map.visit(start, 3, &reclaim::pin(), |node, _| seen.push(node.hash()));
    }
    seen
}

/// The header of the bucket of a hash, in the root table.
fn header(map: &TestMap, hash: u64) -> Header {
    let guard = reclaim::pin();
    let root = map.root(&guard);
    root.bucket(root.index(hash)).0.load(Ordering::Acquire)
}

/// Catches a table that is too small or too large for its entries, and a wrong amount of memory asked for in advance.
#[test]
fn a_table_holds_four_entries_a_bucket() {
    let buckets = |entries| TestMap::buckets_for(entries);
    assert_eq!([0, 1, 31, 32, 63, 64, 1_000, 4_096].map(buckets), [8, 8, 8, 16, 16, 32, 256, 2_048]);
    for entries in [0, 31, 32, 1_000, 4_096] {
        assert_eq!(TestMap::table_bytes(entries), buckets(entries) * 80);
    }
    assert_eq!(TestMap::table_bytes(usize::MAX), usize::MAX, "saturates");
}

/// Catches a growth that is asked for too early, too late, by all at once, or never once those who announced one
/// have stopped; or never once tables are large.
#[test]
fn a_table_is_loaded_above_four_entries_a_bucket() {
    let guard = reclaim::pin();
    let map = TestMap::with_capacity(0);
    assert_eq!(map.buckets(&guard), BUCKETS_MIN);
    let limits = [0, 31, 32, 33, 48, 49, 72, 73, 108, 109];
    assert_eq!(limits.map(|entries| makers(8, entries)), [0, 0, 0, 1, 1, 2, 2, 3, 3, 4]);
    assert_eq!([1 << 24, (1 << 24) + 1].map(|entries| makers(1 << 22, entries)), [0, 1]);
    assert_eq!(makers(usize::MAX / 8, usize::MAX), 2, "saturates");
    let looks = |map: &TestMap| [0, 1 << 32, 7 << 32, 8 << 32, 9 << 32].map(|hash| map.is_worth_a_look(hash, &guard));
    assert_eq!(looks(&map), [true; 5]);
    assert_eq!(looks(&TestMap::with_capacity(2_000)), [true; 5], "512 buckets");
    assert_eq!(looks(&TestMap::with_capacity(2_048)), [true, false, false, true, false], "1,024 buckets");
}

/// Catches growth by a thread that need not, although another has announced it; and growth that ends with a thread
/// that stopped right after its announcement.
#[test]
fn a_growth_is_begun_by_who_announced_it_or_later_by_another() {
    let guard = reclaim::pin();
    let map = TestMap::with_capacity(0);
    let grows = |entries| {
        map.grow_for(entries, &guard);
        map.root(&guard).next(&guard).is_some()
    };
    // As a thread does that stops before it allocates.
    assert!(map.root(&guard).announce(0) && !map.root(&guard).announce(0));
    assert!(!grows(32) && !grows(33) && !grows(48), "announced by another");
    assert!(map.root(&guard).announce(1));
    assert!(!grows(72), "by two others");
    assert!(grows(73));
    assert_eq!(map.root(&guard).announced(), 3);
    assert!(grows(10_000) && map.root(&guard).announced() == 3, "under way");
    while map.help(&guard) {}
    assert_eq!((map.buckets(&guard), map.root(&guard).announced()), (16, 0));
    assert!(!grows(64) && grows(65));
}

/// Catches a walk that goes by the wrong buckets or out of order, or does not say where it ended.
#[test]
fn a_walk_is_in_hash_order_a_few_buckets_at_a_time() {
    let map = TestMap::with_capacity(0);
    let mut hashes: Vec<u64> = (0..8).flat_map(|bucket| (0..4).map(move |number| hash(bucket, number << 50))).collect();
    hashes.iter().rev().for_each(|&hash| assert_eq!(put(&map, hash, hash), 1));
    let guard = reclaim::pin();
    let visit = |from, buckets| {
        let mut seen = 0;
        (map.visit(from, buckets, &guard, |_, _| seen += 1), seen)
    };
    assert_eq!(visit(0, 3), (Some(3 << 61), 12));
    assert_eq!(visit(2 << 61, 3), (Some(5 << 61), 12));
    assert_eq!(visit(5 << 61, 2), (Some(7 << 61), 8));
    assert_eq!(visit(7 << 61, 1), (None, 4));
    assert_eq!(visit(7 << 61, 30), (None, 4));
    assert_eq!(visit(1 << 61, 0), (Some(2 << 61), 4), "at least one");
    let seen = walk(&map);
    assert_eq!(
        seen.iter().map(|hash| hash >> 61).collect::<Vec<_>>(),
        hashes.iter().map(|hash| hash >> 61).collect::<Vec<_>>()
    );
    // By the table that grows, half-way, and after: in sixteen buckets, so in a finer order.
    assert!(map.grow(1, &guard));
    map.seek(hashes[9], |_| true, &guard);
    for _ in 0..3 {
        let seen = walk(&map);
        assert!(seen.is_sorted_by_key(|hash| hash >> 60), "{seen:x?}");
        let mut sorted = seen;
        sorted.sort_unstable();
        assert_eq!(sorted, hashes);
        map.help(&guard);
    }
    hashes.retain(|&hash| !has(&map, hash, hash));
    assert_eq!(hashes, []);
}

/// Catches a growth that is not finished by helping, or is begun twice.
#[test]
fn growth_ends_by_helping() {
    let guard = reclaim::pin();
    let map = TestMap::with_capacity(4_000);
    assert_eq!(map.root(&guard).len(), 1_024);
    assert!(!map.help(&guard), "nothing to help");
    assert!(map.grow(1, &guard) && !map.grow(1, &guard) && !map.grow(9, &guard));
    // A stride of two each, then a check of 32 each.
    let helps = (0..1_000).take_while(|_| map.help(&guard)).count();
    assert_eq!(helps, 1_024 / 2 + 1_024 / 32);
    assert_eq!(map.root(&guard).len(), 2_048);
    assert!(map.root(&guard).next(&guard).is_none());
}

/// Catches a bucket that spills too early or too late, moves the wrong entry, or does not drain.
#[test]
fn a_bucket_spills_when_six_slots_are_full() {
    let map = TestMap::with_capacity(0);
    let same = hash(3, 5 << 24);
    for key in 0..6 {
        put(&map, same, key);
        assert_eq!((header(&map, same).count(), header(&map, same).spill()), (key as u32 + 1, None));
    }
    for key in 6..12 {
        put(&map, same, key);
        let header = header(&map, same);
        assert_eq!(header.count(), 6);
        assert_eq!(header.nodes(), header.published() & !(1 << header.spill().expect("spilled")));
    }
    assert!((0..12).all(|key| has(&map, same, key)) && !has(&map, same, 12));
    let guard = reclaim::pin();
    for key in 0..12 {
        let seat = map.seek(same, |other| *other.key() == key, &guard);
        assert!(map.cut(&seat, &guard).is_some_and(|node| *node.node().key() == key));
        assert!(map.cut(&seat, &guard).is_none(), "the seat is out of date");
        assert_eq!(walk(&map).len(), 11 - key as usize);
    }
    assert_eq!((header(&map, same).count(), header(&map, same).spill()), (0, None));
}

/// Catches a destination that is filled with the wrong entries, or with too many for a change to find a slot to claim.
#[test]
fn growth_fills_a_bucket_as_inserts_would() {
    for count in [0, 1, 5, 6, 7, 8, 15] {
        let map = TestMap::with_capacity(0);
        let (lower, upper) = (hash(3, 9 << 24), hash(3, 1 << 60 | 7 << 24));
        (0..count).for_each(|key| assert_eq!(put(&map, lower, key), 1));
        (0..20).for_each(|key| assert_eq!(put(&map, upper, key), 1));
        let guard = reclaim::pin();
        assert!(map.grow(1, &guard));
        while map.help(&guard) {}
        let (filled, other) = (header(&map, lower), header(&map, upper));
        assert_eq!(filled.published(), if count < 6 { (1 << count) - 1 } else { 0x3F }, "{count}");
        assert_eq!(filled.spill(), (count > 6).then_some(5), "{count}");
        assert_eq!((other.published(), other.spill()), (0x3F, Some(5)));
        assert!((0..count).all(|key| has(&map, lower, key)) && (0..20).all(|key| has(&map, upper, key)));
        assert!(!has(&map, lower, count) && !has(&map, upper, 20));
        assert_eq!(put(&map, lower, 100), 1);
        assert_eq!(walk(&map).len(), count as usize + 21);
    }
}

/// Catches a bucket that stays unusable once threads have stopped after they claimed its slots, and a table that is
/// renewed although another is there to move to.
#[test]
fn a_bucket_whose_slots_are_claimed_is_left() {
    let (map, same) = (TestMap::with_capacity(0), hash(5, 1 << 24));
    (0..3).for_each(|key| assert_eq!(put(&map, same, key), 1));
    let guard = reclaim::pin();
    let root = map.root(&guard);
    root.stop_claiming(root.index(same));
    assert_eq!(put(&map, same, 3), 2);
    let next = root.next(&guard).expect("a table of the same size");
    assert_eq!((next.len(), map.renewals()), (root.len(), 1));
    assert_eq!(header(&map, same).count(), 3, "the root is still the old one, frozen there");
    assert!(header(&map, same).is_frozen() && !header(&map, hash(4, 0)).is_frozen());
    // Another bucket of the old table moves into the new one, and none is made.
    root.stop_claiming(root.index(hash(4, 0)));
    assert_eq!(put(&map, hash(4, 0), 9), 2);
    assert!(next.next(&guard).is_none() && map.renewals() == 1);
    // Again, in the new table, while that growth is under way: another begins behind it.
    next.stop_claiming(next.index(same));
    assert_eq!(put(&map, same, 4), 2);
    assert!(map.root(&guard).is(root) && map.renewals() == 2);
    let third = next.next(&guard).expect("a third table");
    // And in the third: one growth ends first.
    third.stop_claiming(third.index(same));
    assert_eq!(put(&map, same, 5), 2);
    assert!(map.root(&guard).is(next) && map.renewals() == 3);
    let last = third.next(&guard).expect("a fourth table");
    assert_eq!(last.len(), root.len());
    assert_eq!(last.bucket(last.index(same)).0.load(Ordering::Acquire).count(), 6);
    while map.help(&guard) {}
    assert!(map.root(&guard).is(last));
    assert!((0..6).all(|key| has(&map, same, key)));
    assert_eq!(walk(&map), [&[hash(4, 0)][..], &[same; 6]].concat());
}

/// Catches a bucket in which one thread that stopped in the midst of a change is in the way of others, or one that
/// is only late makes them renew the table.
#[test]
fn a_claim_is_in_nobodys_way_unless_it_stays() {
    let (map, same) = (TestMap::with_capacity(0), hash(5, 1 << 24));
    (0..30).for_each(|key| assert_eq!(put(&map, same, key), 1));
    let guard = reclaim::pin();
    let root = map.root(&guard);
    let (head, line) = root.bucket(root.index(same));
    let free = || (0..SLOTS).find(|slot| head.load(Ordering::Acquire).published() >> slot & 1 == 0);
    let (stopped, claimed) = (core::ptr::without_provenance_mut(64), free().expect("two are"));
    assert!(line.claim(claimed, stopped));
    for key in 30..60 {
        assert_eq!(put(&map, same, key), 1);
    }
    // All are claimed, and one is given back soon.
    line.vacate(claimed);
    root.stop_claiming(root.index(same));
    let late = std::thread::scope(|scope| {
        scope.spawn(|| {
            (0..50).for_each(|_| std::thread::yield_now());
            line.vacate(claimed);
        });
        let begun = crate::clock::Stopwatch::start();
        put(&map, same, 60);
        begun.elapsed()
    });
    // On a machine that did not let the other run for so long, it was rightly taken for stopped.
    assert!(map.renewals() == 0 || late >= claim::PATIENCE, "{late:?}");
}

/// Catches a renewal that does not come because a thread that announced it was stopped, and more than one of two
/// that wait.
#[test]
fn a_renewal_that_was_announced_is_waited_for_once() {
    let (map, same) = (TestMap::with_capacity(0), hash(5, 1 << 24));
    let guard = reclaim::pin();
    let root = map.root(&guard);
    root.stop_claiming(root.index(same));
    assert!(root.announce(0));
    // One that has waited since before that announcement does not renew; one that has waited since does.
    map.renew(root, root.index(same), 0, &guard);
    assert!(root.next(&guard).is_none() && map.renewals() == 0);
    assert_eq!(put(&map, same, 1), 2);
    assert!(root.next(&guard).is_some() && map.renewals() == 1 && root.announced() == 2);
}

/// Catches entries that a removal of many leaves, or takes though they are not named; a bucket that it leaves as it
/// should not be, a spill that it copies for each.
#[test]
fn many_are_cut_at_once() {
    for (count, from, to) in [(12, 0, 12), (12, 0, 11), (12, 3, 9), (30, 5, 30), (4, 1, 3), (0, 0, 0), (9, 9, 9)] {
        let map = TestMap::with_capacity(0);
        // Of two hashes, in one bucket.
        let hash_of = |key: u64| hash(3, (5 + key % 2) << 24);
        (0..count).for_each(|key| assert_eq!(put(&map, hash_of(key), key), 1));
        put(&map, hash(4, 0), 100);
        let guard = reclaim::pin();
        let all = [map.nodes(hash_of(0), &guard), map.nodes(hash_of(1), &guard)].concat();
        assert_eq!(all.len() as u64, count);
        let is_doomed = |key: u64| (from..to).contains(&key) || key == 100;
        let mut doomed: Vec<_> = all.into_iter().chain(map.nodes(hash(4, 0), &guard)).collect();
        doomed.retain(|node| is_doomed(*node.key()));
        let version = header(&map, hash_of(0));
        let mut gone = Vec::new();
        map.cut_all(&mut doomed, &guard, |unlinked| gone.push(*unlinked.node().key()));
        gone.sort_unstable();
        assert_eq!(gone, (from..to).chain([100]).collect::<Vec<_>>());
        let header = header(&map, hash_of(0));
        assert_eq!(header == version, from == to, "one change, or none");
        assert!((0..count).all(|key| has(&map, hash_of(key), key) != is_doomed(key)));
        assert_eq!(walk(&map).len() as u64, count - (to - from), "{count} {from} {to}");
        // Once more: they are gone.
        map.cut_all(&mut doomed, &guard, |_| panic!("removed twice"));
        // All slots can be used again.
        let left = walk(&map).len();
        (200..220).for_each(|key| assert_eq!(put(&map, hash_of(key), key), 1));
        assert_eq!(walk(&map).len(), left + 20);
    }
}

/// Catches a change that is made to a bucket although it changed since the seek.
#[test]
fn a_seat_is_good_for_one_change() {
    let (map, guard) = (TestMap::with_capacity(0), reclaim::pin());
    let (one, other) = (hash(1, 1 << 24), hash(1, 2 << 24));
    let seat = map.seek(one, |_| true, &guard);
    put(&map, other, 2);
    let back = map.put(&seat, entry(one, 1), &guard).err().expect("the bucket has changed");
    assert!(!has(&map, one, 1) && has(&map, other, 2));
    let seat = map.seek(one, |_| true, &guard);
    assert!(map.put(&seat, back, &guard).is_ok_and(|put| put.old.is_none() && !put.crowded));
    // The slot that the first try had claimed was given back.
    (10..14).for_each(|key| assert_eq!(put(&map, other, key), 1));
    assert_eq!((header(&map, one).count(), header(&map, one).spill()), (6, None));
}

/// Catches a put that does not say how full its bucket is: by that, tables grow.
#[test]
fn a_bucket_is_crowded_from_the_mean_on() {
    let (map, guard) = (TestMap::with_capacity(0), reclaim::pin());
    let same = hash(2, 1 << 24);
    for key in 0..10 {
        let seat = map.seek(same, |other| *other.key() == key, &guard);
        let put = map.put(&seat, entry(same, key), &guard).expect("nobody else is here");
        assert_eq!(put.crowded, key >= 4, "{key}");
    }
}

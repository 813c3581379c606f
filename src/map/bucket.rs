//! One bucket: its header word, its tags, its line of slots; every bit layout of the map.
//!
//! ```text
//! header  63 ............................ 14 | 13    | 12     | 11..8        | 7..0
//!         version, bumped by every change    | READY | FROZEN | spill's slot | published slots
//! tags    eight bytes, one of hash a slot, never 0; the whole word is 0 until a bucket is filled
//! slot    a node's or the spill's pointer, or UNSET (null: never used), or EMPTY (1: used before); two low bits of a
//!         node's pointer are kept free for the eviction policy's frequency count
//! ```
//!
//! The spill's slot is kept as 0 for none, else the slot's number plus one.

use core::ptr;

use crate::sync::{AtomicPtr, AtomicU64, Ordering, TINY};

/// Slots in a bucket. A model takes as few as still overflow.
pub const SLOTS: usize = if TINY { 3 } else { 8 };

/// At most so many slots are published. Two are left for changes to claim, so that one thread that is preempted
/// while it holds a claim is in nobody's way; in a model one, so that all meet it.
pub const PUBLISHED_MAX: u32 = SLOTS as u32 - if TINY { 1 } else { 2 };

const SLOT_BITS: u64 = (1 << SLOTS) - 1;
const SPILL_SHIFT: u32 = 8;
const SPILL_BITS: u64 = 0xF << SPILL_SHIFT;
const FROZEN: u64 = 1 << 12;
const READY: u64 = 1 << 13;
const VERSION_ONE: u64 = 1 << 14;

/// A value of a bucket's header: the bucket's only truth.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct Header(u64);

impl Header {
    /// The first header of a bucket: READY, these slots published, this one of them the spill.
    pub fn ready(published: u64, spill: Option<usize>) -> Header {
        Header(READY | published | spill_bits(spill))
    }

    /// Published slots, the spill's among them.
    #[inline]
    pub fn published(self) -> u64 {
        self.0 & SLOT_BITS
    }

    /// Published slots that hold nodes.
    #[inline]
    pub fn nodes(self) -> u64 {
        match self.spill() {
            None => self.published(),
            Some(slot) => self.published() & !(1 << slot),
        }
    }

    /// The slot that holds the spill.
    #[inline]
    pub fn spill(self) -> Option<usize> {
        let number = (self.0 & SPILL_BITS) >> SPILL_SHIFT;
        (number != 0).then(|| number as usize - 1)
    }

    /// How many slots are published.
    pub fn count(self) -> u32 {
        self.published().count_ones()
    }

    /// Whether growth made the content final.
    #[inline]
    pub fn is_frozen(self) -> bool {
        self.0 & FROZEN != 0
    }

    /// Whether the bucket has been filled.
    #[inline]
    pub fn is_ready(self) -> bool {
        self.0 & READY != 0
    }

    /// The header after one change: these slots cleared, these set, the spill there.
    pub fn changed(self, clear: u64, set: u64, spill: Option<usize>) -> Header {
        let kept = self.0 & !(clear | SPILL_BITS);
        Header((kept | set | spill_bits(spill)).wrapping_add(VERSION_ONE))
    }
}

fn spill_bits(spill: Option<usize>) -> u64 {
    spill.map_or(0, |slot| (slot as u64 + 1) << SPILL_SHIFT)
}

/// What every look-up reads first; 16 bytes a bucket, so that the heads of a big table stay dense.
#[repr(C, align(16))]
#[derive(Debug)]
pub struct Head {
    header: AtomicU64,
    tags: AtomicU64,
}

impl Head {
    #[cfg(any(loom, shuttle, fleeting_hooked))]
    pub fn unset() -> Head {
        Head { header: AtomicU64::new(0), tags: AtomicU64::new(0) }
    }

    #[inline]
    #[cfg_attr(any(loom, shuttle, fleeting_hooked), track_caller)]
    pub fn load(&self, order: Ordering) -> Header {
        Header(self.header.load(order))
    }

    #[inline]
    #[cfg_attr(any(loom, shuttle, fleeting_hooked), track_caller)]
    pub fn load_tags(&self, order: Ordering) -> Tags {
        Tags(self.tags.load(order))
    }

    /// The step that makes any change: true if the header was still `from`.
    #[inline]
    pub fn advance(&self, from: Header, to: Header) -> bool {
        // Ordering: Release [publish-entry] with the Acquire load of the header in `look` and `seek`:
        // carries the node's content, the slot and the tag. No Acquire: `from` was loaded with it, and no two headers are equal (M2).
        self.header.compare_exchange(from.0, to.0, Ordering::Release, Ordering::Relaxed).is_ok()
    }

    /// Makes the content final; returns it.
    pub fn freeze(&self) -> Header {
        // Ordering: Acquire [freeze-bucket] with the Release of `advance`: the helper reads the slots of
        // every change before the freeze. Release, so that the chain of changes is not broken by it.
        Header(self.header.fetch_or(FROZEN, Ordering::AcqRel) | FROZEN)
    }

    /// Sets one slot's tag. Only the slot's claimant may.
    #[inline]
    pub fn set_tag(&self, slot: usize, tag: u8) {
        let shift = slot as u32 * 8;
        // Ordering: Relaxed: nobody else writes this byte while the slot is claimed.
        let old = (self.tags.load(Ordering::Relaxed) >> shift) as u8;
        if old == tag {
            return;
        }
        // Ordering: Release [recycle-slot] with the Acquire load of the tags in `look`: a reader that sees
        // this tag sees that the slot's last entry is gone, and so fails its validation.
        self.tags.fetch_xor(u64::from(old ^ tag) << shift, Ordering::Release);
    }

    /// Sets all tags of a bucket that is being filled; late helpers fail.
    pub fn fill_tags(&self, tags: Tags) {
        // Ordering: Relaxed: `fill` publishes them with the header. No tag is 0, so no filled word is.
        let _ = self.tags.compare_exchange(0, tags.0, Ordering::Relaxed, Ordering::Relaxed);
    }

    /// Publishes a filled bucket; true for the one helper that did.
    pub fn fill(&self, header: Header) -> bool {
        // Ordering: Release [migrate-bucket] with the Acquire load of the header: carries that slots and tags are filled (those of other helpers,
        // too, which this one's CAS has met: no load that comes after can miss them). No Acquire: whoever finds the bucket READY loads
        // the header anew.
        self.header.compare_exchange(0, header.0, Ordering::Release, Ordering::Relaxed).is_ok()
    }
}

/// The eight tags of a bucket.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct Tags(u64);

impl Tags {
    /// Tags of a bucket without entries. Not 0: that is the mark of a bucket that is not filled.
    pub const NONE: Tags = Tags(0x0101_0101_0101_0101);

    /// The tag of a hash: never 0.
    #[inline]
    pub fn tag(hash: u64) -> u8 {
        ((hash >> 24) as u8).max(1)
    }

    /// With one slot's tag set.
    pub fn with(self, slot: usize, tag: u8) -> Tags {
        let shift = slot as u32 * 8;
        Tags(self.0 & !(0xFF << shift) | u64::from(tag) << shift)
    }

    /// The slots whose tag is `tag`, one bit a slot, compared all at once.
    ///
    /// Exact (no false positives from borrows): Hacker's Delight, 2nd edition, section 6-1.
    #[inline]
    pub fn matching(self, tag: u8) -> u64 {
        const LOW7: u64 = 0x7F7F_7F7F_7F7F_7F7F;
        let difference = self.0 ^ (u64::from(tag) * 0x0101_0101_0101_0101);
        let zeros = !(((difference & LOW7) + LOW7) | difference | LOW7);
        // The eight top bits, gathered into the low byte.
        (zeros >> 7).wrapping_mul(0x0102_0408_1020_4080) >> 56
    }
}

/// The slots of a bucket: one cache line.
#[repr(C, align(64))]
#[derive(Debug)]
pub struct Line<N> {
    slots: [AtomicPtr<N>; SLOTS],
}

impl<N> Line<N> {
    #[cfg(any(loom, shuttle, fleeting_hooked))]
    pub fn unset() -> Line<N> {
        Line { slots: core::array::from_fn(|_| AtomicPtr::new(ptr::null_mut())) }
    }

    #[inline]
    pub fn load(&self, slot: usize) -> *mut N {
        // Ordering: Acquire [recycle-slot] with the Release of `vacate`, which `claim` passes on: a reader that sees a later claimant's
        // word also sees the header that unpublished the slot before, and so fails its validation.
        self.slots[slot].load(Ordering::Acquire)
    }

    /// A slot's word, not to be followed.
    #[inline]
    pub fn glance(&self, slot: usize) -> *mut N {
        // Ordering: Relaxed: it leads nowhere.
        self.slots[slot].load(Ordering::Relaxed)
    }

    /// Takes a free slot of a READY bucket.
    #[inline]
    pub fn claim(&self, slot: usize, word: *mut N) -> bool {
        let target = &self.slots[slot];
        // Ordering: Relaxed: a glance; the CAS decides.
        let free = target.load(Ordering::Relaxed);
        (free.is_null() || free == empty())
            // Ordering: Acquire [recycle-slot] with the Release of `vacate`: the slot's tag, as its last claimant left it, is what `set_tag` goes by.
            // No Release: for `load`, this read-modify-write goes on with the release sequence of that `vacate` (C++20 [intro.races]).
            // No model shows its Acquire: `rename_against_delete_against_save` did (a save was lost) before slots were chosen by their tags.
            && target.compare_exchange(free, word, Ordering::Acquire, Ordering::Relaxed).is_ok()
    }

    /// Gives a slot back: the last entry's, once it is unpublished, or one that was claimed in vain.
    #[inline]
    pub fn vacate(&self, slot: usize) {
        // Ordering: Release [recycle-slot] with the Acquire of `claim`: the claimant comes after the header
        // change that unpublished the slot.
        self.slots[slot].store(empty(), Ordering::Release);
    }

    /// Fills a slot of a bucket that is not READY yet; false if another helper did, or the bucket is READY by now (G2).
    pub fn fill(&self, slot: usize, word: *mut N) -> bool {
        // Ordering: Release [migrate-bucket] with the Acquire of `load`: carries the nodes, or the spill's content, to readers, whichever helper
        // publishes the bucket. A helper that fails here touches nothing of the winner's.
        self.slots[slot].compare_exchange(ptr::null_mut(), word, Ordering::Release, Ordering::Relaxed).is_ok()
    }
}

/// The word of a slot that is free again.
fn empty<N>() -> *mut N {
    ptr::without_provenance_mut(1)
}

/// Runs `f` for each set bit, lowest first, until it returns something.
#[inline]
pub fn find_bit<R>(mut bits: u64, mut f: impl FnMut(usize) -> Option<R>) -> Option<R> {
    while bits != 0 {
        if let Some(result) = f(bits.trailing_zeros() as usize) {
            return Some(result);
        }
        bits &= bits - 1;
    }
    None
}

#[cfg(all(test, not(any(loom, shuttle, fleeting_tiny))))]
mod tests {
    use super::*;

    #[test]
    fn matching_agrees_with_a_loop() {
        let mut seed = 0x9E37_79B9_7F4A_7C15_u64;
        for _ in 0..4_000 {
            seed ^= seed << 13;
            seed ^= seed >> 7;
            seed ^= seed << 17;
            // Few distinct byte values, so that matches and near misses (off by one) are common.
            let tags = Tags(seed & 0x8103_0203_8182_0301);
            for tag in 0..=255 {
                let slow = (0..8).filter(|slot| (tags.0 >> (slot * 8)) as u8 == tag).map(|slot| 1 << slot).sum();
                assert_eq!(tags.matching(tag), slow, "{tags:?} {tag}");
            }
        }
    }

    /// Catches tags or slots that are set beside the one that is named.
    #[test]
    fn each_slot_has_its_own_tag_and_word() {
        let head = Head { header: AtomicU64::new(0), tags: AtomicU64::new(0) };
        head.fill_tags(Tags::NONE);
        head.fill_tags(Tags(0x77));
        assert_eq!(head.load_tags(Ordering::Relaxed), Tags::NONE, "the first counts");
        let mut tags = Tags::NONE;
        for slot in 0..SLOTS {
            let tag = 0xF0 | slot as u8;
            tags = tags.with(slot, tag);
            head.set_tag(slot, 0xAB);
            head.set_tag(slot, tag);
            assert_eq!((head.load_tags(Ordering::Relaxed), tags.0.to_le_bytes()[slot]), (tags, tag));
            assert_eq!(tags.matching(tag), 1 << slot);
        }
        let line = Line { slots: core::array::from_fn(|_| AtomicPtr::new(ptr::null_mut())) };
        let word = |slot: usize| ptr::without_provenance_mut::<u64>(8 * slot + 8);
        for slot in 0..SLOTS {
            let is_filled = slot % 2 == 0 && line.fill(slot, word(slot));
            assert!(!(is_filled && line.fill(slot, word(0))));
            assert!(line.claim(slot, word(slot)) != is_filled && !line.claim(slot, word(0)));
            assert_eq!((line.load(slot), line.glance(slot)), (word(slot), word(slot)));
        }
        line.vacate(2);
        assert!((0..SLOTS).all(|slot| !line.fill(slot, word(9))), "used slots are never filled again");
        assert!((0..SLOTS).all(|slot| line.claim(slot, word(9)) == (slot == 2)));
    }

    /// Catches a tag that is no part of the hash beside those that choose the bucket, or is the mark of a bucket that is not filled.
    #[test]
    fn a_tag_is_a_byte_of_the_hash_and_never_zero() {
        assert_eq!([0xAB00_0000, 0xFFFF_FFFF_01FF_FFFF, 0, 0xFFFF_FFFF_00FF_FFFF].map(Tags::tag), [0xAB, 1, 1, 1]);
    }

    /// Catches a header that is filled twice, or changed although it is frozen.
    #[test]
    fn a_header_goes_from_unfilled_by_ready_to_frozen() {
        let head = Head { header: AtomicU64::new(0), tags: AtomicU64::new(0) };
        assert!(!head.load(Ordering::Relaxed).is_ready());
        let ready = Header::ready(0b101, Some(2));
        assert!(head.fill(ready) && !head.fill(Header::ready(0, None)));
        assert_eq!((ready.published(), ready.nodes(), ready.spill(), ready.count()), (0b101, 0b001, Some(2), 2));
        let next = ready.changed(0b100, 0b010, None);
        assert!(head.advance(ready, next) && !head.advance(ready, next));
        assert_eq!((next.published(), next.spill(), next.nodes()), (0b011, None, 0b011));
        let frozen = head.freeze();
        assert!(
            frozen.is_frozen()
                && frozen.is_ready()
                && head.freeze() == frozen
                && head.load(Ordering::Relaxed) == frozen
        );
        assert_eq!((frozen.published(), frozen.spill()), (0b011, None));
        assert!(!head.advance(next, next.changed(0, 0b100, None)));
        for slot in 0..SLOTS {
            assert_eq!(Header::ready(0xFF, Some(slot)).nodes(), 0xFF & !(1 << slot));
        }
        assert_eq!((Header::ready(0xFF, None).count(), Header::ready(0, None).count()), (8, 0));
    }

    /// Catches a walk over bits that leaves one out, or does not stop.
    #[test]
    fn bits_are_found_lowest_first() {
        let mut seen = Vec::new();
        assert_eq!(find_bit(0b1010_0110, |bit| (seen.push(bit), (bit == 5).then_some(bit * 10)).1), Some(50));
        assert_eq!(seen, [1, 2, 5]);
        assert_eq!(find_bit::<()>(1 << 63 | 1, |bit| (seen.push(bit), None).1), None);
        assert_eq!(seen, [1, 2, 5, 0, 63]);
    }

    #[test]
    fn a_change_keeps_what_it_does_not_name() {
        let header = Header::ready(0b0011, None).changed(0b0001, 0b0100, Some(2));
        assert_eq!((header.published(), header.spill(), header.nodes()), (0b0110, Some(2), 0b0010));
        assert!(header.is_ready() && !header.is_frozen());
        assert_ne!(header, Header::ready(0b0110, Some(2)), "the version moved");
    }
}

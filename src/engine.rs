//! The write protocol: the one place where map, deadline and index meet.
//!
//! It is no map and no index; it holds the order of steps by which `touch`, writes, removals and sweeps on one key are
//! linearizable although an entry's presence (a bucket's header), its deadline and its record are three words.
//!
//! # State of an entry
//!
//! ```text
//!              header bit   deadline word
//! live         set          a time after now, or NEVER
//! due          set          a time that has come                 (nobody has decided yet)
//! decided      set          DEAD                                 (expired; whoever meets it cuts it)
//! unsettled    set          UNSETTLED -> see its predecessor     (an update that keeps the deadline, just published)
//! gone         clear        anything                             (retired by whoever cleared the bit)
//! ```
//!
//! # Operations
//!
//! * **find** map.find; live by the clock: the answer. Else `expire` it, or `settle` it, and start over.
//! * **write** (insert, update, compute, remove, ...) map.seek; expire or settle what is there until it is live or absent; ask the caller
//!   what to do; put or cut by one CAS from *the header that the seek validated*. If that fails, start over.
//! * **expire** (1) CAS the deadline from the time that has come to DEAD: decides against touch. (2) seek it by identity and
//!   cut it: decides against writes. Only then may anyone answer "absent". A walk decides at once, and cuts the
//!   spilled ones of some buckets together, before it returns.
//! * **touch** find; CAS the deadline. A shorter one is then covered (below).
//! * **update that keeps the deadline** publish the new entry UNSETTLED, in the old one's place. To settle: close the old
//!   deadline (touches on it fail from then on, and look for the successor), or, if it has come, CAS it to DEAD; CAS that time into
//!   the new one. Anyone who meets an unsettled entry does this. If DEAD was inherited, the new entry is cut, and the key was absent.
//! * **cover** makes F1 hold for an entry: unless a claim stands at or before its tick: file, then claim.
//! * **after a replacement** fence; the new entry takes the old one's claim over if it still stands; else, cover. Then notify.
//! * **sweep** for each record (hash, tick): for each entry of that hash with no claim or one of that tick: expire it if it is due, else
//!   void its claim, fence, and cover it; look again, until none is left that was not handled.
//!
//! # Why it is linearizable
//!
//! * **X1** Every answer "absent" is a map operation that found no bit, and every expiry clears the bit (step 2) before anyone
//!   acts on it. So expiry is a removal like any other, and presence is decided by the header alone.
//! * **X2** A write's header CAS fails if any expiry of that entry took step 2 since its seek. If the entry was merely decided, the write wins,
//!   the expirer's cut fails, and it starts over: the write came first.
//! * **X3** A touch that succeeds found the bit set after it began, and changed the deadline from a time it had seen live; so it takes effect
//!   before any removal or replacement that wins meanwhile, unless one of these keeps the deadline: that closes
//!   the word first (X4). Against expiry, one CAS on the deadline decides, and it does so for all: nobody answers by a
//!   deadline that has come without having moved the word to DEAD.
//! * **X4** `touch-versus-update`: the successor's deadline is read by closing the predecessor's. A touch before the close is inherited, one after it
//!   fails and finds the successor. An entry is settled before it is replaced or retired, and its predecessor is retired only
//!   after it was settled by the thread that replaced it: an unsettled entry's predecessor is alive under any guard that
//!   met it unsettled.
//!
//! * **X7** A write that is dead on arrival answers by a look at the map that was made after its deadline had come: by an earlier one it
//!   could say of an entry, or of its absence, what was no longer so.
//! * **X8** Likewise, a time to live that begins while the caller decides is given only in the place of an entry that is live after that: else
//!   the write would come before the old deadline, and its time to live after it.
//! * **X9** Whether an entry is live is told by its deadline, loaded first, and the clock, read after: so it was live when the deadline was
//!   loaded. The other way round, a touch that comes late could set, in between, a deadline that has come.
//!
//! * **X10** `late-touch`: a touch may set a deadline that has come meanwhile: a removal of what was live, by the order of things. An
//!   update that read the deadline before, and inherits this one, must then find the key absent, and cannot know it before it has
//!   published. So it settles only by a deadline that it, or whoever settled, loaded before a reading of the clock by which it had
//!   not come: the entry was live, at a moment at which the update had been published and nobody had seen it. Else the expiry is decided
//!   on the predecessor, as anyone may who meets a deadline that has come: the new entry was never live.
//!
//! # Why nothing is forgotten (F1)
//!
//! * **X5** `replace-versus-refile`: the replacer publishes, fences, then reads the old entry's claim, and takes it over only if it still stands.
//!   The sweeper voids the claim, fences, then looks at the map again. One of them sees the other: the replacer finds no
//!   claim and files, or the sweeper meets the new entry and handles it. The claim is taken over by a CAS from the
//!   state that the new entry was published with, so it cannot overwrite what a sweeper did to that entry since.
//! * **X6** `shorten-versus-refile`: touch moves the deadline, fences, reads the claim; the sweeper, or a replacer that takes a claim over,
//!   writes the claim, fences, reads the deadline (`cover` loops until the claim it sees suffices). One of them sees the other.
//!
//! # Orderings
//!
//! | label | sites | carries |
//! |---|---|---|
//! | touch-versus-sweep | CAS of the deadline in `change_deadline`, `close_deadline`, `settle`; its loads | the decision between touch and expiry |
//! | touch-versus-update | CAS of the predecessor's deadline in `close_deadline`, then of the successor's in `settle` | X4 |
//! | replace-versus-refile | fences in `after_replacement`, `void` | X5 |
//! | shorten-versus-refile | fences in `set_deadline`, `cover`, `void`, `after_replacement` | X6 |
//!
//! # Progress
//!
//! Lock-free: each retry is caused by another thread's successful CAS. User code (the caller's decision, `Eq`, the listener) runs between
//! steps, never inside one.

mod cause;
mod doomed;
mod handled;
mod operation;
mod own_key;
mod prefetch;
mod relief;
mod sweep;
#[cfg(test)]
mod tests;

use core::fmt;
use std::sync::Arc;

pub use self::cause::RemovalCause;
use self::doomed::Doomed;
use self::handled::Handled;
use self::operation::Notifier;
pub use self::operation::{Listener, Operation};
use self::own_key::Decision;
use crate::clock::Time;
use crate::contain::contain;
use crate::expiry::{DEAD, Deadline, ExpiryIndex, Filed, NEVER, RECORD_MIN, Timed, tick};
use crate::lane::lane;
use crate::map::{Map, Owned, Seat, Unlinked};
use crate::reclaim::{self, Ref};
use crate::stats::{Count, Counters, Stats};
use crate::sync::{AtomicU64, Ordering, TINY, update_fence};

/// What a write does with what it found.
pub enum Step<N: Timed> {
    /// Nothing; gives a node that was made in vain back.
    Keep(Option<Owned<N>>),
    /// Publishes this node.
    Put(Owned<N>),
    /// Publishes this node with the deadline of the one that it replaces; it was made by `Entry::inherit`.
    PutInheriting(Owned<N>),
    /// Removes what is there.
    Cut,
}

/// What a write did. The nodes stay readable under the guard.
pub enum Written<'g, N: Timed> {
    Kept(Option<Ref<'g, N>>, Option<Owned<N>>),
    Inserted(Ref<'g, N>),
    Replaced(Ref<'g, N>),
    /// The deadline that the new node inherited had come, perhaps before `decide` was told of the old one (X10): both are gone, and the
    /// key was absent.
    Stillborn,
    Removed(Ref<'g, N>),
    Absent,
}

/// A step that was decided; its node waits as the spare.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Change {
    Cut,
    Put,
    PutInheriting,
}

fn is_same<N: Timed>(one: Option<Ref<'_, N>>, other: Option<Ref<'_, N>>) -> bool {
    one.map(Ref::pointer) == other.map(Ref::pointer)
}

/// Map, index, time and counters of one cache.
pub struct Engine<N: Timed> {
    map: Map<N>,
    index: ExpiryIndex,
    time: Time,
    counters: Counters,
    notifier: Option<Arc<Notifier<N>>>,
    /// Whether the janitor's sweeps are exact.
    is_prompt: bool,
    /// Where the next early take goes on (F7).
    early_cursor: AtomicU64,
    /// Dropped last, after the map.
    _flush: Flush,
}

/// Gives back what was retired, so that the last handle's end is the end of what the cache held.
struct Flush;

impl Drop for Flush {
    fn drop(&mut self) {
        reclaim::maintain();
    }
}

impl<N: Timed> Engine<N> {
    /// An engine without entries.
    pub fn new(capacity: usize, time: Time, counters: Counters, listener: Option<Listener<N>>) -> Self {
        Engine {
            is_prompt: listener.is_some(),
            map: Map::with_capacity(capacity),
            index: ExpiryIndex::default(),
            time,
            notifier: listener.map(|listener| Arc::new(Notifier::new(listener, counters.panics().clone()))),
            counters,
            early_cursor: AtomicU64::new(0),
            _flush: Flush,
        }
    }

    /// Says whether the janitor's sweeps are exact; else they are if there is a listener.
    pub fn prompt(self, is_prompt: Option<bool>) -> Self {
        Engine { is_prompt: is_prompt.unwrap_or(self.is_prompt), ..self }
    }

    /// Bytes of a table with room for so many entries; saturates.
    pub fn table_bytes(capacity: usize) -> usize {
        Map::<N>::table_bytes(capacity)
    }

    /// Its time.
    #[inline]
    pub fn time(&self) -> &Time {
        &self.time
    }

    /// Its counters.
    #[inline]
    pub fn counters(&self) -> &Counters {
        &self.counters
    }

    /// What it has done, and holds.
    pub fn stats(&self) -> Stats {
        Stats { renewals: self.map.renewals(), ..self.counters.stats() }
    }

    /// Begins to grow the table. For models and tests; writes do so by themselves.
    #[cfg(any(loom, shuttle))]
    pub fn grow(&self, guard: &Operation<'_, N>) {
        self.map.grow(1, guard);
    }

    /// The live node of a key. Lock-free; writes nothing unless it meets an entry that has expired.
    #[inline]
    pub fn find<'g>(
        &self,
        hash: u64,
        mut eq: impl FnMut(Ref<'g, N>) -> bool,
        guard: &'g Operation<'_, N>,
    ) -> Option<Ref<'g, N>> {
        let node = self.map.find(hash, &mut eq, guard)?;
        let deadline = node.meta().deadline();
        if !deadline.is_closed() && deadline.time() != DEAD && !self.time.has_come(deadline.time()) {
            return Some(node);
        }
        self.find_again(hash, eq, guard)
    }

    #[cold]
    fn find_again<'g>(
        &self,
        hash: u64,
        mut eq: impl FnMut(Ref<'g, N>) -> bool,
        guard: &'g Operation<'_, N>,
    ) -> Option<Ref<'g, N>> {
        loop {
            let node = self.map.find(hash, &mut eq, guard)?;
            if self.live_deadline(node, guard).is_some() {
                return Some(node);
            }
            self.expire(node, |deadline| self.time.has_come(deadline), guard);
        }
    }

    /// The live node of a key, and its deadline.
    pub fn find_with_deadline<'g>(
        &self,
        hash: u64,
        mut eq: impl FnMut(Ref<'g, N>) -> bool,
        guard: &'g Operation<'_, N>,
    ) -> Option<(Ref<'g, N>, u64)> {
        loop {
            let node = self.find(hash, &mut eq, guard)?;
            if let Some(deadline) = self.live_deadline(node, guard) {
                return Some((node, deadline.time()));
            }
        }
    }

    /// The node's deadline, settled; None if it has come, or expiry is decided.
    fn live_deadline(&self, node: Ref<'_, N>, guard: &Operation<'_, N>) -> Option<Deadline> {
        let deadline = self.settled_deadline(node, guard);
        // X9: the clock after the deadline.
        self.is_live_at(deadline, self.time.coarse()).then_some(deadline)
    }

    /// Whether a settled deadline is one that has not come, by a coarse reading that was made after it was loaded (X9).
    fn is_live_at(&self, deadline: Deadline, now: u64) -> bool {
        deadline.time() != DEAD && !self.time.has_come_at(deadline.time(), now)
    }

    /// Whether a node that was met before is live, or was until it was replaced or removed; else its expiry is
    /// decided (X3), or it is gone.
    pub fn is_live(&self, node: Ref<'_, N>, guard: &Operation<'_, N>) -> bool {
        loop {
            // Closed: replaced since it was met, and live until then (X10).
            if self.live_deadline(node, guard).is_some() || self.settled_deadline(node, guard).is_closed() {
                return true;
            }
            if self.decide_expiry(node, |deadline| self.time.has_come(deadline), guard) {
                return false;
            }
        }
    }

    /// The deadline of a node, settled; its last one, if it has been replaced.
    pub fn settled_deadline(&self, node: Ref<'_, N>, guard: &Operation<'_, N>) -> Deadline {
        loop {
            let deadline = node.meta().deadline();
            if !deadline.is_unsettled() {
                return deadline;
            }
            self.settle(node.get(), guard);
        }
    }

    /// Settles a node that inherits its deadline: closes the predecessor's, or decides its expiry if it has come (X10), and copies it.
    fn settle(&self, node: &N, guard: &Operation<'_, N>) {
        let Some(predecessor) = node.predecessor(guard) else { return };
        while node.meta().deadline().is_unsettled() {
            let deadline = predecessor.meta().deadline();
            // Ordering: AcqRel [touch-versus-update], in `close_deadline`: of a touch and this, one comes first. Release in `settle`, with the
            // Acquire of `deadline`: who sees it settled sees the predecessor closed.
            let (is_final, inherited) = if deadline.is_closed() || deadline.time() == DEAD {
                (true, deadline.time())
            } else if self.has_come_contained(deadline.time()) {
                (predecessor.meta().change_deadline(deadline, DEAD), DEAD)
            } else {
                (predecessor.meta().close_deadline(deadline), deadline.time())
            };
            if is_final {
                node.inherit(predecessor.get());
                node.meta().settle(inherited);
            }
        }
    }

    /// Whether a deadline has come, where nothing may unwind: the predecessor of a node that was just published is retired on the way
    /// out, settled or not. For a clock that panics, time stands still.
    fn has_come_contained(&self, deadline: u64) -> bool {
        let mut has_come = false;
        if !contain(|| has_come = self.time.has_come(deadline)) {
            self.counters.panics().note();
        }
        has_come
    }

    /// Expires a node whose deadline has come, as `has_come` tells. True if this call removed it; false if another did, or it lives.
    #[cold]
    fn expire(&self, node: Ref<'_, N>, has_come: impl Fn(u64) -> bool, guard: &Operation<'_, N>) -> bool {
        self.decide_expiry(node, has_come, guard) && self.cut_node(node, RemovalCause::Expired, guard)
    }

    /// Decides the expiry of a node whose deadline has come, as `has_come` tells; false if it lives, or has been
    /// replaced.
    fn decide_expiry(&self, node: Ref<'_, N>, has_come: impl Fn(u64) -> bool, guard: &Operation<'_, N>) -> bool {
        let deadline = self.settled_deadline(node, guard);
        if deadline.time() == DEAD {
            return true;
        }
        // A closed deadline belongs to the successor.
        let is_due = !deadline.is_closed() && has_come(deadline.time());
        is_due && node.meta().change_deadline(deadline, DEAD)
    }

    /// Cuts one node, by identity; false if it is gone.
    fn cut_node(&self, node: Ref<'_, N>, cause: RemovalCause, guard: &Operation<'_, N>) -> bool {
        loop {
            let seat = self.map.seek(node.hash(), |other| other.is(node), guard);
            if seat.node().is_none() {
                return false;
            }
            if self.cut(&seat, cause, guard).is_some() {
                return true;
            }
        }
    }

    fn cut<'g>(&self, seat: &Seat<'g, N>, cause: RemovalCause, guard: &'g Operation<'_, N>) -> Option<Ref<'g, N>> {
        let unlinked = self.map.cut(seat, guard)?;
        let node = unlinked.node();
        self.counters.add_entries(-1);
        self.left(unlinked, cause, guard);
        Some(node)
    }

    /// Counts, and notes it for the listener; then the node is retired, at the end of the operation if there is a listener.
    fn left(&self, unlinked: Unlinked<'_, N>, cause: RemovalCause, guard: &Operation<'_, N>) {
        self.counters.count(match cause {
            RemovalCause::Expired => Count::Expired,
            RemovalCause::Replaced => Count::Replaced,
            RemovalCause::Removed | RemovalCause::Cleared | RemovalCause::Evicted => Count::Removed,
        });
        guard.note(unlinked.into_gone(), cause);
    }

    /// Changes a key: `decide` sees what is live, and a node that an earlier try did not publish (`spare` at first); so does
    /// `eq`, since the key may be in there.
    ///
    /// Lock-free; `decide` runs again only if the key's own entry has changed: another change of the bucket (`decide`'s own, perhaps)
    /// repeats just the last step.
    ///
    /// # Panics
    ///
    /// `decide` publishes an entry of its own key whenever it runs: it would do so for ever.
    pub fn write<'g>(
        &self,
        hash: u64,
        mut eq: impl FnMut(Ref<'g, N>, Option<&Owned<N>>) -> bool,
        guard: &'g Operation<'_, N>,
        mut spare: Option<Owned<N>>,
        mut decide: impl FnMut(Option<Ref<'g, N>>, Option<Owned<N>>) -> Step<N>,
    ) -> Written<'g, N> {
        // What was decided, and about which node. A node's address is not used again under the guard.
        let mut decided: Option<(Option<Ref<'g, N>>, Change)> = None;
        // Else there is one node from the start, and its time to live has begun.
        let makes_nodes = spare.is_none();
        // Whether its node was found dead on arrival before this look at the map.
        let mut is_known_dead = false;
        // The node that `decide` itself has published, by its address, and how often that has undone what it
        // decided.
        let (mut own, mut undone) = (None, 0);
        loop {
            let seat = self.map.seek(hash, |node| eq(node, spare.as_ref()), guard);
            let current = seat.node();
            let deadline = current.map(|node| self.settled_deadline(node, guard));
            let now = self.time.coarse();
            if let Some((node, deadline)) = current.zip(deadline)
                && !self.is_live_at(deadline, now)
            {
                self.expire(node, |deadline| self.time.has_come(deadline), guard);
                continue;
            }
            let change = match decided {
                Some((about, change)) if is_same(about, current) => change,
                _ => {
                    is_known_dead = false;
                    if own.is_some() && own == current.map(|node| node.pointer().addr().get()) {
                        own_key::undone(&mut undone);
                    }
                    let decision = decided.map(|_| Decision::begin(self, hash));
                    let step = decide(current, spare.take());
                    own = decision.and_then(|decision| decision.published());
                    match step {
                        Step::Keep(spare) => return Written::Kept(current, spare),
                        Step::Cut => Change::Cut,
                        Step::Put(node) => {
                            spare = Some(node);
                            Change::Put
                        }
                        Step::PutInheriting(node) => {
                            spare = Some(node);
                            Change::PutInheriting
                        }
                    }
                }
            };
            decided = Some((current, change));
            if let Some(node) = current
                && makes_nodes
                && change == Change::Put
                && self.live_deadline(node, guard).is_none()
            {
                // X8: it was live before the new time to live began, and is not since.
                continue;
            }
            // The clock is the user's code too: nothing is published yet.
            let is_dead =
                |node: &Owned<N>| change == Change::Put && self.time.has_come_at(node.meta().deadline().time(), now);
            let node = match spare.take() {
                Some(node) if !is_dead(&node) => node,
                // A removal, or dead on arrival: what it would have replaced goes, and it never comes.
                dead => {
                    if dead.is_some() && !is_known_dead {
                        // X7: the answer must be true at a moment at which it was dead. So look again.
                        is_known_dead = true;
                        spare = dead;
                        continue;
                    }
                    let cause = if dead.is_some() { RemovalCause::Expired } else { RemovalCause::Removed };
                    if current.is_none() {
                        return Written::Absent;
                    }
                    if let Some(old) = self.cut(&seat, cause, guard) {
                        return Written::Removed(old);
                    }
                    spare = dead;
                    continue;
                }
            };
            match self.map.put(&seat, node, guard) {
                Ok(put) => {
                    own_key::published(self, put.new);
                    let Some(old) = put.old else {
                        self.after_insertion(put.new, put.crowded, now, guard);
                        return Written::Inserted(put.new);
                    };
                    if self.after_replacement(put.new, old, change, now, guard) {
                        return Written::Replaced(put.new);
                    }
                    // X1: it is out before anyone says so.
                    self.cut_node(put.new, RemovalCause::Expired, guard);
                    return Written::Stillborn;
                }
                Err(node) => spare = Some(node),
            }
        }
    }

    fn after_insertion(&self, node: Ref<'_, N>, crowded: bool, now: u64, guard: &Operation<'_, N>) {
        self.counters.add_entries(1);
        self.counters.count(Count::Inserts);
        if crowded && self.map.is_worth_a_look(node.hash(), guard) {
            self.map.grow_for(self.counters.entries(), guard);
        }
        self.map.help(guard);
        self.cover_and_relieve(node, now, guard);
    }

    /// False if the node inherits a deadline that had come (X10).
    fn after_replacement(
        &self,
        node: Ref<'_, N>,
        old: Unlinked<'_, N>,
        change: Change,
        now: u64,
        guard: &Operation<'_, N>,
    ) -> bool {
        let mut is_born = true;
        if change == Change::PutInheriting {
            // X4: before the old node is retired, which dropping `old` does.
            self.settle(node.get(), guard);
            // Told by the predecessor's, which is final: the node itself may have expired since.
            is_born = old.node().meta().deadline().is_closed();
        }
        // Ordering: SeqCst fence [replace-versus-refile] between the publication and the look at the old claim, with
        // the fence in `void` between the voiding of a claim and the look at the map.
        update_fence(Ordering::SeqCst);
        let deadline = node.meta().deadline().time();
        let mut is_covered = false;
        if let Some(filed) = old.node().meta().filed().tick()
            && deadline != NEVER
            && filed <= tick(deadline, now).0
        {
            let is_claimed = node.meta().claim_first(filed);
            // Ordering: SeqCst fence [shorten-versus-refile] between the claim and the look at the deadline, with the fence in `set_deadline`: a
            // touch that finds the word changed leaves it to whoever did.
            update_fence(Ordering::SeqCst);
            is_covered = is_claimed && node.meta().deadline().time() >= deadline;
        }
        // Before the listener, which may block, or sweep: the new entry is there for all to see.
        let in_new_chunk = !is_covered && self.cover(node, now, guard);
        self.left(old, RemovalCause::Replaced, guard);
        self.map.help(guard);
        self.relieve_after(in_new_chunk, now);
        is_born
    }

    fn cover_and_relieve(&self, node: Ref<'_, N>, now: u64, guard: &Operation<'_, N>) {
        let in_new_chunk = self.cover(node, now, guard);
        self.relieve_after(in_new_chunk, now);
    }

    /// Looks after the index when a chunk was allocated: a rare moment.
    fn relieve_after(&self, in_new_chunk: bool, now: u64) {
        if in_new_chunk && self.is_stale() {
            self.relieve(now);
        }
    }

    /// Makes F1 hold for a node: a record stands at or before the tick of its deadline, and `filed` claims it.
    /// True if a chunk was allocated for it.
    fn cover(&self, node: Ref<'_, N>, now: u64, guard: &Operation<'_, N>) -> bool {
        let mut in_new_chunk = false;
        loop {
            let claim = node.meta().filed();
            let deadline = node.meta().deadline().time();
            if deadline == DEAD || deadline == NEVER {
                return in_new_chunk;
            }
            if let Some(filed) = claim.tick() {
                if filed <= tick(deadline, now).0 {
                    return in_new_chunk;
                }
                // Voided first: a sweeper that takes the new record before it is claimed must not think it stale.
                self.void(node, claim);
                continue;
            }
            let filed = self.index.file(node.hash(), deadline, now, lane(), guard);
            self.counters.add_records(1);
            in_new_chunk |= filed.in_new_chunk;
            node.meta().claim(claim, Some(filed.tick));
            // Ordering: SeqCst fence [shorten-versus-refile] between the claim and the second look at the deadline, with
            // the fence in `set_deadline`.
            update_fence(Ordering::SeqCst);
            if node.meta().deadline().time() >= deadline {
                // Covered, by this thread or by whoever changed the claim. (Under a tick that is a little late if all earlier
                // ones were being emptied: so the claim is not judged again.)
                return in_new_chunk;
            }
        }
    }

    /// Takes a claim back; false if it is no longer that.
    fn void(&self, node: Ref<'_, N>, claim: Filed) -> bool {
        let is_void = node.meta().claim(claim, None);
        // Ordering: SeqCst fence [shorten-versus-refile] [replace-versus-refile] between the voiding and the next look at the deadline
        // and at the map, with the fences in `set_deadline` and `after_replacement`.
        update_fence(Ordering::SeqCst);
        is_void
    }

    /// Gives a live key a new deadline; None if it has none that is live. Lock-free; allocates nothing unless the
    /// deadline is an earlier one. For `to` see [`set_deadline`](Self::set_deadline).
    pub fn touch<'g>(
        &self,
        hash: u64,
        mut eq: impl FnMut(Ref<'g, N>) -> bool,
        to: impl Fn() -> (u64, u64),
        guard: &'g Operation<'_, N>,
    ) -> Option<Ref<'g, N>> {
        loop {
            let node = self.map.find(hash, &mut eq, guard)?;
            if self.set_deadline(node, &to, guard) {
                return Some(node);
            }
            // Expired, replaced, or removed: find out, and clean up.
            self.find(hash, &mut eq, guard)?;
        }
    }

    /// Moves a node's deadline; false if the node is no longer the live one of its key: find again.
    ///
    /// `to` tells the new deadline, and what time it is: one that comes from the wall clock has read both, and a reading costs as much as the rest.
    #[inline]
    pub fn set_deadline(&self, node: Ref<'_, N>, to: impl Fn() -> (u64, u64), guard: &Operation<'_, N>) -> bool {
        loop {
            let from = self.settled_deadline(node, guard);
            // X9: the clock after the deadline.
            let (to, now) = to();
            if from.is_closed() || !self.is_live_at(from, now) {
                return false;
            }
            if self.time.has_come_at(to, now) {
                // Touched into the past: a removal of what was live.
                return self.cut_node(node, RemovalCause::Expired, guard);
            }
            if !node.meta().change_deadline(from, to) {
                continue;
            }
            if to < from.time() || node.meta().filed().tick().is_none() {
                // Ordering: SeqCst fence [shorten-versus-refile] between the deadline and the look at the claim, with the
                // fences in `cover` and `void`.
                update_fence(Ordering::SeqCst);
                self.cover_and_relieve(node, now, guard);
            }
            return true;
        }
    }

    /// Moves a node's deadline to a later time; false if it is later already, or the node is not live.
    pub fn extend(&self, node: Ref<'_, N>, to: u64, guard: &Operation<'_, N>) -> bool {
        loop {
            let Some(from) = self.live_deadline(node, guard) else { return false };
            if from.is_closed() || from.time() >= to {
                return false;
            }
            if node.meta().change_deadline(from, to) {
                return true;
            }
        }
    }

    /// Removes a node by identity; false if it is gone.
    pub fn remove_node(&self, node: Ref<'_, N>, guard: &Operation<'_, N>) -> bool {
        self.cut_node(node, RemovalCause::Removed, guard)
    }

    /// Visits live nodes of some buckets, from a hash on, and removes what has expired; returns where to go on.
    pub fn visit<'g>(
        &self,
        from: u64,
        buckets: usize,
        guard: &'g Operation<'_, N>,
        mut each: impl FnMut(Ref<'g, N>),
    ) -> Option<u64> {
        let mut expired = Doomed::default();
        let next = self.map.visit(from, buckets, guard, |node, is_spilled| {
            if self.is_live(node, guard) {
                each(node);
            } else {
                self.doom(&mut expired, node, is_spilled, RemovalCause::Expired, guard);
            }
        });
        self.cut_all(&mut expired, RemovalCause::Expired, guard);
        next
    }

    /// Deals with one record that was taken from under `tick`; returns how many entries it removed. Runs no user code but the listener:
    /// a record that was taken is not lost by a panic.
    fn handle(&self, hash: u64, tick: u64, now: u64, guard: &Operation<'_, N>) -> usize {
        let mut handled = Handled::default();
        let mut removed = 0;
        for _ in 0..ONE_BY_ONE {
            let met = |node: Ref<'_, N>| {
                node.meta().filed().is_due_at(tick) && !handled.contains(node.pointer().addr().get())
            };
            let Some(node) = self.map.find(hash, met, guard) else { return removed };
            if self.settled_deadline(node, guard).time() <= now {
                if self.expire(node, |deadline| deadline <= now, guard) {
                    removed += 1;
                } else if self.settled_deadline(node, guard).time() <= now {
                    // Another removed or replaced it: this one is done with, but look for its successor.
                    handled.insert(node.pointer().addr().get());
                }
                continue;
            }
            let claim = node.meta().filed();
            if claim.is_due_at(tick) && self.void(node, claim) {
                self.cover(node, now, guard);
                handled.insert(node.pointer().addr().get());
            }
        }
        removed + self.handle_many(hash, tick, now, handled, guard)
    }
}

/// Entries of one hash that a sweep deals with one by one: more than a bucket has slots. Beyond that they are in a
/// spill.
const ONE_BY_ONE: usize = if TINY { 3 } else { 16 };

/// Buckets that a walk visits under one pin.
pub const VISIT: usize = 32;

/// Makes a hasher's result what the engine takes for a hash: every caller's hash goes through here once.
///
/// Hashes below [`RECORD_MIN`] stand for something else in a pile. The multiplication (Fibonacci hashing, Knuth 6.4) gives weak hashers'
/// top bits, by which buckets are chosen, a share of their low ones.
#[inline]
pub fn spread(hash: u64) -> u64 {
    hash.wrapping_mul(0x9E37_79B9_7F4A_7C15).max(RECORD_MIN)
}

impl<N: Timed> fmt::Debug for Engine<N> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Engine").field("counters", &self.counters).field("time", &self.time).finish_non_exhaustive()
    }
}

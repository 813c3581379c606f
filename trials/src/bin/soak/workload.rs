//! What a worker does: a fixed mixture of operations on its own sessions, the cache and the side cache, and rarely a walk or
//! a sweep. Every answer that is known in advance is compared.

use std::sync::Arc;
use std::sync::atomic::Ordering;
use std::time::Duration;

use fleeting::Op;

use crate::meter::Yardstick;
use crate::plan::WORKERS;
use crate::world::{Payload, Side, Slot, World, read_data, report, token, write_data};

/// Operations between two looks at the gate and the clock.
const BATCH: u64 = 4_096;

/// A lookup this near to the deadline may miss, by the difference of two readings of two clocks.
const NEAR: u64 = 2_000_000;

/// One thread of the soak.
pub struct Worker<'w> {
    world: &'w World,
    number: u64,
    random: u64,
    /// Which of its sessions it has forgotten: they are left to expire.
    forgotten: Vec<bool>,
    serial: u64,
    /// The side cache and its number; none after a pause.
    side: Option<(u64, Side)>,
    side_key: u64,
    done: u64,
    buffer: Vec<u8>,
}

impl<'w> Worker<'w> {
    pub fn new(world: &'w World, number: u64) -> Self {
        Worker {
            world,
            number,
            random: 0x5851_F42D_4C95_7F2D * (number + 1),
            forgotten: vec![false; world.plan.slots as usize],
            serial: number,
            side: None,
            side_key: number,
            done: 0,
            buffer: Vec::new(),
        }
    }

    /// Fills every slot, then works until told to stop.
    pub fn run(mut self) {
        for own in 0..self.world.plan.slots {
            self.create(own);
        }
        self.meet();
        let mut yardstick = Yardstick::new();
        let gate = &self.world.gate;
        while !gate.stop.load(Ordering::Relaxed) {
            if gate.pause.load(Ordering::Relaxed) {
                self.side = None;
                self.meet();
                self.meet();
            }
            let meter = &self.world.meters[self.number as usize];
            meter.time_work(BATCH, || (0..BATCH).for_each(|_| self.step()));
            meter.time_yardstick(&mut yardstick);
        }
    }

    /// Waits at the gate, with nothing held back.
    fn meet(&self) {
        (0..8).for_each(|_| fleeting::release_thread_memory());
        self.world.gate.barrier.wait();
    }

    fn below(&mut self, bound: u64) -> u64 {
        self.random ^= self.random >> 12;
        self.random ^= self.random << 25;
        self.random ^= self.random >> 27;
        (self.random.wrapping_mul(0x2545_F491_4F6C_DD1D) >> 16) % bound
    }

    fn step(&mut self) {
        self.done += 1;
        self.rare();
        match self.below(1_000) {
            0..80 => self.read_any(),
            80..640 => {
                let own = self.pick();
                self.session(own);
            }
            640..930 => self.entry(),
            _ => self.grow_side(),
        }
    }

    /// Walks and sweeps: as often as they take a small part of the time.
    fn rare(&mut self) {
        let (world, done) = (self.world, self.done);
        if done.is_multiple_of(400_000) {
            world.store.iter().for_each(|(_, data)| self.expect_sound(&data));
            world.books.walks.fetch_add(1, Ordering::Relaxed);
        }
        if done.is_multiple_of(300_000) {
            // Dropped half way.
            let most = world.plan.keys as usize / 4;
            for (key, payload) in world.cache.iter().take(most) {
                self.expect(key == payload.key, "an entry of the walk has another's value");
            }
        }
        if done.is_multiple_of(500_000) {
            world.store.sweep();
            world.cache.sweep();
            world.books.sweeps.fetch_add(2, Ordering::Relaxed);
        }
        if done.is_multiple_of(700_000) {
            let (number, unlucky) = (self.number, self.below(1_000));
            let is_mine = |slot: u64| slot % WORKERS == number && slot / WORKERS % 1_000 == unlucky;
            world.store.delete_where(|_, data| read_data(data).is_some_and(|(slot, _)| is_mine(slot)));
            world.cache.retain(|key, _| key % 1_000 != unlucky);
        }
    }

    /// A session that is in use, mostly; one of the forgotten at times.
    fn pick(&mut self) -> u64 {
        let mut own = 0;
        for _ in 0..8 {
            own = self.below(self.world.plan.slots);
            if !self.forgotten[own as usize] || self.slot(own).is_gone() {
                break;
            }
        }
        own
    }

    fn slot(&self, own: u64) -> &'w Slot {
        &self.world.books.slots[self.id(own) as usize]
    }

    fn id(&self, own: u64) -> u64 {
        own * WORKERS + self.number
    }

    fn token(&self, own: u64) -> [u8; 16] {
        token(self.id(own), self.slot(own).generation.load(Ordering::Relaxed))
    }

    fn lifetime(&mut self) -> Duration {
        let (shortest, longest) = self.world.plan.lifetimes;
        shortest + Duration::from_nanos(self.below((longest - shortest).as_nanos() as u64))
    }

    fn expect(&self, holds: bool, what: &str) {
        if !holds {
            report(format_args!("{what} (worker {}, operation {})", self.number, self.done));
        }
    }

    fn expect_sound(&self, data: &[u8]) {
        self.expect(read_data(data).is_some(), "a session's data is not what anybody wrote");
    }

    /// Notes a write that is about to happen; returns the expiry to give it.
    fn note(&mut self, own: u64) -> std::time::SystemTime {
        let lifetime = self.lifetime();
        let (now, wall) = self.world.books.both_clocks();
        let slot = self.slot(own);
        self.serial += WORKERS;
        slot.serial.store(self.serial, Ordering::Relaxed);
        slot.due.store(now + lifetime.as_nanos() as u64, Ordering::Relaxed);
        let id = self.id(own);
        write_data(&mut self.buffer, id, self.serial);
        wall + lifetime
    }

    fn published(&self) {
        self.world.books.published.fetch_add(1, Ordering::Relaxed);
    }

    fn create(&mut self, own: u64) {
        self.slot(own).generation.fetch_add(1, Ordering::Relaxed);
        let expiry = self.note(own);
        let created = self.world.store.create(self.token(own), &self.buffer, expiry);
        self.expect(created.is_ok(), "a token that was never used was taken");
        self.published();
        self.forgotten[own as usize] = false;
    }

    /// An operation did not find the session: right if it was due at `due`, or has been reported to have left.
    fn missed(&self, own: u64, due: u64) {
        let slot = self.slot(own);
        let is_due = self.world.books.now() + NEAR >= due;
        self.expect(is_due || slot.is_gone(), "a live session was lost");
        slot.left.store(slot.serial.load(Ordering::Relaxed), Ordering::Relaxed);
    }

    fn session(&mut self, own: u64) {
        let slot = self.slot(own);
        if slot.is_gone() {
            return self.create(own);
        }
        let (store, token) = (&self.world.store, self.token(own));
        let due = slot.due.load(Ordering::Relaxed);
        let found = match self.below(560) {
            // A forgotten session is looked at, and not written.
            dice if dice < 300 || self.forgotten[own as usize] => match store.find(token) {
                Some(data) => {
                    let written = (self.id(own), slot.serial.load(Ordering::Relaxed));
                    self.expect(read_data(&data) == Some(written), "a session has other data than was written last");
                    true
                }
                None => false,
            },
            300..380 => {
                let lifetime = self.lifetime();
                let (now, wall) = self.world.books.both_clocks();
                slot.due.store(now + lifetime.as_nanos() as u64, Ordering::Relaxed);
                store.touch(token, wall + lifetime)
            }
            380..430 => {
                let expiry = self.note(own);
                store.save(token, &self.buffer, expiry);
                self.published();
                true
            }
            430..470 => {
                let expiry = self.note(own);
                let updated = store.update(token, &self.buffer, expiry);
                if updated {
                    self.published();
                }
                updated
            }
            470..500 => match store.find_versioned(token) {
                Some((_, version)) => {
                    let expiry = self.note(own);
                    let saved = store.compare_and_save(token, version, &self.buffer, expiry).is_ok();
                    if saved {
                        let again = store.compare_and_save(token, version, &self.buffer, expiry);
                        self.expect(again.is_err(), "an old version was accepted");
                        self.published();
                    }
                    saved
                }
                None => false,
            },
            500..520 => return self.rename(own, token, due),
            520..540 => match store.find_with_expiry(token) {
                Some((data, _)) => {
                    self.expect_sound(&data);
                    true
                }
                None => false,
            },
            540..550 => {
                let deleted = store.delete(token);
                self.expect(!deleted || slot.is_gone(), "a deletion was not reported");
                deleted
            }
            _ => {
                self.forgotten[own as usize] = true;
                true
            }
        };
        if !found {
            self.missed(own, due);
        }
    }

    fn rename(&mut self, own: u64, old: [u8; 16], due: u64) {
        let slot = self.slot(own);
        let lifetime = self.lifetime();
        let (now, wall) = self.world.books.both_clocks();
        let new_due = now + lifetime.as_nanos() as u64;
        let generation = slot.generation.load(Ordering::Relaxed) + 1;
        if self.world.store.rename(old, token(self.id(own), generation), wall + lifetime) {
            self.published();
            slot.due.store(new_due, Ordering::Relaxed);
            slot.generation.store(generation, Ordering::Relaxed);
            // The old one was reported to have left, with the serial that the new one has too. (Were the new one due already,
            // it might have left itself.)
            if self.world.books.now() < new_due {
                slot.left.store(0, Ordering::Relaxed);
            }
        } else {
            self.world.books.failed_renames.fetch_add(1, Ordering::Relaxed);
            self.missed(own, due);
        }
    }

    /// Looks at any worker's session, which may change meanwhile.
    fn read_any(&mut self) {
        let books = &self.world.books;
        let id = self.below(books.slots.len() as u64);
        let generation = books.slots[id as usize].generation.load(Ordering::Relaxed);
        let slot = self.world.store.read(token(id, generation), |data| read_data(data).map(|(slot, _)| slot));
        self.expect(slot.is_none_or(|slot| slot == Some(id)), "a session has another's data");
    }

    fn entry(&mut self) {
        let (cache, books) = (&self.world.cache, &self.world.books);
        let key = self.below(self.world.plan.keys);
        let make = || Payload::new(key, books);
        match self.below(290) {
            0..120 => {
                let load = || {
                    books.loads.fetch_add(1, Ordering::Relaxed);
                    make()
                };
                let value = cache.get_or_insert_with(key, load);
                self.expect(value.key == key, "a load gave another key's value");
            }
            120..200 => {
                let is_right = cache.read(&key, |value| value.key == key);
                self.expect(is_right != Some(false), "a key has another's value");
            }
            200..230 => {
                let lifetime = self.lifetime();
                cache.insert_with_ttl(key, make(), lifetime);
            }
            230..250 => {
                let lifetime = self.lifetime();
                cache.touch(&key, lifetime);
            }
            250..270 => {
                cache.update(&key, Payload::clone);
            }
            270..280 => {
                cache.remove(&key);
            }
            _ => {
                cache.compute(key, |value| if value.is_some() { Op::Remove } else { Op::Put(make()) });
            }
        }
    }

    /// Inserts into the side cache; when it is large enough, another one takes its place.
    fn grow_side(&mut self) {
        self.side_key += WORKERS;
        let key = self.side_key;
        let (number, side) = self.side.get_or_insert_with(|| self.world.side());
        side.insert_with_ttl(key, !key, Duration::from_secs(600));
        if !(key / WORKERS).is_multiple_of(256) {
            return;
        }
        let (number, is_right, is_full) = (*number, side.get(&key) == Some(!key), side.len() >= self.world.plan.side);
        self.expect(is_right, "the side cache lost an entry");
        if is_full {
            self.world.renew_side(number);
        }
        if is_full || self.world.side().0 != number {
            self.side = None;
        }
    }
}

/// Runs a worker on this thread.
pub fn work(world: &Arc<World>, number: u64) {
    Worker::new(world, number).run();
}

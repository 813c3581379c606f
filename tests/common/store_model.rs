//! The naive twin of a session store: a `HashMap` of data and deadline, and a number for the time.

use std::collections::{HashMap, HashSet};
use std::time::Duration;

use fleeting::RemovalCause::{self, Expired, Removed, Replaced};
use fleeting::{SessionData, Version};

pub struct Kept {
    pub data: u32,
    pub deadline: Option<Duration>,
    /// Changes whenever a version must.
    pub version: u64,
}

#[derive(Default)]
pub struct Twin {
    pub now: Duration,
    pub entries: HashMap<u8, Kept>,
    pub noted: HashMap<u8, (Version, u64)>,
    /// What may be reported of data that has left; `true` if it must be.
    pub fates: HashMap<u32, (&'static [RemovalCause], bool)>,
    /// Data that was renamed lives under two tokens; nothing is said about its reports.
    pub renamed: HashSet<u32>,
    made: u32,
    /// Data that is held by handles, with its number.
    pub held: Vec<(SessionData, u32)>,
    pub hits: u64,
    pub misses: u64,
}

impl Twin {
    pub fn is_live(&self, kept: &Kept) -> bool {
        kept.deadline.is_none_or(|deadline| self.now < deadline)
    }

    pub fn live(&self, key: u8) -> Option<&Kept> {
        self.entries.get(&key).filter(|kept| self.is_live(kept))
    }

    pub fn data(&self, key: u8) -> Option<u32> {
        self.live(key).map(|kept| kept.data)
    }

    /// The data of a live session by a find that counts.
    pub fn found(&mut self, key: u8) -> Option<u32> {
        let data = self.data(key);
        *(if data.is_some() { &mut self.hits } else { &mut self.misses }) += 1;
        data
    }

    pub fn fresh(&mut self) -> u32 {
        self.made += 1;
        self.made
    }

    pub fn end(&mut self, data: u32, causes: &'static [RemovalCause], required: bool) {
        self.fates.insert(data, (causes, required));
    }

    pub fn put(&mut self, key: u8, data: u32, deadline: Option<Duration>) {
        let dead_on_arrival = deadline.is_some_and(|deadline| deadline <= self.now);
        let causes: &[RemovalCause] = match (self.live(key).is_some(), dead_on_arrival) {
            (false, _) => &[Expired],
            (true, false) => &[Replaced],
            (true, true) => &[Replaced, Removed, Expired],
        };
        if let Some(old) = self.entries.remove(&key) {
            self.end(old.data, causes, true);
        }
        if dead_on_arrival {
            self.end(data, &[Expired, Removed], false);
        } else {
            self.made += 1;
            let version = u64::from(self.made);
            self.entries.insert(key, Kept { data, deadline, version });
        }
    }

    pub fn put_if(&mut self, condition: bool, key: u8, data: u32, deadline: Option<Duration>) -> bool {
        if condition {
            self.put(key, data, deadline);
        }
        condition
    }

    pub fn remove(&mut self, key: u8) -> Option<u32> {
        let data = self.data(key)?;
        self.entries.remove(&key);
        self.end(data, &[Removed], true);
        Some(data)
    }

    pub fn rename(&mut self, old: u8, new: u8, deadline: Option<Duration>) -> bool {
        let Some(data) = self.data(old) else { return false };
        if old == new {
            self.entries.get_mut(&old).expect("live").deadline = deadline;
            return true;
        }
        if self.live(new).is_some() {
            return false;
        }
        self.entries.remove(&old);
        self.renamed.insert(data);
        self.put(new, data, deadline);
        true
    }

    /// What has expired leaves, for one of these causes.
    pub fn bury(&mut self, causes: &'static [RemovalCause]) {
        let dead: Vec<u8> = self.entries.iter().filter(|(_, kept)| !self.is_live(kept)).map(|(key, _)| *key).collect();
        for key in dead {
            let kept = self.entries.remove(&key).expect("listed");
            self.end(kept.data, causes, true);
        }
    }

    /// The live sessions by number, sorted.
    pub fn contents(&self) -> Vec<(u8, u32)> {
        let live = self.entries.iter().filter(|(_, kept)| self.is_live(kept));
        let mut contents: Vec<_> = live.map(|(key, kept)| (*key, kept.data)).collect();
        contents.sort_unstable();
        contents
    }
}

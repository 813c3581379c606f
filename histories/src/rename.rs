//! The specification of two tokens and `MemStore::rename` between them, and how to ask a real store.
//!
//! `rename` is no single step, and does not promise to be: "there is no moment at which neither token finds the session; while this runs, both may". What it
//! does promise is told by the steps that it may take midway:
//!
//! ```text
//! look     remember the session of `from`
//! put      a copy under `to`, if that has none
//! undo     if what was looked at is no longer there: take the copy back, if it is still there; and begin again
//! end      true: what was looked at is there, and goes, in one step
//!          false: `from` has no session, or `to` had one when the copy was to be put
//! ```
//!
//! A session that has expired is no longer there: so no rename that ends after that has moved it.

use fleeting::MemStore;

use crate::overtaken::Overtaken;
use crate::specification::{Call, Specification};
use crate::store::{Session, StoreAnswer, StoreOperation, StoreToken, TokenState, ask as ask_token};
use crate::ticks::Ticks;

/// An expiry that does not come.
pub const FAR: u64 = 1_000_000;

/// Copies that a rename may put until one is no longer taken back. (Without a bound, two renames that copy each other's copies make
/// endlessly many states.)
const ATTEMPTS: u32 = 3;

/// What is asked of two tokens.
#[derive(Clone, Copy, PartialEq, Eq, Hash, Debug)]
pub enum PairOperation {
    /// An operation on one of them.
    On(usize, StoreOperation),
    /// From this one to the other, with this expiry.
    RenameFrom(usize, u64),
    /// The clock was moved on to this tick, by one.
    Advance(u64),
}

/// A session, told from all others: by the return of the call that put it, and which of that rename's copies it is.
#[derive(Clone, Copy, PartialEq, Eq, Hash, Debug)]
struct Identity {
    born: u64,
    copy: u32,
}

/// How far a rename has come.
#[derive(Clone, Copy, PartialEq, Eq, Hash, Debug)]
enum Phase {
    Idle,
    /// It remembers a session.
    Looked(Session, Identity),
    /// A copy of this one was put; or would have been, but for its own expiry.
    Put(Identity),
}

#[derive(Clone, Copy, PartialEq, Eq, Hash, Debug)]
struct Rename {
    invoked: u64,
    /// Copies put so far.
    copies: u32,
    phase: Phase,
}

/// What both tokens have, and the renames that run.
#[derive(Clone, PartialEq, Eq, Hash, Debug)]
pub struct PairState {
    /// In ticks.
    now: u64,
    overtaken: [Option<Overtaken>; 2],
    sessions: [Option<(Session, Identity)>; 2],
    renames: Vec<Rename>,
}

/// The specification of two tokens.
#[derive(Clone, Copy, Debug, Default)]
pub struct TokenPair;

/// A call on two tokens.
pub type PairCall = Call<PairOperation, StoreAnswer>;

impl PairState {
    /// How far the rename that was invoked then has come.
    fn rename(&self, invoked: u64) -> Rename {
        let rename = self.renames.iter().find(|rename| rename.invoked == invoked);
        rename.copied().unwrap_or(Rename { invoked, copies: 0, phase: Phase::Idle })
    }

    /// With this session under a token.
    fn with_session(&self, token: usize, session: Option<(Session, Identity)>) -> PairState {
        let mut state = self.clone();
        state.sessions[token] = session;
        state
    }

    /// With a rename that has come so far.
    fn with_rename(&self, rename: Rename) -> PairState {
        let mut state = self.without_rename(rename.invoked);
        state.renames.push(rename);
        state.renames.sort_by_key(|rename| rename.invoked);
        state
    }

    fn without_rename(&self, invoked: u64) -> PairState {
        let mut state = self.clone();
        state.renames.retain(|other| other.invoked != invoked);
        state
    }

    fn go_on(&self, from: usize, expiry: u64, call: &PairCall, next: &mut Vec<PairState>) {
        let born = call.returned.unwrap_or(u64::MAX);
        let (source, target) = (self.sessions[from], self.sessions[1 - from]);
        let rename = self.rename(call.invoked);
        match (rename.phase, source, target) {
            (Phase::Idle, Some((source, identity)), _) => {
                next.push(self.with_rename(Rename { phase: Phase::Looked(source, identity), ..rename }));
            }
            (Phase::Looked(source, identity), _, None) if rename.copies < ATTEMPTS => {
                let copies = rename.copies + 1;
                let copy = Session { expiry, born, version: None, ..source };
                let copy = (expiry > self.now).then_some((copy, Identity { born, copy: copies }));
                let state = self.with_session(1 - from, copy);
                next.push(state.with_rename(Rename { copies, phase: Phase::Put(identity), ..rename }));
            }
            (Phase::Put(original), source, target) if source.is_none_or(|source| source.1 != original) => {
                let rest = target.filter(|target| target.1 != Identity { born, copy: rename.copies });
                next.push(self.with_session(1 - from, rest).with_rename(Rename { phase: Phase::Idle, ..rename }));
            }
            _ => {}
        }
    }

    fn end(&self, from: usize, call: &PairCall, next: &mut Vec<PairState>) {
        let (source, target) = (self.sessions[from], self.sessions[1 - from]);
        let ended = self.without_rename(call.invoked);
        let may_be = |is_moved| call.answer.as_ref().is_none_or(|answer| *answer == StoreAnswer::Did(is_moved));
        match self.rename(call.invoked).phase {
            Phase::Put(original) if may_be(true) && source.is_some_and(|source| source.1 == original) => {
                next.push(ended.with_session(from, None));
            }
            Phase::Idle if may_be(false) && source.is_none() => next.push(ended),
            Phase::Looked(..) if may_be(false) && target.is_some() => next.push(ended),
            _ => {}
        }
    }
}

impl Specification for TokenPair {
    type Operation = PairOperation;
    type Answer = StoreAnswer;
    type State = PairState;

    fn initial(&self) -> PairState {
        PairState { now: 0, overtaken: [None; 2], sessions: [None; 2], renames: Vec::new() }
    }

    fn step(&self, state: &PairState, call: &PairCall, next: &mut Vec<PairState>) {
        match call.operation {
            PairOperation::On(token, operation) => {
                let session = state.sessions[token].map(|session| session.0);
                let before = TokenState { now: state.now, overtaken: state.overtaken[token], session };
                let Call { thread, clock, invoked, returned, .. } = *call;
                let call = Call { thread, clock, invoked, returned, operation, answer: call.answer.clone() };
                let mut after = Vec::new();
                StoreToken::default().step(&before, &call, &mut after);
                next.extend(after.into_iter().map(|after| {
                    let identity = |session: Session| match state.sessions[token] {
                        Some((before, identity)) if before.born == session.born => identity,
                        _ => Identity { born: session.born, copy: 0 },
                    };
                    let session = after.session.map(|session| (session, identity(session)));
                    let mut state = state.with_session(token, session);
                    state.overtaken[token] = after.overtaken;
                    state
                }));
            }
            PairOperation::RenameFrom(from, _) if state.now >= call.clock => state.end(from, call, next),
            // The clock stood there before the call.
            PairOperation::RenameFrom(..) => {}
            PairOperation::Advance(now) => {
                let mut state = PairState { now, ..state.clone() };
                for token in 0..2 {
                    let is_to_come = |overtaken: &Overtaken| now < overtaken.deadline;
                    state.overtaken[token] = state.overtaken[token].filter(is_to_come);
                    state.sessions[token] = state.sessions[token].filter(|(session, _)| now < session.expiry);
                }
                next.push(state);
            }
        }
    }

    fn midway(&self, state: &PairState, call: &PairCall, next: &mut Vec<PairState>) {
        if let PairOperation::RenameFrom(from, expiry) = call.operation
            && state.now >= call.clock
        {
            state.go_on(from, expiry, call, next);
        }
    }
}

/// Asks a real store.
pub fn ask(store: &MemStore, ticks: &Ticks, tokens: &[String; 2], operation: &PairOperation) -> StoreAnswer {
    match *operation {
        PairOperation::On(token, operation) => ask_token(store, ticks, &tokens[token], &operation),
        PairOperation::RenameFrom(from, expiry) => {
            StoreAnswer::Did(store.rename(&tokens[from], &tokens[1 - from], ticks.system_time(expiry)))
        }
        PairOperation::Advance(_) => {
            ticks.advance();
            StoreAnswer::Done
        }
    }
}

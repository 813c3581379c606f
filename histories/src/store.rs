//! The specification of one token of a `MemStore`, and how to ask a real one.
//!
//! As in [`cache`](crate::cache), but expiries are times and not durations, so they are exact; only `save_for` has a time to live.
//!
//! * **Versions** are opaque. A session's is unknown until somebody reads it; from then on it is that, until the session is saved again. A version that
//!   was read from another session is never that of this one: [`ambiguous_version`] checks it for all tokens together.

use std::collections::HashMap;

use fleeting::{MemStore, Version};

use crate::overtaken::Overtaken;
use crate::specification::{Call, Specification, parity};
use crate::ticks::Ticks;

/// What is asked of one token. Data should be unique in a history. The last number is the expiry, in ticks.
#[derive(Clone, Copy, PartialEq, Eq, Hash, Debug)]
#[allow(missing_docs, reason = "named as the methods of `MemStore` that they stand for")]
pub enum StoreOperation {
    Save(u64, u64),
    /// With a time to live.
    SaveFor(u64, u64),
    Create(u64, u64),
    Update(u64, u64),
    CompareAndSave(Version, u64, u64),
    Touch(u64),
    Find,
    Read,
    FindWithExpiry,
    FindVersioned,
    Delete,
    Take,
    /// If [`parity`] of the data is this.
    DeleteWhere(bool),
    Clear,
    All,
    /// The clock was moved on to this tick, by one.
    Advance(u64),
}

/// What a token answers.
#[derive(Clone, PartialEq, Eq, Hash, Debug)]
pub enum StoreAnswer {
    /// Nothing to tell.
    Done,
    /// A bool; `Ok` of `create`.
    Did(bool),
    /// Data, or none.
    Data(Option<u64>),
    /// Data and expiry.
    Until(Option<(u64, u64)>),
    /// Data and version.
    Versioned(Option<(u64, Version)>),
    /// The version that was saved, or a conflict.
    Saved(Option<Version>),
    /// The data that a walk showed for the token.
    Seen(Vec<u64>),
}

/// A live session.
#[derive(Clone, Copy, PartialEq, Eq, Hash, Debug)]
pub struct Session {
    /// Its data.
    pub data: u64,
    /// The tick at which it is no longer live.
    pub expiry: u64,
    /// The stamp at which the call that saved it returned.
    pub born: u64,
    /// Its version, once somebody has read it.
    pub version: Option<Version>,
}

/// The clock and what the token has.
#[derive(Clone, Copy, PartialEq, Eq, Hash, Debug)]
pub struct TokenState {
    /// In ticks.
    pub now: u64,
    /// A touch that was overtaken.
    pub overtaken: Option<Overtaken>,
    /// None if there is no live session.
    pub session: Option<Session>,
}

/// The specification of one token.
#[derive(Clone, Copy, Debug, Default)]
pub struct StoreToken {
    /// Where the clock stands when the history begins.
    pub start: u64,
}

/// A call on a token.
pub type StoreCall = Call<StoreOperation, StoreAnswer>;

/// Collects the states that a call's answer allows.
struct Effects<'a> {
    now: u64,
    overtaken: Option<Overtaken>,
    call: &'a StoreCall,
    next: &'a mut Vec<TokenState>,
}

impl Effects<'_> {
    /// The call answers so, and leaves this.
    fn answer(&mut self, answer: &StoreAnswer, session: Option<Session>) {
        if self.call.answer.as_ref().is_none_or(|given| given == answer) {
            let session = session.filter(|session| self.now < session.expiry);
            self.next.push(TokenState { now: self.now, overtaken: self.overtaken, session });
        }
    }

    fn save(&mut self, answer: &StoreAnswer, data: u64, expiry: u64) {
        self.save_version(answer, data, expiry, None);
    }

    fn save_version(&mut self, answer: &StoreAnswer, data: u64, expiry: u64, version: Option<Version>) {
        let born = self.call.returned.unwrap_or(u64::MAX);
        self.answer(answer, Some(Session { data, expiry, born, version }));
    }

    /// A walk that removes the session, or missed it because it was saved meanwhile.
    fn doom(&mut self, session: Option<Session>, is_doomed: bool) {
        if !is_doomed || session.is_some_and(|session| session.born > self.call.invoked) {
            self.answer(&StoreAnswer::Done, session);
        }
        if is_doomed {
            self.answer(&StoreAnswer::Done, None);
        }
    }
}

impl Specification for StoreToken {
    type Operation = StoreOperation;
    type Answer = StoreAnswer;
    type State = TokenState;

    fn initial(&self) -> TokenState {
        TokenState { now: self.start, overtaken: None, session: None }
    }

    fn step(&self, state: &TokenState, call: &StoreCall, next: &mut Vec<TokenState>) {
        use StoreAnswer::{Data, Did, Done, Saved, Seen, Until, Versioned};
        if state.now < call.clock && !matches!(call.operation, StoreOperation::Advance(_)) {
            // The clock stood there before the call.
            return;
        }
        let Some(overtaken) = Overtaken::after(state.overtaken, state.now, call.invoked) else { return };
        let session = state.session;
        let data = session.map(|session| session.data);
        let mut effects = Effects { now: state.now, overtaken, call, next };
        match call.operation {
            StoreOperation::Save(new, expiry) => effects.save(&Done, new, expiry),
            StoreOperation::SaveFor(new, ttl) => {
                (call.clock..=state.now).for_each(|now| effects.save(&Done, new, now.saturating_add(ttl)));
            }
            StoreOperation::Create(new, expiry) => match session {
                None => effects.save(&Did(true), new, expiry),
                Some(_) => effects.answer(&Did(false), session),
            },
            StoreOperation::Update(new, expiry) => match session {
                Some(_) => effects.save(&Did(true), new, expiry),
                None => effects.answer(&Did(false), session),
            },
            StoreOperation::CompareAndSave(expected, new, expiry) => {
                // A version that nobody has read from this session is not the expected one, which somebody has read.
                if session.is_some_and(|session| session.version == Some(expected)) {
                    match call.answer {
                        Some(Saved(Some(version))) => {
                            effects.save_version(&Saved(Some(version)), new, expiry, Some(version));
                        }
                        None => effects.save(&Saved(None), new, expiry),
                        _ => {}
                    }
                } else {
                    effects.answer(&Saved(None), session);
                }
            }
            StoreOperation::Touch(expiry) => {
                effects.answer(&Did(session.is_some()), session.map(|session| Session { expiry, ..session }));
                if let (Some(old), None, Some(returned)) = (session, overtaken, call.returned)
                    && state.now < expiry
                    && expiry < old.expiry
                {
                    effects.overtaken = Some(Overtaken { returned, deadline: expiry });
                    effects.answer(&Did(true), session);
                }
            }
            StoreOperation::Find | StoreOperation::Read => effects.answer(&Data(data), session),
            StoreOperation::FindWithExpiry => {
                effects.answer(&Until(session.map(|session| (session.data, session.expiry))), session);
            }
            StoreOperation::FindVersioned => {
                let learned = match call.answer {
                    Some(Versioned(Some((_, version)))) => Some(version),
                    _ => session.and_then(|session| session.version),
                };
                match (session, learned) {
                    (None, _) => effects.answer(&Versioned(None), None),
                    (Some(session), Some(version)) if session.version.is_none_or(|known| known == version) => {
                        let session = Session { version: learned, ..session };
                        effects.answer(&Versioned(Some((session.data, version))), Some(session));
                    }
                    // An answer that is not known: nothing was learned.
                    (Some(_), None) if call.answer.is_none() => effects.answer(&Done, session),
                    _ => {}
                }
            }
            StoreOperation::Delete => effects.answer(&Did(session.is_some()), None),
            StoreOperation::Take => effects.answer(&Data(data), None),
            StoreOperation::DeleteWhere(doomed) => {
                effects.doom(session, data.is_some_and(|data| parity(data) == doomed))
            }
            StoreOperation::Clear => effects.doom(session, session.is_some()),
            StoreOperation::All => {
                if session.is_none_or(|session| session.born > call.invoked) {
                    effects.answer(&Seen(Vec::new()), session);
                }
                if let Some(data) = data {
                    effects.answer(&Seen(vec![data]), session);
                }
            }
            StoreOperation::Advance(to) => {
                effects.now = to;
                effects.overtaken = overtaken.filter(|overtaken| to < overtaken.deadline);
                effects.answer(&Done, session);
            }
        }
    }
}

/// A version that was given to two sessions, whatever their tokens, and the two; None if there is no such.
///
/// Data are unique, so they stand for the saves.
pub fn ambiguous_version<'c>(calls: impl IntoIterator<Item = &'c StoreCall>) -> Option<(Version, u64, u64)> {
    let mut data_of: HashMap<Version, u64> = HashMap::new();
    calls.into_iter().find_map(|call| {
        let (version, data) = match (&call.operation, &call.answer) {
            (_, &Some(StoreAnswer::Versioned(Some((data, version))))) => (version, data),
            (&StoreOperation::CompareAndSave(_, data, _), &Some(StoreAnswer::Saved(Some(version)))) => (version, data),
            _ => return None,
        };
        let first = *data_of.entry(version).or_insert(data);
        (first != data).then_some((version, first, data))
    })
}

fn number(data: impl AsRef<[u8]>) -> u64 {
    u64::from_le_bytes(data.as_ref().try_into().expect("data of eight bytes"))
}

/// Asks a real store, and gives its answer as the specification words it.
///
/// `DeleteWhere`, `Clear` and `All` concern every token: they are asked for by [`walk`], once, and stand in each token's history.
///
/// # Panics
///
/// If asked for one of these.
pub fn ask(store: &MemStore, ticks: &Ticks, token: &str, operation: &StoreOperation) -> StoreAnswer {
    use StoreAnswer::{Data, Did, Done, Saved, Until, Versioned};
    let at = |tick| ticks.system_time(tick);
    match *operation {
        StoreOperation::Save(data, expiry) => {
            store.save(token, data.to_le_bytes(), at(expiry));
            Done
        }
        StoreOperation::SaveFor(data, ttl) => {
            store.save_for(token, data.to_le_bytes(), ticks.duration(ttl));
            Done
        }
        StoreOperation::Create(data, expiry) => Did(store.create(token, data.to_le_bytes(), at(expiry)).is_ok()),
        StoreOperation::Update(data, expiry) => Did(store.update(token, data.to_le_bytes(), at(expiry))),
        StoreOperation::CompareAndSave(expected, data, expiry) => {
            Saved(store.compare_and_save(token, expected, data.to_le_bytes(), at(expiry)).ok())
        }
        StoreOperation::Touch(expiry) => Did(store.touch(token, at(expiry))),
        StoreOperation::Find => Data(store.find(token).map(number)),
        StoreOperation::Read => Data(store.read(token, |data| number(data))),
        StoreOperation::FindWithExpiry => {
            Until(store.find_with_expiry(token).map(|(data, expiry)| (number(data), ticks.at(expiry))))
        }
        StoreOperation::FindVersioned => {
            Versioned(store.find_versioned(token).map(|(data, version)| (number(data), version)))
        }
        StoreOperation::Delete => Did(store.delete(token)),
        StoreOperation::Take => Data(store.take(token).map(number)),
        StoreOperation::Advance(_) => {
            ticks.advance();
            Done
        }
        StoreOperation::DeleteWhere(_) | StoreOperation::Clear | StoreOperation::All => {
            panic!("{operation:?} is asked for by `walk`")
        }
    }
}

/// Asks a real store for a walk, and gives the answer for each of `tokens`. Only `clear` touches others.
///
/// # Panics
///
/// If the operation is no walk.
pub fn walk(store: &MemStore, tokens: &[String], operation: &StoreOperation) -> Vec<StoreAnswer> {
    let position = |token: &[u8]| tokens.iter().position(|other| other.as_bytes() == token);
    match *operation {
        StoreOperation::DeleteWhere(doomed) => {
            store.delete_where(|token, data| position(token).is_some() && parity(number(data)) == doomed);
            vec![StoreAnswer::Done; tokens.len()]
        }
        StoreOperation::Clear => {
            store.clear();
            vec![StoreAnswer::Done; tokens.len()]
        }
        StoreOperation::All => {
            let mut seen = vec![Vec::new(); tokens.len()];
            for (token, data) in store.iter() {
                if let Some(at) = position(&token) {
                    seen[at].push(number(data));
                }
            }
            seen.into_iter().map(StoreAnswer::Seen).collect()
        }
        _ => panic!("{operation:?} is no walk"),
    }
}

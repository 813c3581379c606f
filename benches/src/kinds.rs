//! Kinds of entries: what keys and values are, how a map keeps them, how they are made and checked.
//!
//! A key's bytes are those of a random 32-byte token, or a random number; a value begins with the key's first 8 bytes, so that every find can
//! be checked.

use std::borrow::Borrow;
use std::fmt::Debug;
use std::hash::Hash;
use std::marker::PhantomData;
use std::sync::Arc;

/// A session's token.
pub type Token = [u8; 32];

/// Keys and values of a cache.
pub trait Kind: Send + Sync + 'static {
    /// A key as it is asked for.
    type Key: Hash + Eq + ?Sized;
    /// A key as a map keeps it.
    type Owned: Borrow<Self::Key> + Hash + Eq + Ord + Clone + Debug + Send + Sync + 'static;
    /// A key as a bench keeps it.
    type Query: Clone + Send + Sync + 'static;
    type Value: ?Sized;
    /// A value as a map keeps it, cheap to clone.
    type Kept: Clone + Send + Sync + 'static;
    /// A value in the making.
    type Draft;

    fn name() -> &'static str;
    fn own(key: &Self::Key) -> Self::Owned;
    fn keep(value: &Self::Value) -> Self::Kept;
    fn view(kept: &Self::Kept) -> &Self::Value;
    fn query(random: &mut fastrand::Rng) -> Self::Query;
    fn key(query: &Self::Query) -> &Self::Key;

    /// A draft of a value of so many bytes, if the kind has any choice.
    fn draft(bytes: usize) -> Self::Draft;
    fn mark<'d>(draft: &'d mut Self::Draft, query: &Self::Query) -> &'d Self::Value;

    /// Whether this is a value of that key.
    fn fits(query: &Self::Query, value: &Self::Value) -> bool;

    /// Panics unless a find of what is there found what belongs there.
    #[inline]
    fn check(query: &Self::Query, value: Option<&Self::Value>) {
        match value {
            Some(value) if Self::fits(query, value) => {}
            Some(_) => panic!("a find returned the value of another key"),
            None => panic!("a find missed what is there"),
        }
    }
}

/// Random queries, all different.
pub fn queries<T: Kind>(count: usize, random: &mut fastrand::Rng) -> Vec<T::Query> {
    (0..count).map(|_| T::query(random)).collect()
}

fn token(random: &mut fastrand::Rng) -> Token {
    let mut token = [0; 32];
    random.fill(&mut token);
    token
}

/// Keys of the kinds whose values are bytes behind an `Arc`; as in [`Kind`].
pub trait Keys: Send + Sync + 'static {
    type Key: Hash + Eq + ?Sized;
    type Owned: Borrow<Self::Key> + Hash + Eq + Ord + Clone + Debug + Send + Sync + 'static;
    type Query: AsRef<[u8]> + Clone + Send + Sync + 'static;

    const NAME: &'static str;

    fn own(key: &Self::Key) -> Self::Owned;
    fn query(random: &mut fastrand::Rng) -> Self::Query;
    fn key(query: &Self::Query) -> &Self::Key;
}

/// Keys of some sort to bytes.
pub struct Bytes<K>(PhantomData<K>);

impl<K: Keys> Kind for Bytes<K> {
    type Key = K::Key;
    type Owned = K::Owned;
    type Query = K::Query;
    type Value = [u8];
    type Kept = Arc<[u8]>;
    type Draft = Vec<u8>;

    fn name() -> &'static str {
        K::NAME
    }

    fn own(key: &K::Key) -> K::Owned {
        K::own(key)
    }

    fn keep(value: &[u8]) -> Arc<[u8]> {
        value.into()
    }

    fn view(kept: &Arc<[u8]>) -> &[u8] {
        kept
    }

    fn query(random: &mut fastrand::Rng) -> K::Query {
        K::query(random)
    }

    fn key(query: &K::Query) -> &K::Key {
        K::key(query)
    }

    fn draft(bytes: usize) -> Vec<u8> {
        vec![7; bytes]
    }

    fn mark<'d>(draft: &'d mut Vec<u8>, query: &K::Query) -> &'d [u8] {
        draft[..8].copy_from_slice(&query.as_ref()[..8]);
        draft
    }

    fn fits(query: &K::Query, value: &[u8]) -> bool {
        value[..8] == query.as_ref()[..8]
    }
}

/// Sessions: tokens of any length, each in a box of its own.
pub type Boxed = Bytes<BoxedTokens>;

pub struct BoxedTokens;

impl Keys for BoxedTokens {
    type Key = [u8];
    type Owned = Box<[u8]>;
    type Query = Token;

    const NAME: &'static str = "sessions";

    fn own(key: &[u8]) -> Box<[u8]> {
        key.into()
    }

    fn query(random: &mut fastrand::Rng) -> Token {
        token(random)
    }

    fn key(query: &Token) -> &[u8] {
        query
    }
}

/// Sessions whose tokens all have 32 bytes, which the peers keep inline.
pub type Inline = Bytes<InlineTokens>;

pub struct InlineTokens;

impl Keys for InlineTokens {
    type Key = Token;
    type Owned = Token;
    type Query = Token;

    const NAME: &'static str = "inline";

    fn own(key: &Token) -> Token {
        *key
    }

    fn query(random: &mut fastrand::Rng) -> Token {
        token(random)
    }

    fn key(query: &Token) -> &Token {
        query
    }
}

/// `Cache<String, Arc<[u8]>>`: strings of 32 characters.
pub type Strings = Bytes<StringKeys>;

pub struct StringKeys;

impl Keys for StringKeys {
    type Key = str;
    type Owned = String;
    type Query = String;

    const NAME: &'static str = "string";

    fn own(key: &str) -> String {
        key.into()
    }

    fn query(random: &mut fastrand::Rng) -> String {
        (0..32).map(|_| random.alphanumeric()).collect()
    }

    fn key(query: &String) -> &str {
        query
    }
}

/// `Cache<u64, u64>`.
pub struct Numbers;

impl Kind for Numbers {
    type Key = u64;
    type Owned = u64;
    type Query = u64;
    type Value = u64;
    type Kept = u64;
    type Draft = u64;

    fn name() -> &'static str {
        "u64"
    }

    fn own(key: &u64) -> u64 {
        *key
    }

    fn keep(value: &u64) -> u64 {
        *value
    }

    fn view(kept: &u64) -> &u64 {
        kept
    }

    fn query(random: &mut fastrand::Rng) -> u64 {
        random.u64(..)
    }

    fn key(query: &u64) -> &u64 {
        query
    }

    fn draft(_: usize) -> u64 {
        0
    }

    fn mark<'d>(draft: &'d mut u64, query: &u64) -> &'d u64 {
        *draft = !*query;
        draft
    }

    fn fits(query: &u64, value: &u64) -> bool {
        *value == !*query
    }
}

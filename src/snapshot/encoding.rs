//! Keys and values of a cache as bytes: MessagePack, with the names of fields and variants.
//!
//! The encoding describes itself. A field that is skipped, renamed or flattened is found by its name, or is not
//! there; an untagged enum, or a `serde_json::Value`, sees what kind of value comes next. Types that differ by
//! human readability (an `IpAddr`, a `Uuid`) are written as text: serde buffers what it untags or flattens, and
//! the buffer always says that it is human-readable.
//!
//! * **E1** Before any of the user's code sees bytes, [`check`] has walked them, without recursion: they are
//!   exactly one value, nested no deeper than [`DEPTH`], and no length in them exceeds the bytes that follow. So a
//!   short record cannot claim much memory, nor a deep one overflow the stack.

use std::error::Error;

use rmp_serde::decode::Error as DecodeError;
use rmp_serde::{Deserializer, Serializer};
use serde::Serialize;
use serde::de::DeserializeOwned;

/// Arrays and maps that may lie in one another. As many as `serde_json` takes.
const DEPTH: usize = 128;

/// Encodes a key or value.
///
/// # Errors
///
/// Its `Serialize` refuses.
pub fn to_bytes(value: &impl Serialize) -> Result<Vec<u8>, impl Error + Send + Sync + 'static> {
    let mut bytes = Vec::new();
    value.serialize(&mut Serializer::new(&mut bytes).with_struct_map().with_human_readable()).map(|()| bytes)
}

/// Decodes a key or value: all of the bytes.
///
/// # Errors
///
/// What is wrong, without any part of the value.
pub fn from_bytes<T: DeserializeOwned>(bytes: &[u8]) -> Result<T, String> {
    check(bytes)?;
    T::deserialize(&mut Deserializer::from_read_ref(bytes).with_human_readable()).map_err(reason)
}

/// Serde's messages quote what they refuse. Only those about fields name nothing but the type's own.
fn reason(error: DecodeError) -> String {
    match error {
        DecodeError::Syntax(message) if message.starts_with("missing field `") => message,
        DecodeError::TypeMismatch(_) | DecodeError::Syntax(_) | DecodeError::Uncategorized(_) => {
            "its bytes are a value of another type".into()
        }
        DecodeError::OutOfRange => "a number is out of its type's range".into(),
        DecodeError::LengthMismatch(_) => "a sequence or map has another length than its type".into(),
        DecodeError::Utf8Error(_) => "a string is not UTF-8".into(),
        _ => "its bytes end too early".into(),
    }
}

/// E1.
fn check(bytes: &[u8]) -> Result<(), &'static str> {
    const CUT: &str = "its bytes end too early";
    let mut rest = bytes;
    // Values that are still to come, by level.
    let mut left = [0_u64; DEPTH + 1];
    let mut level = 0;
    left[0] = 1;
    loop {
        while left[level] == 0 {
            if level == 0 {
                return if rest.is_empty() { Ok(()) } else { Err("bytes follow its end") };
            }
            level -= 1;
        }
        left[level] -= 1;
        let (&marker, after) = rest.split_first().ok_or(CUT)?;
        rest = after;
        let mut number = |width: usize| {
            let (number, after) = rest.split_at_checked(width).ok_or(CUT)?;
            rest = after;
            Ok::<u64, &str>(number.iter().fold(0, |number, byte| number << 8 | u64::from(*byte)))
        };
        let (length, inner) = match marker {
            0x00..=0x7F | 0xC0 | 0xC2 | 0xC3 | 0xE0..=0xFF => (0, 0),
            0x80..=0x8F => (0, 2 * u64::from(marker & 0x0F)),
            0x90..=0x9F => (0, u64::from(marker & 0x0F)),
            0xA0..=0xBF => (u64::from(marker & 0x1F), 0),
            0xC1 => return Err("a byte means nothing"),
            // Bytes and strings.
            0xC4..=0xC6 => (number(1 << (marker - 0xC4))?, 0),
            0xD9..=0xDB => (number(1 << (marker - 0xD9))?, 0),
            // Extensions: a byte tells which.
            0xC7..=0xC9 => (number(1 << (marker - 0xC7))? + 1, 0),
            0xD4..=0xD8 => ((1 << (marker - 0xD4)) + 1, 0),
            // Numbers.
            0xCA | 0xCB => (4 << (marker - 0xCA), 0),
            0xCC..=0xCF => (1 << (marker - 0xCC), 0),
            0xD0..=0xD3 => (1 << (marker - 0xD0), 0),
            // Arrays and maps.
            0xDC | 0xDD => (0, number(2 << (marker - 0xDC))?),
            0xDE | 0xDF => (0, 2 * number(2 << (marker - 0xDE))?),
        };
        let length = usize::try_from(length).map_err(|_| CUT)?;
        rest = rest.split_at_checked(length).ok_or(CUT)?.1;
        if inner > rest.len() as u64 {
            return Err(CUT);
        }
        if inner > 0 {
            level += 1;
            *left.get_mut(level).ok_or("it is nested too deeply")? = inner;
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Catches a marker whose length is taken wrongly: each kind of value, at each width, is followed by another,
    /// cut anywhere, and exceeded.
    #[test]
    fn every_kind_of_value_has_its_length() {
        let kinds: &[(&[u8], usize)] = &[
            (&[0x7F], 0),
            (&[0xE0], 0),
            (&[0xC0], 0),
            (&[0xC3], 0),
            (&[0x81, 1, 2], 0),
            (&[0x92, 1, 2], 0),
            (&[0xA3], 3),
            (&[0xC4, 2], 2),
            (&[0xC5, 1, 0], 256),
            (&[0xC6, 0, 0, 1, 0], 256),
            (&[0xC7, 2, 9], 2),
            (&[0xC8, 1, 0, 9], 256),
            (&[0xC9, 0, 0, 1, 0, 9], 256),
            (&[0xCA], 4),
            (&[0xCB], 8),
            (&[0xCC], 1),
            (&[0xCD], 2),
            (&[0xCE], 4),
            (&[0xCF], 8),
            (&[0xD0], 1),
            (&[0xD1], 2),
            (&[0xD2], 4),
            (&[0xD3], 8),
            (&[0xD4, 9], 1),
            (&[0xD5, 9], 2),
            (&[0xD6, 9], 4),
            (&[0xD7, 9], 8),
            (&[0xD8, 9], 16),
            (&[0xD9, 2], 2),
            (&[0xDA, 1, 0], 256),
            (&[0xDB, 0, 0, 1, 0], 256),
            (&[0xDC, 0, 1, 5], 0),
            (&[0xDD, 0, 0, 0, 1, 5], 0),
            (&[0xDE, 0, 1, 5, 5], 0),
            (&[0xDF, 0, 0, 0, 1, 5, 5], 0),
        ];
        for (head, body) in kinds {
            let value = [*head, &vec![b'x'; *body]].concat();
            assert_eq!(check(&value), Ok(()), "{head:X?}");
            for end in 0..value.len() {
                assert!(check(&value[..end]).is_err(), "{head:X?} cut at {end}");
            }
            assert!(check(&[&value[..], &[0xC0]].concat()).is_err(), "{head:X?} and one more");
            assert_eq!(check(&[&[0x92], &value[..], &value[..]].concat()), Ok(()), "{head:X?} twice");
        }
        assert!(check(&[0xC1]).is_err());
    }

    /// Catches a claim of four billion values in a few bytes, and nesting that recursion would follow to the end
    /// of the stack.
    #[test]
    fn claims_and_depths_are_bounded() {
        for bomb in
            [[0xDD, 0xFF, 0xFF, 0xFF, 0xFF, 1], [0xDF, 0xFF, 0xFF, 0xFF, 0xFF, 1], [0xC6, 0xFF, 0xFF, 0xFF, 0xFF, 1]]
        {
            assert_eq!(check(&bomb), Err("its bytes end too early"));
        }
        let nested = |depth| [vec![0x91; depth], vec![0xC0]].concat();
        assert_eq!(check(&nested(DEPTH)), Ok(()));
        assert_eq!(check(&nested(DEPTH + 1)), Err("it is nested too deeply"));
        assert_eq!(check(&nested(1_000_000)), Err("it is nested too deeply"));
    }
}

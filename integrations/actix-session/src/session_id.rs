//! Session keys: 256 random bits, and their text in a cookie.

use std::fmt;

use actix_session::storage::SessionKey;

/// A session's key: 256 bits from the operating system's generator. In a cookie it is 64 hexadecimal digits.
#[derive(Clone, Copy, PartialEq, Eq, Hash)]
#[cfg_attr(feature = "serde", derive(serde::Serialize, serde::Deserialize))]
pub struct SessionId([u8; SessionId::BYTES]);

impl SessionId {
    const BYTES: usize = 32;

    /// A new key, straight from the operating system.
    ///
    /// # Errors
    ///
    /// The system gives no random bytes.
    pub(crate) fn random() -> Result<SessionId, getrandom::Error> {
        let mut bytes = [0; SessionId::BYTES];
        getrandom::fill(&mut bytes)?;
        Ok(SessionId(bytes))
    }

    /// The key that a cookie holds; None if it is no text that [`text`](Self::text) writes.
    pub(crate) fn parse(text: &SessionKey) -> Option<SessionId> {
        let digits = text.as_ref().as_bytes();
        if digits.len() != 2 * SessionId::BYTES {
            return None;
        }
        let mut bytes = [0; SessionId::BYTES];
        for (byte, pair) in bytes.iter_mut().zip(digits.chunks_exact(2)) {
            *byte = value(pair[0])? << 4 | value(pair[1])?;
        }
        Some(SessionId(bytes))
    }

    /// Its text.
    pub(crate) fn text(&self) -> SessionKey {
        let digits =
            self.0.iter().flat_map(|byte| [byte >> 4, byte & 15]).map(|digit| char::from(DIGITS[usize::from(digit)]));
        let text: String = digits.collect();
        text.try_into().expect("64 digits are fewer than a session key may have")
    }
}

/// Prints none of the key.
impl fmt::Debug for SessionId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("SessionId(..)")
    }
}

/// One text a key: no capital digits.
fn value(digit: u8) -> Option<u8> {
    match digit {
        b'0'..=b'9' => Some(digit - b'0'),
        b'a'..=b'f' => Some(digit - b'a' + 10),
        _ => None,
    }
}

const DIGITS: &[u8; 16] = b"0123456789abcdef";

#[cfg(test)]
mod tests {
    use std::collections::HashSet;

    use super::*;

    fn parse(text: &str) -> Option<SessionId> {
        SessionId::parse(&text.to_owned().try_into().expect("short enough"))
    }

    /// Catches digits that are swapped or lost, and a text that is accepted though no key has it.
    #[test]
    fn a_key_is_the_one_that_its_text_says() {
        let bytes: Vec<u8> = (0..32).map(|byte| byte * 8 + 1).collect();
        let key = SessionId(bytes.try_into().expect("32 bytes"));
        let text = key.text();
        assert!(text.as_ref().starts_with("010911192129"), "{text:?}");
        assert_eq!(SessionId::parse(&text), Some(key));
        let text = text.as_ref();
        for wrong in
            ["", &text[1..], &format!("{text}0"), &text.replace('a', "A"), &text.replace('1', "g"), &"é".repeat(32)]
        {
            assert_eq!(parse(wrong), None, "{wrong}");
        }
    }

    /// Catches a generator that repeats itself, or bytes of the key that are always the same.
    #[test]
    fn keys_differ_in_every_byte() {
        let keys: Vec<SessionId> = (0..1000).map(|_| SessionId::random().expect("random bytes")).collect();
        assert_eq!(keys.iter().collect::<HashSet<_>>().len(), keys.len());
        for place in 0..SessionId::BYTES {
            let values: HashSet<u8> = keys.iter().map(|key| key.0[place]).collect();
            assert!(values.len() > 200, "byte {place} has {} values", values.len());
        }
    }

    /// Catches a key that is printed: it is as good as a password.
    #[test]
    fn debug_tells_nothing() {
        assert_eq!(format!("{:?}", SessionId([7; 32])), "SessionId(..)");
    }
}

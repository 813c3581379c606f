//! One line of an Apache access log.
//!
//! The common format is `host ident user [time] "request" status bytes`; the combined format and others append fields. All of the common
//! part must be in order; what follows it is not looked at, for nothing in it is needed (a cut-off user agent, say, does no harm).

/// What the replay needs of a line.
#[derive(Debug, PartialEq, Eq)]
pub struct Line<'a> {
    pub client: &'a [u8],
    /// Seconds since the Unix epoch.
    pub time: u64,
}

/// Reads one line, without its line feed.
///
/// # Errors
///
/// What is wrong with it.
pub fn parse(line: &[u8]) -> Result<Line<'_>, &'static str> {
    let (client, rest) = word(line).ok_or("no client")?;
    let (_ident, rest) = word(rest).ok_or("no identity field")?;
    let (_user, rest) = word(rest).ok_or("no user field")?;
    let (time, rest) = bracketed(rest).ok_or("no time in brackets after the third field")?;
    let time = seconds(time).ok_or("not a time")?;
    let rest = quoted(rest).ok_or("no request in quotes")?;
    let (status, rest) = word_or_last(rest);
    if !(status.len() == 3 && digits(status)) {
        return Err("no status of three digits");
    }
    let (bytes, _) = word_or_last(rest);
    if !(digits(bytes) || bytes == b"-") {
        return Err("no count of bytes");
    }
    Ok(Line { client, time })
}

/// A word that is not empty, and what follows the space after it.
fn word(text: &[u8]) -> Option<(&[u8], &[u8])> {
    let end = text.iter().position(|byte| *byte == b' ').filter(|end| *end > 0)?;
    Some((&text[..end], &text[end + 1..]))
}

fn word_or_last(text: &[u8]) -> (&[u8], &[u8]) {
    word(text).unwrap_or((text, b""))
}

/// What `[...] ` encloses, and what follows.
fn bracketed(text: &[u8]) -> Option<(&[u8], &[u8])> {
    let text = text.strip_prefix(b"[")?;
    let end = text.iter().position(|byte| *byte == b']')?;
    Some((&text[..end], text[end + 1..].strip_prefix(b" ")?))
}

/// What follows `"..." `. Apache writes a quote within the quotes as `\"`.
fn quoted(text: &[u8]) -> Option<&[u8]> {
    let mut rest = text.strip_prefix(b"\"")?;
    loop {
        rest = match rest {
            [b'\\', _, after @ ..] | [_, after @ ..] if rest[0] != b'"' => after,
            [b'"', b' ', after @ ..] => return Some(after),
            _ => return None,
        };
    }
}

fn digits(text: &[u8]) -> bool {
    !text.is_empty() && text.iter().all(u8::is_ascii_digit)
}

/// The time `17/May/2015:10:05:03 +0000` in seconds since the epoch.
fn seconds(text: &[u8]) -> Option<u64> {
    let separators = [(2, b'/'), (6, b'/'), (11, b':'), (14, b':'), (17, b':'), (20, b' ')];
    if text.len() != 26 || separators.iter().any(|(at, byte)| text[*at] != *byte) {
        return None;
    }
    let (day, month, year) = (number(&text[..2])?, month(&text[3..6])?, number(&text[7..11])?);
    let (hour, minute, second) = (number(&text[12..14])?, number(&text[15..17])?, number(&text[18..20])?);
    // A leap second is second 60.
    if hour > 23 || minute > 59 || second > 60 {
        return None;
    }
    let local = days(year, month, day)? * 86_400 + hour * 3_600 + minute * 60 + second;
    u64::try_from(local - zone(&text[21..])?).ok()
}

fn number(text: &[u8]) -> Option<i64> {
    std::str::from_utf8(text).ok().filter(|_| digits(text))?.parse().ok()
}

/// January is 1.
fn month(name: &[u8]) -> Option<i64> {
    const NAMES: &[u8; 36] = b"JanFebMarAprMayJunJulAugSepOctNovDec";
    let at = NAMES.chunks_exact(3).position(|candidate| candidate == name)?;
    i64::try_from(at + 1).ok()
}

/// The zone `+0200` in seconds: what local time is ahead.
fn zone(text: &[u8]) -> Option<i64> {
    let (hours, minutes) = (number(&text[1..3])?, number(&text[3..5])?);
    let ahead = hours * 3_600 + minutes * 60;
    match text[0] {
        b'+' if hours < 24 && minutes < 60 => Some(ahead),
        b'-' if hours < 24 && minutes < 60 => Some(-ahead),
        _ => None,
    }
}

/// Days from the Unix epoch to a date; None if there is no such date.
fn days(year: i64, month: i64, day: i64) -> Option<i64> {
    let leap = year % 4 == 0 && (year % 100 != 0 || year % 400 == 0);
    let length = match month {
        2 if leap => 29,
        2 => 28,
        4 | 6 | 9 | 11 => 30,
        _ => 31,
    };
    if !(1..=length).contains(&day) {
        return None;
    }
    // Years that begin in March end with the leap day.
    let (year, month) = if month < 3 { (year - 1, month + 9) } else { (year, month - 3) };
    let leap_days = year.div_euclid(4) - year.div_euclid(100) + year.div_euclid(400);
    Some(year * 365 + leap_days + (month * 153 + 2) / 5 + day - 1 - DAYS_TO_EPOCH)
}

/// From 1 March of the year 0 to 1 January 1970.
const DAYS_TO_EPOCH: i64 = 719_468;

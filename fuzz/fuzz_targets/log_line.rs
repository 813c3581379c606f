//! Any bytes are a line of an access log: the parser of `examples/replay` must answer as a slow and plain reading of the same
//! format does, and the time that it reads must come back when it is written out and read again.
//!
//! Catches a panic (an index, an overflow), a malformed line that is accepted, and a wrong date.

#![no_main]

#[path = "../../examples/replay/line.rs"]
mod line;

libfuzzer_sys::fuzz_target!(|bytes: &[u8]| {
    let parsed = line::parse(bytes).ok().map(|line| (line.client, line.time));
    assert_eq!(parsed, read_plainly(bytes), "{:?}", String::from_utf8_lossy(bytes));
    let Some((client, time)) = parsed else { return };
    // In the last hours of the year 9999, a zone can make it five digits.
    if let Some(written) = write_time(time) {
        let line = [client, b" - - [", written.as_bytes(), b"] \"\" 200 -"].concat();
        assert_eq!(line::parse(&line), Ok(line::Line { client, time }), "{written}");
    }
});

/// The client and the time, if all is in order.
fn read_plainly(line: &[u8]) -> Option<(&[u8], u64)> {
    let mut fields = line.splitn(4, |byte| *byte == b' ');
    let mut field = || fields.next().filter(|field| !field.is_empty());
    let (client, _ident, _user, rest) = (field()?, field()?, field()?, field()?);
    let (time, rest) = rest.strip_prefix(b"[")?.split_at_checked(26)?;
    let rest = rest.strip_prefix(b"] \"")?;
    let mut escaped = false;
    let end = rest.iter().position(|byte| {
        let is_end = *byte == b'"' && !escaped;
        escaped = *byte == b'\\' && !escaped;
        is_end
    })?;
    let mut numbers = rest[end + 1..].strip_prefix(b" ")?.split(|byte| *byte == b' ');
    let (status, bytes) = (numbers.next()?, numbers.next()?);
    let are_digits = |text: &[u8]| !text.is_empty() && text.iter().all(|byte| byte.is_ascii_digit());
    let is_fit = status.len() == 3 && are_digits(status) && (bytes == b"-" || are_digits(bytes));
    is_fit.then_some((client, read_time(time)?))
}

const MONTHS: [&str; 12] = ["Jan", "Feb", "Mar", "Apr", "May", "Jun", "Jul", "Aug", "Sep", "Oct", "Nov", "Dec"];

/// The time in seconds since the epoch, counted year by year and month by month.
fn read_time(text: &[u8]) -> Option<u64> {
    let text = std::str::from_utf8(text).ok()?;
    let shape: String = text.chars().map(|c| if c.is_ascii_digit() { '0' } else { c }).collect();
    let month = MONTHS
        .iter()
        .position(|name| ["+", "-"].iter().any(|s| shape == format!("00/{name}/0000:00:00:00 {s}0000")))?;
    let number = |from: usize, to: usize| text[from..to].parse::<i64>().expect("digits");
    let (day, year) = (number(0, 2), number(7, 11));
    let (hour, minute, second) = (number(12, 14), number(15, 17), number(18, 20));
    let (zone_hours, zone_minutes) = (number(22, 24), number(24, 26));
    let is_date = (1..=month_length(year, month)).contains(&day);
    if !is_date || hour > 23 || minute > 59 || second > 60 || zone_hours > 23 || zone_minutes > 59 {
        return None;
    }
    let ahead = (zone_hours * 60 + zone_minutes) * if &text[21..22] == "-" { -60 } else { 60 };
    // Years before 1970 matter only at its beginning, where the zone may lead over.
    let days = match year {
        1970.. => (1970..year).map(year_length).sum::<i64>(),
        1969 => -year_length(1969),
        _ => return None,
    };
    let days = days + (0..month).map(|month| month_length(year, month)).sum::<i64>() + day - 1;
    u64::try_from(((days * 24 + hour) * 60 + minute) * 60 + second - ahead).ok()
}

/// January is 0.
fn month_length(year: i64, month: usize) -> i64 {
    let is_leap = year % 400 == 0 || (year % 4 == 0 && year % 100 != 0);
    [31, if is_leap { 29 } else { 28 }, 31, 30, 31, 30, 31, 31, 30, 31, 30, 31][month]
}

fn year_length(year: i64) -> i64 {
    (0..12).map(|month| month_length(year, month)).sum()
}

/// Writes a time as a log does, in a zone of its own; None after the year 9999.
fn write_time(time: u64) -> Option<String> {
    let (mut days, second) = ((time / 86_400) as i64, time % 86_400);
    let (mut year, mut month) = (1970, 0);
    while days >= year_length(year) {
        days -= year_length(year);
        year += 1;
    }
    while days >= month_length(year, month) {
        days -= month_length(year, month);
        month += 1;
    }
    let (hour, minute, second) = (second / 3_600, second / 60 % 60, second % 60);
    let written = format!("{:02}/{}/{year:04}:{hour:02}:{minute:02}:{second:02} +0000", days + 1, MONTHS[month]);
    (year < 10_000).then_some(written)
}

//! Reads a router's answer over HTTP as it arrives: the status and the body, whose end is told by
//! its length, by its chunks or by the end of the connection. Bytes in, values out.

/// The longest answer, head and body.
pub const LONGEST: usize = 64 * 1024;

/// An answer.
#[derive(PartialEq, Debug)]
pub struct Answer {
    /// 200 and the like.
    pub status: u16,
    /// What it says.
    pub body: String,
}

/// What the bytes that have arrived come to.
#[derive(PartialEq, Debug)]
pub enum Read {
    /// A part of an answer.
    Part,
    /// An answer.
    Whole(Answer),
    /// Nothing that could become one.
    Nonsense,
}

/// Reads what has arrived; `is_all` if nothing will follow.
pub fn read(bytes: &[u8], is_all: bool) -> Read {
    let part = if is_all || bytes.len() >= LONGEST {
        Read::Nonsense
    } else {
        Read::Part
    };
    let Some(end) = bytes.windows(4).position(|four| four == b"\r\n\r\n") else {
        return part;
    };
    let (head, body) = (&bytes[..end], &bytes[end + 4..]);
    let Some((status, length)) = std::str::from_utf8(head).ok().and_then(read_head) else {
        return Read::Nonsense;
    };
    let body = match length {
        Length::Known(length) => body.get(..length).map(<[u8]>::to_vec),
        Length::Chunks => match unchunked(body) {
            Ok(body) => body,
            Err(()) => return Read::Nonsense,
        },
        Length::UntilTheEnd => is_all.then(|| body.to_vec()),
    };
    match body {
        Some(body) => Read::Whole(Answer {
            status,
            body: String::from_utf8_lossy(&body).into_owned(),
        }),
        None => part,
    }
}

enum Length {
    Known(usize),
    Chunks,
    UntilTheEnd,
}

fn read_head(head: &str) -> Option<(u16, Length)> {
    let mut lines = head.lines();
    let mut words = lines.next()?.split(' ');
    let is_http = words.next()?.starts_with("HTTP/1.");
    let status = words.next()?.parse().ok().filter(|_| is_http)?;
    let mut length = Length::UntilTheEnd;
    for line in lines {
        let (name, value) = line.split_once(':').unwrap_or((line, ""));
        let value = value.trim();
        if name.eq_ignore_ascii_case("Transfer-Encoding") && value.eq_ignore_ascii_case("chunked") {
            return Some((status, Length::Chunks));
        }
        if name.eq_ignore_ascii_case("Content-Length") {
            length = Length::Known(value.parse().ok()?);
        }
    }
    Some((status, length))
}

/// What is in the chunks; `Ok(None)` if the last one is yet to come.
fn unchunked(mut bytes: &[u8]) -> Result<Option<Vec<u8>>, ()> {
    let mut body = Vec::new();
    loop {
        let Some(end) = bytes.windows(2).position(|two| two == b"\r\n") else {
            return Ok(None);
        };
        let line = std::str::from_utf8(&bytes[..end]).map_err(|_| ())?;
        let digits = line.split(';').next().unwrap_or(line).trim();
        let length = usize::from_str_radix(digits, 16).map_err(|_| ())?;
        if length == 0 {
            return Ok(Some(body));
        }
        if length > LONGEST {
            return Err(());
        }
        let Some(chunk) = bytes.get(end + 2..end + 2 + length) else {
            return Ok(None);
        };
        body.extend_from_slice(chunk);
        bytes = bytes.get(end + 4 + length..).unwrap_or_default();
    }
}

#[cfg(test)]
#[path = "http_answer_tests.rs"]
mod tests;

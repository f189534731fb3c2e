//! The query string of an announce or a scrape, without its question mark.

use super::{ip, is_one_clean_line};
use bendy::decoding::{Decoder, FromBencode};
use bendy::value::Value;
use mayfly::address::{self, Scope};
use mayfly::announce::{Announce, Claim, Event, Host, InfoHash, Reply};
use mayfly::gate::head;
use mayfly::http::announce::{Form, Path};
use mayfly::http::{announce, display_name, scrape, torrents};
use mayfly::refusal::Refusal;
use mayfly::tracker::{Settings, Tracker};
use std::borrow::Cow;
use std::collections::BTreeSet;
use std::time::Duration;

/// So few that the cap is met.
const NUMWANT: u32 = 2;

/// Checks the query as that of an announce, and as that of a scrape.
pub fn check(query: &[u8]) {
    let tracker = Tracker::new(Settings {
        numwant: NUMWANT,
        ..Settings::default()
    });
    // Who asks, and which of the tracker's addresses they reached.
    for (source, local) in [
        ("127.0.0.1", "127.0.0.1"),
        ("192.168.1.2", "192.168.1.1"),
        ("fd00::2", "fd00::1"),
        ("2001:db8::2", "2001:db8::1"),
        ("203.0.113.2", "198.51.100.1"),
    ] {
        let path = Path {
            source: ip(source),
            local: ip(local),
        };
        check_announce(query, path, &tracker);
    }
    check_scrape(query, &tracker);
    check_name(query);
}

/// As the name of a torrent, and as what is asked of the list.
fn check_name(query: &[u8]) {
    let _ = torrents::read(query);
    let Some(name) = display_name::clean(query) else {
        return;
    };
    assert!((1..=100).contains(&name.chars().count()), "{name:?}");
    assert!(name.trim() == name && !name.contains("  "), "{name:?}");
    assert!(!name.chars().any(char::is_control), "{name:?}");
    let escaped: String = name.bytes().map(|byte| format!("%{byte:02x}")).collect();
    assert_eq!(display_name::clean(escaped.as_bytes()), Some(name));
}

fn check_announce(query: &[u8], path: Path, tracker: &Tracker) {
    let read = announce::read(query, path);
    check_that_escaping_by_the_gate_changes_nothing(query, path, &read);
    let mut body = Vec::new();
    match read {
        Err(refusal) => {
            assert_eq!(Err(refusal.code()), expected(query));
            check_refusal(&refusal);
        }
        Ok((mut announce, form)) => {
            check_fields(query, &announce, form);
            for claim in [&mut announce.ip, &mut announce.ipv4, &mut announce.ipv6] {
                let is_name = |claim: &Claim| matches!(claim.host, Host::Name(_));
                if claim.as_ref().is_some_and(is_name) {
                    // The tracker would begin a thread that asks the system.
                    *claim = None;
                }
            }
            let mut reply = Reply::default();
            let now = Duration::from_secs(1);
            tracker.handle(&announce, now, &mut reply).expect("room");
            check_reply(&announce, &reply);
            announce::write_reply(&reply, form, &mut body);
            assert_eq!(decoded(&body), as_value(&reply, form));
        }
    }
}

/// What the query says, told without any of the tracker's code: info_hash, peer_id, port, or the
/// failure code.
fn expected(query: &[u8]) -> Result<(Vec<u8>, Vec<u8>, u16), u16> {
    let bytes = |key: &str, missing: u16, wrong: u16| {
        let value = unescaped(first(query, key).ok_or(missing)?);
        (value.len() == 20).then_some(value).ok_or(wrong)
    };
    let info_hash = bytes("info_hash", 101, 150)?;
    let peer_id = bytes("peer_id", 102, 151)?;
    let port = number(first(query, "port").ok_or(103_u16)?);
    match port {
        Some(port @ 1..=65535) => Ok((info_hash, peer_id, port as u16)),
        _ => Err(900),
    }
}

fn check_fields(query: &[u8], announce: &Announce, form: Form) {
    let (info_hash, peer_id, port) = expected(query).expect("it was read");
    assert_eq!(announce.info_hash.0, *info_hash);
    assert_eq!(announce.peer_id.0, *peer_id);
    assert_eq!(announce.port, port);
    let of = |key| first(query, key).unwrap_or_default();
    assert_eq!(announce.is_seeder, number(of("left")) == Some(0));
    let transferred = |key| number(of(key)).is_some_and(|bytes| bytes > 0);
    let has_transferred = transferred("uploaded") || transferred("downloaded");
    assert_eq!(announce.has_transferred, has_transferred);
    let numwant = number(of("numwant")).map(|number| number.min(u32::MAX.into()) as u32);
    assert_eq!(announce.numwant, numwant);
    let event = match of("event") {
        b"started" => Event::Started,
        b"completed" => Event::Completed,
        b"stopped" => Event::Stopped,
        _ => Event::Update,
    };
    assert_eq!(announce.event, event);
    assert_eq!(form.compact, of("compact") != b"0");
    assert_eq!(form.no_peer_id, of("no_peer_id") == b"1");
    for claim in [&announce.ip, &announce.ipv4, &announce.ipv6] {
        match claim.as_ref().map(|claim| &claim.host) {
            Some(Host::Address(ip)) => assert_eq!(*ip, address::canonical(*ip)),
            Some(Host::Name(name)) => {
                let is_plain = |b: u8| b.is_ascii_alphanumeric() || b"-_.".contains(&b);
                assert!((1..=254).contains(&name.len()) && name.bytes().all(is_plain));
                assert_eq!(*name, name.to_ascii_lowercase());
            }
            None => {}
        }
    }
}

/// The gate percent-encodes what is not printable before the query is read.
fn check_that_escaping_by_the_gate_changes_nothing(
    query: &[u8],
    path: Path,
    read: &Result<(Announce, Form), Refusal>,
) {
    let mut clean = Vec::new();
    head::write_target(query, &mut clean);
    let of_clean = announce::read(&clean, path);
    match (read, of_clean) {
        (Ok(raw), Ok(clean)) => {
            // A claim that is too long to be any is told by its length in the query.
            if query.len() < 260 {
                assert_eq!(*raw, clean);
            }
        }
        // Some quote what came.
        (Err(raw), Err(clean)) => assert_eq!(raw.code(), clean.code()),
        (raw, clean) => panic!("{raw:?} and {clean:?}"),
    }
}

fn check_refusal(refusal: &Refusal) {
    let text = refusal.to_string();
    assert!(is_one_clean_line(&text) && text.len() < 300, "{text:?}");
    let mut body = Vec::new();
    announce::write_refusal(refusal, 240, &mut body);
    let interval = refusal.will_pass().then(|| ("interval", integer(240)));
    let expected = dictionary(
        [
            ("failure code", integer(refusal.code())),
            ("failure reason", bytes(text.as_bytes())),
        ]
        .into_iter()
        .chain(interval),
    );
    assert_eq!(decoded(&body), expected);
}

fn check_reply(announce: &Announce, reply: &Reply) {
    let most = announce.numwant.unwrap_or(NUMWANT).min(NUMWANT) as usize;
    assert!(reply.peers.len() <= most);
    assert_eq!(reply.external_ip, announce.source);
    let endpoints: BTreeSet<_> = reply.peers.iter().map(|peer| peer.endpoint).collect();
    assert_eq!(endpoints.len(), reply.peers.len(), "{:?}", reply.peers);
    for peer in &endpoints {
        let is_asker = (peer.ip, peer.port) == (announce.source, announce.port);
        assert!(!is_asker && peer.port != 0);
        assert!(Scope::of(peer.ip) >= Scope::of(announce.source), "{peer}");
    }
    if announce.event == Event::Stopped {
        assert!(endpoints.is_empty());
    }
}

fn as_value(reply: &Reply, form: Form) -> Value<'static> {
    let external_ip = match address::to_bytes(reply.external_ip) {
        bytes if reply.external_ip.is_ipv4() => bytes[12..].to_vec(),
        bytes => bytes.to_vec(),
    };
    let mut entries = vec![
        ("complete", integer(reply.seeders)),
        ("downloaded", integer(reply.downloaded)),
        ("external ip", bytes(&external_ip)),
        ("incomplete", integer(reply.leechers)),
        ("interval", integer(reply.interval)),
        ("min interval", integer(reply.min_interval)),
    ];
    if form.compact {
        let (mut peers, mut peers6) = (Vec::new(), Vec::new());
        for peer in &reply.peers {
            let ip = address::to_bytes(peer.endpoint.ip);
            let (family, ip) = match peer.endpoint.ip.is_ipv4() {
                true => (&mut peers, &ip[12..]),
                false => (&mut peers6, &ip[..]),
            };
            family.extend_from_slice(ip);
            family.extend_from_slice(&peer.endpoint.port.to_be_bytes());
        }
        entries.push(("peers", bytes(&peers)));
        entries.extend((!peers6.is_empty()).then(|| ("peers6", bytes(&peers6))));
    } else {
        let peers = reply.peers.iter().map(|peer| {
            let mut entries = vec![
                ("ip", bytes(peer.endpoint.ip.to_string().as_bytes())),
                ("port", integer(peer.endpoint.port)),
            ];
            entries.extend((!form.no_peer_id).then(|| ("peer id", bytes(&peer.peer_id.0))));
            dictionary(entries)
        });
        entries.push(("peers", Value::List(peers.collect())));
    }
    dictionary(entries)
}

fn check_scrape(query: &[u8], tracker: &Tracker) {
    let hashes: Vec<_> = pairs(query)
        .filter(|(key, _)| *key == b"info_hash")
        .collect();
    let hashes = hashes.iter().map(|(_, value)| unescaped(value));
    let is_hash = |hash: &Vec<u8>| hash.len() == 20;
    let code = match (hashes.len(), hashes.clone().all(|hash| is_hash(&hash))) {
        (0, _) => Some(101),
        (_, false) => Some(150),
        (_, true) => None,
    };
    match scrape::read(query) {
        Err(refusal) => {
            assert_eq!(Some(refusal.code()), code);
            check_refusal(&refusal);
        }
        Ok(read) => {
            assert_eq!(code, None);
            let hashes: BTreeSet<_> = hashes.collect();
            assert!(read.iter().map(|hash| &hash.0[..]).eq(hashes.iter()));
            let now = Duration::from_secs(1);
            let counts = tracker.scrape(read.iter().copied(), now, &mut Vec::new());
            let mut body = Vec::new();
            scrape::write(&read, &counts, &mut body);
            let files = read.iter().zip(&counts).map(|(InfoHash(hash), counts)| {
                let counts = dictionary([
                    ("complete", integer(counts.seeders)),
                    ("downloaded", integer(counts.downloaded)),
                    ("incomplete", integer(counts.leechers)),
                ]);
                (Cow::Owned(hash.to_vec()), counts)
            });
            let files = Value::Dict(files.collect());
            assert_eq!(decoded(&body), dictionary([("files", files)]));
        }
    }
}

fn pairs(query: &[u8]) -> impl Iterator<Item = (&[u8], &[u8])> {
    let pairs = query.split(|&byte| byte == b'&');
    pairs.filter_map(|pair| {
        let middle = pair.iter().position(|&byte| byte == b'=')?;
        Some((&pair[..middle], &pair[middle + 1..]))
    })
}

/// The value of the first pair with this key, as it came.
fn first<'a>(query: &'a [u8], key: &str) -> Option<&'a [u8]> {
    let mut of_key = pairs(query).filter(|(k, _)| *k == key.as_bytes());
    of_key.next().map(|(_, value)| value)
}

fn unescaped(value: &[u8]) -> Vec<u8> {
    let mut bytes = Vec::new();
    let mut i = 0;
    while i < value.len() {
        let digits = value.get(i + 1..i + 3).unwrap_or_default();
        let is_escape = value[i] == b'%' && digits.len() == 2;
        if is_escape && digits.iter().all(u8::is_ascii_hexdigit) {
            let digits = std::str::from_utf8(digits).expect("ASCII");
            bytes.push(u8::from_str_radix(digits, 16).expect("hexadecimal"));
            i += 3;
        } else {
            bytes.push(value[i]);
            i += 1;
        }
    }
    bytes
}

/// The value as a number, however large: as many digits as 128 bits hold are told apart, and what
/// is above is as large as anything.
fn number(value: &[u8]) -> Option<u128> {
    let digits = String::from_utf8(unescaped(value)).ok()?;
    let is_number = !digits.is_empty() && digits.bytes().all(|byte| byte.is_ascii_digit());
    is_number.then(|| digits.parse().unwrap_or(u128::MAX))
}

/// Reads bencoding by a third party's decoder, which insists on the order of keys and on numbers
/// without leading zeros.
fn decoded(body: &[u8]) -> Value<'static> {
    let mut decoder = Decoder::new(body).with_max_depth(8);
    let object = decoder.next_object().expect("bencoding");
    let value = Value::decode_bencode_object(object.expect("something"));
    let value = value.expect("bencoding").into_owned();
    assert!(decoder.next_object().expect("the end").is_none());
    value
}

fn dictionary<'a>(entries: impl IntoIterator<Item = (&'a str, Value<'static>)>) -> Value<'static> {
    let entries = entries.into_iter();
    let entries = entries.map(|(key, value)| (Cow::Owned(key.as_bytes().to_vec()), value));
    Value::Dict(entries.collect())
}

fn integer(number: impl Into<i64>) -> Value<'static> {
    Value::Integer(number.into())
}

fn bytes(bytes: &[u8]) -> Value<'static> {
    Value::Bytes(Cow::Owned(bytes.to_vec()))
}

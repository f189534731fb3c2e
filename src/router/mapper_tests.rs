use super::super::mapping::Way;
use super::*;

const WISH: Wish = Wish {
    port: 9000,
    udp: true,
};

fn ip(text: &str) -> Ipv4Addr {
    text.parse().expect("an address")
}

fn held(address: &str) -> Held {
    Held {
        router: ip("192.168.1.1"),
        local: ip("192.168.1.5"),
        outside: Forwarded {
            ip: ip(address).into(),
            tcp_port: 9000,
            udp_port: Some(9000),
        },
        lease: Some(Duration::from_secs(3600)),
        since: Duration::ZERO,
        has_forgotten: false,
        way: Way::NatPmp(7),
    }
}

fn refused(refusal: Refusal) -> Result<Held, Trouble> {
    Err(Trouble::Refused {
        router: ip("192.168.1.1"),
        is_guess: false,
        local: ip("192.168.1.5"),
        refusal,
    })
}

/// What is learnt, one after the other, each at its second: the beginnings of the lines, and the
/// address that is told, if any is.
fn learn(memory: &mut Memory, second: u64, asked: Result<Held, Trouble>) -> (String, String) {
    let news = memory.learn(asked, Duration::from_secs(second));
    let lines: Vec<_> = news.lines.into_iter().map(|(_, line)| line).collect();
    let told = match news.outside {
        None => "".to_owned(),
        Some(None) => "nothing".to_owned(),
        Some(Some(outside)) => outside.ip.to_string(),
    };
    (lines.join("\n"), told)
}

#[test]
fn what_is_as_it_was_is_not_said_again() {
    let mut memory = Memory::new(WISH);
    let (line, told) = learn(&mut memory, 1, Ok(held("203.0.114.1")));
    assert!(
        line.starts_with("the router at 192.168.1.1 forwards"),
        "{line}"
    );
    assert_eq!(told, "203.0.114.1");
    for second in 2..5 {
        let (line, told) = learn(&mut memory, second, Ok(held("203.0.114.1")));
        assert_eq!((line.as_str(), told.as_str()), ("", ""));
    }
}

#[test]
fn another_address_and_another_port_are_news() {
    let mut memory = Memory::new(WISH);
    learn(&mut memory, 1, Ok(held("203.0.114.1")));
    let (line, told) = learn(&mut memory, 2, Ok(held("203.0.114.2")));
    assert!(
        line.starts_with("the public address is 203.0.114.2 now"),
        "{line}"
    );
    assert_eq!(told, "203.0.114.2");
    let mut other = held("203.0.114.2");
    other.outside.udp_port = Some(9001);
    let (line, told) = learn(&mut memory, 3, Ok(other));
    assert!(line.contains("TCP port 9000 and UDP port 9001"), "{line}");
    assert_eq!(told, "203.0.114.2");
}

#[test]
fn a_router_that_was_restarted_is_said_to_forward_again() {
    let mut memory = Memory::new(WISH);
    learn(&mut memory, 1, Ok(held("203.0.114.1")));
    let mut anew = held("203.0.114.1");
    anew.has_forgotten = true;
    let (line, told) = learn(&mut memory, 2, Ok(anew));
    assert!(line.contains("had forgotten what to forward"), "{line}");
    assert_eq!(told, "");
}

#[test]
fn silence_takes_nothing_away_before_the_lease_ends() {
    let mut memory = Memory::new(WISH);
    learn(&mut memory, 0, Ok(held("203.0.114.1")));
    let (line, told) = learn(&mut memory, 30, refused(Refusal::Silence));
    assert!(line.contains("does not answer any more"), "{line}");
    assert_eq!(told, "");
    let once_is_enough = learn(&mut memory, 60, refused(Refusal::Silence));
    assert_eq!(once_is_enough, Default::default());
    let (line, _) = learn(&mut memory, 90, Ok(held("203.0.114.1")));
    assert_eq!(line, "the router at 192.168.1.1 forwards again");
    learn(&mut memory, 120, refused(Refusal::Silence));
    assert_eq!(learn(&mut memory, 3599, Err(Trouble::NoRouter)).1, "");
    let (line, told) = learn(&mut memory, 3600, refused(Refusal::Silence));
    assert!(
        line.contains("does not answer: it cannot be asked"),
        "{line}"
    );
    assert_eq!(told, "nothing");
}

#[test]
fn a_refusal_takes_it_away_at_once() {
    let mut memory = Memory::new(WISH);
    learn(&mut memory, 0, Ok(held("203.0.114.1")));
    let (line, told) = learn(&mut memory, 30, refused(Refusal::NotAuthorized));
    assert!(
        line.contains("does not let programs forward ports"),
        "{line}"
    );
    assert_eq!(told, "nothing");
    let once_is_enough = learn(&mut memory, 60, refused(Refusal::NotAuthorized));
    assert_eq!(once_is_enough, Default::default());
    let (line, told) = learn(&mut memory, 90, Ok(held("203.0.114.1")));
    assert!(line.contains("forwards TCP and UDP port 9000"), "{line}");
    assert_eq!(told, "203.0.114.1");
}

#[test]
fn an_address_that_is_not_public_is_not_told() {
    let mut memory = Memory::new(WISH);
    let (line, told) = learn(&mut memory, 0, Ok(held("100.64.3.4")));
    assert!(line.contains("no forwarding can help"), "{line}");
    assert_eq!(told, "");
    let once_is_enough = learn(&mut memory, 30, Ok(held("100.64.3.4")));
    assert_eq!(once_is_enough, Default::default());
    learn(&mut memory, 60, Ok(held("203.0.114.1")));
    assert_eq!(learn(&mut memory, 90, Ok(held("10.0.0.2"))).1, "nothing");
}

#[test]
fn a_mapping_without_an_end_is_said_to_be_one() {
    let mut memory = Memory::new(WISH);
    let mut for_ever = held("203.0.114.1");
    for_ever.lease = None;
    let (line, _) = learn(&mut memory, 0, Ok(for_ever));
    let (first, second) = line.split_once('\n').expect("two lines");
    assert!(
        first.contains("until you remove 'mayfly' in its settings"),
        "{first}"
    );
    assert!(
        second.ends_with("Announce URLs for the internet:"),
        "{second}"
    );
}

#[test]
fn a_router_is_asked_again_before_its_lease_ends_and_not_too_often() {
    let mut memory = Memory::new(WISH);
    for (lease, expected) in [(3600, 30), (60, 30), (40, 20), (10, 5), (1, 5)] {
        let mut held = held("203.0.114.1");
        held.lease = Some(Duration::from_secs(lease));
        learn(&mut memory, 0, Ok(held));
        assert_eq!(memory.pause().as_secs(), expected, "{lease}");
    }
    // One that was there once is back soon.
    for _ in 0..20 {
        learn(&mut memory, 1, refused(Refusal::Silence));
        assert_eq!(memory.pause().as_secs(), 30);
    }
}

#[test]
fn where_there_is_no_router_it_is_looked_for_less_and_less_often() {
    let mut memory = Memory::new(WISH);
    let mut pauses = Vec::new();
    for _ in 0..6 {
        learn(&mut memory, 0, refused(Refusal::Silence));
        pauses.push(memory.pause().as_secs());
    }
    assert_eq!(pauses, [30, 60, 120, 240, 300, 300]);
    memory.failures = u32::MAX;
    learn(&mut memory, 0, refused(Refusal::Silence));
    assert_eq!(memory.pause().as_secs(), 300);
}

#[test]
fn a_nonce_is_the_same_for_the_same_machine_and_port() {
    if std::fs::read("/etc/machine-id").is_ok_and(|id| !id.is_empty()) {
        assert_eq!(nonce(9000), nonce(9000));
    }
    assert_ne!(nonce(9000), nonce(9001));
    assert_ne!(nonce(9000)[..4], nonce(9000)[8..], "two halves");
}

#[test]
fn only_where_it_listens_is_forwarded_to() {
    let local = ip("192.168.1.5");
    let listens = |bind: &[&str]| {
        let bind: Vec<_> = bind
            .iter()
            .map(|ip| ip.parse().expect("an address"))
            .collect();
        listens_on(local, &bind)
    };
    assert!(listens(&[]));
    assert!(listens(&["0.0.0.0"]));
    assert!(listens(&["127.0.0.1", "192.168.1.5"]));
    assert!(!listens(&["127.0.0.1"]));
    assert!(!listens(&["::"]));
}

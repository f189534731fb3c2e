use super::*;

const REQUEST: Request = Request {
    local: Ipv4Addr::new(192, 168, 77, 5),
    nonce: *b"twelve bytes",
    protocol: Protocol::Tcp,
    inside: 9000,
    outside: 9001,
    seconds: 3600,
};

/// The answer to it: port 9002 of 203.0.114.1, for 1800 seconds, at the router's second 9.
fn answer() -> [u8; LENGTH] {
    let mut packet = REQUEST.packet();
    packet[1] |= 0x80;
    packet[4..8].copy_from_slice(&1800u32.to_be_bytes());
    packet[8..24].fill(0);
    packet[11] = 9;
    packet[42..44].copy_from_slice(&9002u16.to_be_bytes());
    packet[56..].copy_from_slice(&[203, 0, 114, 1]);
    packet
}

#[test]
fn a_request_is_what_rfc_6887_has() {
    let packet = REQUEST.packet();
    assert_eq!(packet[..4], [2, 1, 0, 0]);
    assert_eq!(packet[4..8], [0, 0, 0x0e, 0x10], "lifetime");
    assert_eq!(packet[8..20], [0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0xff, 0xff]);
    assert_eq!(packet[20..24], [192, 168, 77, 5], "this machine");
    assert_eq!(packet[24..36], *b"twelve bytes");
    assert_eq!(packet[36..40], [6, 0, 0, 0], "TCP");
    assert_eq!(packet[40..44], [0x23, 0x28, 0x23, 0x29], "the ports");
    let any = [0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0xff, 0xff, 0, 0, 0, 0];
    assert_eq!(packet[44..], any);
    let udp = Request {
        protocol: Protocol::Udp,
        ..REQUEST
    };
    assert_eq!(udp.packet()[36], 17);
}

#[test]
fn a_mapping_is_read() {
    let granted = Granted {
        port: 9002,
        seconds: 1800,
    };
    let expected = Answer::Map {
        epoch: 9,
        outcome: Ok((granted, Ipv4Addr::new(203, 0, 114, 1))),
    };
    assert_eq!(REQUEST.answer(&answer()), Some(expected));
}

#[test]
fn each_refusal_is_told_from_the_others() {
    let told = |code| {
        let mut packet = answer();
        packet[3] = code;
        match REQUEST.answer(&packet) {
            Some(Answer::Map { outcome, .. }) => outcome.expect_err("a refusal"),
            other => panic!("{code}: {other:?}"),
        }
    };
    assert_eq!(told(2), Refusal::NotAuthorized);
    assert_eq!(told(4), Refusal::Unsupported);
    assert_eq!(told(7), Refusal::NoAddress);
    assert_eq!(told(8), Refusal::NoResources);
    assert_eq!(told(10), Refusal::NoResources);
    assert_eq!(told(11), Refusal::Taken(None));
    assert_eq!(told(12), Refusal::OtherRouter);
    assert_eq!(told(3), Refusal::Other(3));
}

#[test]
fn a_router_that_speaks_nat_pmp_alone_says_so() {
    let answer = REQUEST.answer(&[0, 129, 0, 1, 0, 0, 0, 9]);
    assert_eq!(answer, Some(Answer::OtherVersion));
    let mut packet = self::answer();
    packet[3] = 1;
    assert_eq!(REQUEST.answer(&packet), Some(Answer::OtherVersion));
}

#[test]
fn what_is_no_answer_is_none() {
    for length in 0..LENGTH {
        assert_eq!(REQUEST.answer(&answer()[..length]), None, "{length} bytes");
    }
    for other in [[0, 128, 0, 1], [0, 129, 0, 2], [0, 129, 1, 1], [0, 1, 0, 1]] {
        let packet = [other, [0; 4]].concat();
        assert_eq!(REQUEST.answer(&packet), None, "{packet:?}");
    }
    // The request itself, and what answers another request.
    assert_eq!(REQUEST.answer(&REQUEST.packet()), None);
    for (at, what) in [
        (0, "version"),
        (1, "opcode"),
        (24, "nonce"),
        (35, "nonce"),
        (36, "protocol"),
        (41, "port"),
    ] {
        let mut packet = answer();
        packet[at] ^= 2;
        assert_eq!(REQUEST.answer(&packet), None, "{what}");
    }
    let with_zeros = |range: std::ops::Range<usize>| {
        let mut packet = answer();
        packet[range].fill(0);
        REQUEST.answer(&packet)
    };
    assert_eq!(with_zeros(4..8), None, "for no time at all");
    assert_eq!(with_zeros(42..44), None, "port 0");
    assert_eq!(with_zeros(44..56), None, "an IPv6 address");
}

#[test]
fn a_clock_that_stands_wrong_has_begun_anew() {
    let cases = [
        // Before, now, seconds between.
        (1000, 1030, 30, false),
        (1000, 999, 0, false),
        (1000, 998, 0, true),
        (1000, 1148, 160, false),
        (1000, 1147, 160, true),
        (1000, 1172, 160, false),
        (1000, 1174, 160, true),
        (1000, 3, 30, true),
        (0, u32::MAX, 30, true),
    ];
    for (before, now, elapsed, expected) in cases {
        assert_eq!(
            has_restarted(before, now, elapsed),
            expected,
            "{before} {now} {elapsed}"
        );
    }
}

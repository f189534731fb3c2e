use super::*;

#[test]
fn a_request_is_what_rfc_6886_has() {
    // 9000 is 0x2328, 9001 is 0x2329, 3600 is 0x0e10.
    let tcp = map_request(Protocol::Tcp, 9000, 9001, 3600);
    assert_eq!(tcp, [0, 2, 0, 0, 0x23, 0x28, 0x23, 0x29, 0, 0, 0x0e, 0x10]);
    let udp = map_request(Protocol::Udp, 9000, 9001, 3600);
    assert_eq!(udp[..2], [0, 1]);
}

#[test]
fn an_address_is_read() {
    let packet = [0, 128, 0, 0, 0, 0, 1, 2, 203, 0, 114, 1];
    let answer = Answer {
        epoch: 258,
        outcome: Ok(Ipv4Addr::new(203, 0, 114, 1)),
    };
    assert_eq!(address_answer(&packet), Some(answer));
}

#[test]
fn a_mapping_is_read() {
    let packet = [
        0, 130, 0, 0, 0, 0, 0, 9, 0x23, 0x28, 0x23, 0x29, 0, 0, 0x0e, 0x10,
    ];
    let granted = Granted {
        port: 9001,
        seconds: 3600,
    };
    let answer = map_answer(&packet, Protocol::Tcp, 9000).expect("an answer");
    assert_eq!((answer.epoch, answer.outcome), (9, Ok(granted)));
}

#[test]
fn each_refusal_is_told_from_the_others() {
    let told = |code| {
        // As short as miniupnpd sends it.
        let answer = address_answer(&[0, 128, 0, code, 0, 0, 0, 0]).expect("an answer");
        answer.outcome.expect_err("a refusal")
    };
    assert_eq!(told(1), Refusal::Unsupported);
    assert_eq!(told(2), Refusal::NotAuthorized);
    assert_eq!(told(3), Refusal::NoAddress);
    assert_eq!(told(4), Refusal::NoResources);
    assert_eq!(told(5), Refusal::Unsupported);
    assert_eq!(told(77), Refusal::Other(77));
}

#[test]
fn what_is_no_answer_is_none() {
    let good = [
        0, 130, 0, 0, 0, 0, 0, 9, 0x23, 0x28, 0x23, 0x29, 0, 0, 0x0e, 0x10,
    ];
    let is_answer = |packet: &[u8]| map_answer(packet, Protocol::Tcp, 9000).is_some();
    assert!(is_answer(&good));
    for length in 0..good.len() {
        assert!(!is_answer(&good[..length]), "{length} bytes");
    }
    let with = |at: usize, byte| {
        let mut packet = good;
        packet[at] = byte;
        is_answer(&packet)
    };
    assert!(!with(0, 2), "another version");
    assert!(!with(1, 2), "a request");
    assert!(!with(1, 129), "of the other protocol");
    assert!(!with(9, 0x29), "of another port");
    let mut nothing = good;
    nothing[10..12].fill(0);
    assert!(!is_answer(&nothing), "port 0");
    let mut ended = good;
    ended[12..].fill(0);
    assert!(!is_answer(&ended), "for no time at all");
}

#[test]
fn a_clock_that_stands_too_early_has_begun_anew() {
    let cases = [
        // Before, now, seconds between.
        (1000, 1030, 30, false),
        (1000, 1000, 0, false),
        // An eighth slower is a bad clock.
        (1000, 1070, 80, false),
        (1000, 1068, 80, false),
        (1000, 1067, 80, true),
        (1000, 3, 30, true),
        // Faster is never a reason.
        (1000, 5000, 30, false),
        (u32::MAX, 10, u64::from(u32::MAX), true),
    ];
    for (before, now, elapsed, expected) in cases {
        assert_eq!(
            has_restarted(before, now, elapsed),
            expected,
            "{before} {now} {elapsed}"
        );
    }
}

//! A packet that arrives where an answer of the router is awaited, by NAT-PMP and by PCP.

use super::Choices;
use mayfly::router::mapping::Protocol;
use mayfly::router::nat_pmp;
use mayfly::router::pcp::{self, Request};
use std::net::Ipv4Addr;

/// Checks what a packet is taken for.
pub fn check(bytes: &[u8]) {
    let mut choices = Choices(bytes);
    let protocol = choices.one_of(&[Protocol::Tcp, Protocol::Udp]);
    let mends = choices.byte();
    let request = Request {
        local: Ipv4Addr::new(192, 168, 1, 5),
        nonce: *b"0123456789ab",
        protocol,
        inside: 9000,
        outside: 9000,
        seconds: 3600,
    };
    let mut packet = choices.0.to_vec();
    // What no fuzzer guesses: the header, and what an answer has in common with its request.
    if mends & 1 == 1 && packet.len() >= pcp::LENGTH {
        packet[..2].copy_from_slice(&[2, 0x81]);
        packet[24..37].copy_from_slice(&request.packet()[24..37]);
        packet[40..42].copy_from_slice(&request.packet()[40..42]);
    }
    if mends & 2 == 2 && packet.len() >= 12 {
        packet[0] = 0;
        packet[8..10].copy_from_slice(&9000u16.to_be_bytes());
    }
    check_pcp(&request, &packet);
    check_nat_pmp(protocol, &packet);
    let [before, now] = [choices.short(), choices.short()].map(u32::from);
    let elapsed = u64::from(choices.short());
    check_clocks(before, now, elapsed);
}

fn check_pcp(request: &Request, packet: &[u8]) {
    let Some(answer) = request.answer(packet) else {
        return;
    };
    assert_eq!(packet[1] & 0x80, 0x80, "an answer");
    match answer {
        pcp::Answer::OtherVersion => assert_eq!((packet[1], packet[3]), (0x81, 1)),
        pcp::Answer::Map { epoch, outcome } => {
            assert_eq!(packet[..2], [2, 0x81]);
            assert_eq!(packet[24..36], request.nonce);
            assert_eq!(packet[40..42], request.inside.to_be_bytes());
            assert_eq!(packet[8..12], epoch.to_be_bytes());
            assert_eq!(outcome.is_ok(), packet[3] == 0);
            if let Ok((granted, address)) = outcome {
                assert!(granted.port > 0 && granted.seconds > 0);
                assert_eq!(packet[42..44], granted.port.to_be_bytes());
                assert_eq!(packet[4..8], granted.seconds.to_be_bytes());
                assert_eq!(packet[56..60], address.octets());
            }
        }
    }
}

fn check_nat_pmp(protocol: Protocol, packet: &[u8]) {
    if let Some(answer) = nat_pmp::address_answer(packet) {
        assert_eq!(packet[..2], [0, 128]);
        assert_eq!(answer.outcome.is_ok(), packet[2..4] == [0, 0]);
        if let Ok(address) = answer.outcome {
            assert_eq!(packet[8..12], address.octets());
        }
    }
    if let Some(answer) = nat_pmp::map_answer(packet, protocol, 9000) {
        assert!(packet[0] == 0 && (129..=130).contains(&packet[1]));
        assert_eq!(packet[4..8], answer.epoch.to_be_bytes());
        if let Ok(granted) = answer.outcome {
            assert!(granted.port > 0 && granted.seconds > 0);
            assert_eq!(
                packet[8..12],
                [[0x23, 0x28], granted.port.to_be_bytes()].concat()
            );
        }
    }
}

/// A clock that goes as this machine's has not begun anew, and one that began later has.
fn check_clocks(before: u32, now: u32, elapsed: u64) {
    let right = before + elapsed as u32;
    for has_restarted in [nat_pmp::has_restarted, pcp::has_restarted] {
        assert!(!has_restarted(before, right, elapsed));
        let has = has_restarted(before, now, elapsed);
        assert!(has || u64::from(now) + 3 + elapsed / 8 >= u64::from(right));
    }
}

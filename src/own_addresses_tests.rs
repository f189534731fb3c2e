//! Tests of `own_addresses.rs`.

use super::*;

/// Fails on a machine without any network where it has to pass (`CI`); elsewhere it says so.
#[test]
fn what_is_found_is_usable_by_others() {
    let found = find();
    for ip in &found {
        assert!(!ip.is_loopback() && !ip.is_unspecified(), "{ip}");
    }
    // The system's own answer to the same question.
    let asked = UdpSocket::bind("0.0.0.0:0").and_then(|socket| {
        socket.connect("203.0.113.1:9")?;
        socket.local_addr()
    });
    match asked {
        Ok(own) if !own.ip().is_loopback() => {
            assert!(found.contains(&own.ip()), "{} in {found:?}", own.ip());
        }
        _ => {
            assert!(std::env::var_os("CI").is_none(), "no way to the internet");
            println!("partly skipped: this machine has no way to the internet");
        }
    }
}

#[test]
#[cfg(target_endian = "little")]
fn lines_of_proc_net_route() {
    let at = |line| ipv4_network(line).map(|ip| ip.to_string());
    assert_eq!(at("Iface Destination Gateway Flags"), None);
    assert_eq!(
        at("eth0 0000A8C0 00000000 0001 0 0 100 00FFFFFF 0 0 0").as_deref(),
        Some("192.168.0.1")
    );
    assert_eq!(
        at("eth0 00000000 0100A8C0 0003 0 0 100 00000000 0 0 0"),
        None
    );
    assert_eq!(
        at("docker0 000011AC 00000000 0001 0 0 0 0000FFFF 0 0 0"),
        None
    );
    assert_eq!(at(""), None);
}

#[test]
fn lines_of_proc_net_if_inet6() {
    let at = |line| ipv6_address(line).map(|ip| ip.to_string());
    assert_eq!(
        at("fd000000000000000000000000000002 04 40 00 82 eth0").as_deref(),
        Some("fd00::2")
    );
    assert_eq!(
        at("fe8000000000000000fc00fffe000001 04 40 20 80 eth0"),
        None
    );
    assert_eq!(at("00000000000000000000000000000001 01 80 10 80 lo"), None);
    assert_eq!(at(""), None);
}

//! Tests of `proc_net.rs`.

use super::*;

const FIB_TRIE: &str = "\
Main:
  +-- 0.0.0.0/0 3 0 5
     |-- 0.0.0.0
        /0 universe UNICAST
     +-- 127.0.0.0/8 2 0 2
        +-- 127.0.0.0/31 1 0 0
           |-- 127.0.0.0
              /8 host LOCAL
           |-- 127.0.0.1
              /32 host LOCAL
        |-- 127.255.255.255
           /32 link BROADCAST
     +-- 172.16.0.0/12 2 0 2
        |-- 172.17.0.0
           /16 link UNICAST
        |-- 172.17.0.1
           /32 host LOCAL
        |-- 172.17.255.255
           /32 link BROADCAST
     +-- 192.168.1.0/24 2 0 2
        |-- 192.168.1.0
           /24 link UNICAST
        |-- 192.168.1.5
           /32 host LOCAL
        |-- 192.168.1.6
           /32 host LOCAL
Local:
  +-- 0.0.0.0/0 3 0 5
     |-- 127.0.0.1
        /32 host LOCAL
     |-- 192.168.1.5
        /32 host LOCAL
     |-- 10.8.0.2
        /32 host LOCAL
";

/// As a machine writes it whose byte order is `little`.
fn route(little: bool) -> String {
    let lines = [
        ("Iface", "Destination", "Gateway", "Mask"),
        ("eth0", "00000000", "C0A80101", "00000000"),
        ("docker0", "AC110000", "00000000", "FFFF0000"),
        ("eth0", "C0A80100", "00000000", "FFFFFF00"),
    ];
    let number = |text: &str| match u32::from_str_radix(text, 16) {
        Ok(number) if little => format!("{:08X}", number.swap_bytes()),
        _ => text.to_owned(),
    };
    let line = |(interface, destination, gateway, mask)| {
        let [destination, gateway, mask] = [destination, gateway, mask].map(number);
        format!("{interface}\t{destination}\t{gateway} \t0001\t0\t0\t100\t{mask}\t0\t0\t0  \n")
    };
    lines.map(line).concat()
}

const IF_INET6: &str = "\
00000000000000000000000000000001 01 80 10 80       lo
fe8000000000000000fc00fffe000001 04 40 20 80     eth0
20010db8000000000000000000000005 04 40 00 80     eth0
20010db80000000012345678abcdef01 04 40 00 01     eth0
20010db80000000012345678abcdef02 04 40 00 21     eth0
20010db80000000012345678abcdef03 04 40 00 40     eth0
20010db80000000012345678abcdef04 04 40 00 88     eth0
fd000000000000000000000000000001 1f 40 00 80  docker0
";

fn here() -> Vec<OwnAddress> {
    addresses(FIB_TRIE, &route(cfg!(target_endian = "little")), IF_INET6).expect("a list")
}

fn find(ip: &str) -> OwnAddress {
    let ip: IpAddr = ip.parse().unwrap();
    let found = here().into_iter().find(|own| own.ip == ip);
    found.unwrap_or_else(|| panic!("{ip} in {:?}", here()))
}

#[test]
fn every_address_once() {
    let found: Vec<_> = here().iter().map(|own| own.ip.to_string()).collect();
    let expected = "127.0.0.1 172.17.0.1 192.168.1.5 192.168.1.6 10.8.0.2 ::1 \
        fe80::fc:ff:fe00:1 2001:db8::5 2001:db8::1234:5678:abcd:ef01 \
        2001:db8::1234:5678:abcd:ef02 fd00::1";
    assert_eq!(
        found.join(" "),
        expected,
        "neither tentative ones nor duplicates"
    );
}

#[test]
fn each_with_its_network() {
    for (ip, bits, is_virtual) in [
        ("192.168.1.5", 24, false),
        ("192.168.1.6", 24, false),
        ("172.17.0.1", 16, true),
        ("10.8.0.2", 32, false),
        ("2001:db8::5", 64, false),
        ("fd00::1", 64, true),
        ("::1", 128, false),
    ] {
        let own = find(ip);
        assert_eq!((own.bits, own.is_virtual), (bits, is_virtual), "{ip}");
    }
}

#[test]
fn link_local_ones_have_the_number_of_their_interface() {
    assert_eq!(find("fe80::fc:ff:fe00:1").interface, 4);
    assert_eq!(find("fd00::1").interface, 0);
}

#[test]
fn privacy_addresses_are_known_to_pass() {
    for (ip, expected) in [
        ("2001:db8::5", false),
        ("2001:db8::1234:5678:abcd:ef01", true),
        ("2001:db8::1234:5678:abcd:ef02", true),
    ] {
        assert_eq!(find(ip).is_passing, expected, "{ip}");
    }
}

#[test]
fn where_there_is_no_such_list_there_is_none() {
    for fib_trie in [
        "",
        "cat: no such file",
        "Main:\n |-- 10.0.0\n /32 host LOCAL",
        "Main:\n /32 host LOCAL",
        // A whole network is this machine's.
        "Main:\n |-- 10.0.0.0\n /8 host LOCAL",
    ] {
        assert_eq!(addresses(fib_trie, "", ""), None, "{fib_trie}");
    }
    assert_eq!(addresses("Main:\n", "", ""), Some(vec![]), "nothing is up");
}

#[test]
fn lines_that_are_none_are_passed_over() {
    let found = addresses("Main:\n", "eth0 zz 0 0\n\n", "fd00 04 40\n\nx y z a b c\n");
    assert_eq!(found, Some(vec![]));
}

#[test]
fn the_ways_out() {
    let route = route(cfg!(target_endian = "little"));
    assert_eq!(gateways(&route), ["192.168.1.1".parse::<IpAddr>().unwrap()]);
    assert_eq!(gateways(""), [] as [IpAddr; 0]);
}

#[test]
fn an_interface_with_the_way_out_is_not_virtual_whatever_its_name() {
    let route = route(cfg!(target_endian = "little")).replace("eth0", "virbr0");
    let found = addresses(FIB_TRIE, &route, "").unwrap();
    let of_lan = found
        .iter()
        .find(|own| own.ip.to_string() == "192.168.1.5")
        .unwrap();
    assert_eq!((of_lan.bits, of_lan.is_virtual), (24, false));
}

#[test]
fn virtual_interfaces_by_name() {
    let is = |names: &str| {
        let mut names = names.split(' ');
        names.clone().all(is_virtual) || (assert!(!names.any(is_virtual)), false).1
    };
    assert!(is(
        "docker0 docker_gwbridge br-0123456789ab virbr0 virbr10 lxcbr0 lxdbr0 incusbr0"
    ));
    assert!(is(
        "podman0 podman1 cni0 cni-podman0 veth12ab vnet0 vboxnet0 vmnet8"
    ));
    assert!(!is(
        "lo eth0 enp3s0 wlan0 wg0 tun0 tap0 br0 br-lan br-0123456789 bridge bond0 dockerlan"
    ));
}

use super::*;

/// The numbers are in the machine's byte order; these are of a little-endian one.
const ROUTES: &str = "\
Iface\tDestination\tGateway \tFlags\tRefCnt\tUse\tMetric\tMask\t\tMTU\tWindow\tIRTT
wlan0\t00000000\t0201A8C0\t0003\t0\t0\t600\t00000000\t0\t0\t0
eth0\t00000000\t0101A8C0\t0003\t0\t0\t100\t00000000\t0\t0\t0
tun0\t00000000\t0100080A\t0003\t0\t0\t0\t00000080\t0\t0\t0
ppp0\t00000000\t00000000\t0001\t0\t0\t0\t00000000\t0\t0\t0
eth0\t0001A8C0\t00000000\t0001\t0\t0\t100\t00FFFFFF\t0\t0\t0
docker0\t000011AC\t00000000\t0001\t0\t0\t0\t0000FFFF\t0\t0\t0
eth0\t0000000A\t0901A8C0\t0003\t0\t0\t100\t000000FF\t0\t0\t0
odd
";

fn ip(text: &str) -> Ipv4Addr {
    text.parse().expect("an address")
}

#[test]
#[cfg(target_endian = "little")]
fn the_default_gateway_is_that_with_the_least_metric() {
    let (gateway, networks) = read_routes(ROUTES).expect("a gateway");
    assert_eq!(gateway, ip("192.168.1.1"));
    let network = |address, mask| (ip(address).into(), ip(mask).into());
    let expected = [
        network("192.168.1.0", "255.255.255.0"),
        network("172.17.0.0", "255.255.0.0"),
    ];
    assert_eq!(networks, expected);
}

#[test]
fn without_a_default_route_there_is_no_gateway() {
    let direct: String = ROUTES
        .lines()
        .filter(|line| !line.contains("A8C0\t0003"))
        .collect();
    assert_eq!(read_routes(&direct), None);
    assert_eq!(read_routes(""), None);
}

#[test]
fn only_the_gateway_and_this_network_are_trusted() {
    let networks = vec![(ip("10.1.0.0").into(), ip("255.255.0.0").into())];
    let router = Router::new(ip("192.168.9.1"), false, ip("10.1.2.3"), networks);
    for (address, expected) in [
        ("192.168.9.1", true),
        ("192.168.9.2", false),
        ("10.1.0.0", true),
        ("10.1.255.255", true),
        ("10.2.0.0", false),
        ("203.0.113.1", false),
        ("127.0.0.1", false),
    ] {
        assert_eq!(router.trusts(ip(address)), expected, "{address}");
    }
    assert_eq!(router.port, 5351);
    let ssdp = router.ssdp.map(|address| address.to_string());
    assert_eq!(ssdp, ["239.255.255.250:1900", "192.168.9.1:1900"]);
}

#[test]
fn a_guess_is_the_first_address_of_the_network() {
    let (gateway, networks) = guess(ip("10.0.7.33"));
    assert_eq!(gateway, ip("10.0.7.1"));
    let router = Router::new(gateway, true, ip("10.0.7.33"), networks);
    assert!(router.trusts(ip("10.0.7.254")));
    assert!(!router.trusts(ip("10.0.8.1")));
}

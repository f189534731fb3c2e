use super::*;

const ROUTER: Ipv4Addr = Ipv4Addr::new(192, 168, 77, 1);

/// As miniupnpd 2.3.1 answers.
const ANSWER: &str = "HTTP/1.1 200 OK\r\n\
     CACHE-CONTROL: max-age=120\r\n\
     ST: urn:schemas-upnp-org:device:InternetGatewayDevice:1\r\n\
     USN: uuid:00000000-0000-0000-0000-000000000001::urn:schemas-upnp-org:device:X:1\r\n\
     EXT:\r\n\
     SERVER: Debian/12 UPnP/1.1 MiniUPnPd/2.3.1\r\n\
     LOCATION: http://192.168.77.1:40967/rootDesc.xml\r\n\
     OPT: \"http://schemas.upnp.org/upnp/1/0/\"; ns=01\r\n\r\n";

#[test]
fn a_search_is_what_the_specification_has() {
    let search = search(KINDS[0]);
    assert!(search.starts_with("M-SEARCH * HTTP/1.1\r\n"), "{search}");
    assert!(
        search.contains("\r\nMAN: \"ssdp:discover\"\r\n"),
        "{search}"
    );
    assert!(
        search.ends_with(":InternetGatewayDevice:1\r\n\r\n"),
        "{search}"
    );
}

#[test]
fn a_router_says_where_it_describes_itself() {
    let place = location(ANSWER.as_bytes(), ROUTER).expect("a place");
    assert_eq!(
        place.socket,
        "192.168.77.1:40967".parse().expect("an address")
    );
    assert_eq!(place.path, "/rootDesc.xml");
    let of_second = ANSWER.replace("Device:1\r\nUSN", "Device:2\r\nUSN");
    assert!(location(of_second.as_bytes(), ROUTER).is_some());
    // Names in whatever letters, and lines that end in a line feed alone.
    let odd = ANSWER.replace("LOCATION", "Location").replace('\r', "");
    assert!(location(odd.as_bytes(), ROUTER).is_some());
}

#[test]
fn what_is_no_answer_of_a_router_is_none() {
    let with = |from: &str, to: &str| {
        let other = ANSWER.replace(from, to);
        assert_ne!(other, ANSWER);
        location(other.as_bytes(), ROUTER)
    };
    assert_eq!(with("200 OK", "404 Not Found"), None);
    assert_eq!(with("HTTP/1.1 200 OK", "NOTIFY * HTTP/1.1"), None);
    assert_eq!(
        with("device:InternetGatewayDevice:1", "device:MediaServer:1"),
        None
    );
    assert_eq!(with("LOCATION", "LOCATIONS"), None);
    assert_eq!(with("//192.168.77.1", "//192.168.77.2"), None);
    assert_eq!(with("http://192", "https://192"), None);
    let elsewhere = Ipv4Addr::new(192, 168, 77, 9);
    assert_eq!(location(ANSWER.as_bytes(), elsewhere), None);
    assert_eq!(location(b"", ROUTER), None);
    assert_eq!(location(b"\xff\xfe", ROUTER), None);
}

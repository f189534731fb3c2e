use super::*;
use std::net::Ipv4Addr;

fn here() -> Place {
    let router = Ipv4Addr::new(192, 168, 1, 1);
    Place::parse("http://192.168.1.1:5000/dir/root.xml", router).expect("a place")
}

fn service(kind: &str, control: &str) -> String {
    format!(
        "<service><serviceType>urn:schemas-upnp-org:service:{kind}</serviceType>\
         <serviceId>urn:upnp-org:serviceId:WANIPConn1</serviceId>\
         <SCPDURL>/scpd.xml</SCPDURL><controlURL>{control}</controlURL>\
         <eventSubURL>/evt</eventSubURL></service>"
    )
}

fn described(base: &str, services: &[String]) -> String {
    format!(
        "<?xml version=\"1.0\"?>\n<root xmlns=\"urn:schemas-upnp-org:device-1-0\">{base}<device>\
         <friendlyName>A router</friendlyName><serviceList>{}</serviceList>\
         <deviceList><device><serviceList>{}</serviceList></device></deviceList></device></root>",
        service("Layer3Forwarding:1", "/ctl/L3F"),
        services.concat()
    )
}

fn found(description: &str) -> Vec<(&'static str, String)> {
    let services = services(description, &here());
    let shown = services.into_iter().map(|service| {
        let Place { socket, path } = service.control;
        (service.kind, format!("{socket}{path}"))
    });
    shown.collect()
}

#[test]
fn the_services_that_forward_are_found_the_best_first() {
    let description = described(
        "",
        &[
            service("WANCommonInterfaceConfig:1", "/ctl/Cmn"),
            service("WANPPPConnection:1", "/ctl/PPP"),
            service("WANIPConnection:1", "/ctl/IP1"),
            service("WANIPConnection:2", "/ctl/IP2"),
            service("WANPPPConnection:2", "/ctl/PPP2"),
            service("WANIPConnection:1", "/ctl/fifth"),
        ],
    );
    let at = |path: &str| format!("192.168.1.1:5000{path}");
    let expected = [
        (KINDS[0], at("/ctl/IP2")),
        (KINDS[1], at("/ctl/IP1")),
        (KINDS[2], at("/ctl/PPP")),
        (KINDS[3], at("/ctl/PPP2")),
    ];
    assert_eq!(found(&description), expected);
}

#[test]
fn where_a_service_is_asked_may_be_said_in_several_ways() {
    let of = |base: &str, control: &str| {
        let found = found(&described(base, &[service("WANIPConnection:1", control)]));
        found.into_iter().map(|(_, at)| at).next()
    };
    let at = |text: &str| Some(text.to_owned());
    assert_eq!(of("", "ctl"), at("192.168.1.1:5000/dir/ctl"));
    assert_eq!(of("", "/c?a=1&amp;b=2"), at("192.168.1.1:5000/c?a=1&b=2"));
    assert_eq!(
        of("", "http://192.168.1.1:6000/c"),
        at("192.168.1.1:6000/c")
    );
    let base = "<URLBase>http://192.168.1.1:7000/</URLBase>";
    assert_eq!(of(base, "c"), at("192.168.1.1:7000/c"));
    let wrong = "<URLBase>http://203.0.113.9:7000/</URLBase>";
    assert_eq!(of(wrong, "/c"), at("192.168.1.1:5000/c"));
}

#[test]
fn what_leads_elsewhere_or_is_not_whole_is_left_out() {
    let kind = "WANIPConnection:1";
    for bad in [
        service(kind, "http://203.0.113.9/c"),
        service(kind, "//203.0.113.9/c"),
        service(kind, ""),
        service(kind, "/a b"),
        service("WANIPConnection:9", "/c"),
        service(kind, "/c").replace("</service>", ""),
        // A type of one service and the URL of the next are not one.
        format!(
            "<service><serviceType>{}</serviceType></service>\
             <service><controlURL>/c</controlURL></service>",
            KINDS[1]
        ),
    ] {
        assert_eq!(
            found(&described("", std::slice::from_ref(&bad))),
            [],
            "{bad}"
        );
    }
}

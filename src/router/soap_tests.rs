use super::super::description::KINDS;
use super::super::place::Place;
use super::*;

fn service() -> Service {
    let router = Ipv4Addr::new(192, 168, 1, 1);
    Service {
        kind: KINDS[1],
        control: Place::parse("http://192.168.1.1:5000/ctl/IPConn", router).expect("a place"),
    }
}

fn answer(inner: &str) -> String {
    format!(
        "<?xml version=\"1.0\"?><s:Envelope xmlns:s=\"x\"><s:Body><u:R xmlns:u=\"y\">{inner}\
         </u:R></s:Body></s:Envelope>"
    )
}

#[test]
fn a_request_is_whole() {
    let request = request(&service(), "AddPortMapping", &[("NewA", "1"), ("NewB", "")]);
    let (head, body) = request.split_once("\r\n\r\n").expect("a head and a body");
    assert!(head.starts_with("POST /ctl/IPConn HTTP/1.1\r\nHost: 192.168.1.1:5000\r\n"));
    let action = format!("\r\nSOAPAction: \"{}#AddPortMapping\"\r\n", KINDS[1]);
    assert!(head.contains(&action), "{head}");
    assert!(
        head.ends_with(&format!("\r\nContent-Length: {}", body.len())),
        "{head}"
    );
    let inner = format!(
        "<u:AddPortMapping xmlns:u=\"{}\"><NewA>1</NewA><NewB></NewB></u:AddPortMapping>",
        KINDS[1]
    );
    assert!(body.contains(&inner), "{body}");
}

#[test]
fn each_refusal_is_told_from_the_others() {
    let told = |code: &str| outcome(500, &answer(&format!("<errorCode>{code}</errorCode>")));
    assert_eq!(outcome(200, &answer("")), Ok(()));
    assert_eq!(told("606"), Err(Refusal::NotAuthorized));
    assert_eq!(told("718"), Err(Refusal::Taken(None)));
    assert_eq!(told("729"), Err(Refusal::Taken(None)));
    assert_eq!(told("728"), Err(Refusal::NoResources));
    assert_eq!(told("725"), Err(Refusal::Other(PERMANENT_ONLY)));
    // A number that is none is no reason, and no success.
    for odd in ["", "x", "-1", "+1", "99999999"] {
        assert_eq!(told(odd), Err(Refusal::Unsupported), "{odd}");
    }
    assert_eq!(outcome(404, "<html>"), Err(Refusal::Unsupported));
    let both = answer("<errorCode>501</errorCode>");
    assert_eq!(outcome(200, &both), Err(Refusal::Other(501)));
}

#[test]
fn only_an_address_is_an_address() {
    let address = |text: &str| {
        let element = format!("<NewExternalIPAddress>{text}</NewExternalIPAddress>");
        outside_address(&answer(&element))
    };
    assert_eq!(
        address(" 203.0.114.1 "),
        Some(Ipv4Addr::new(203, 0, 114, 1))
    );
    for none in [
        "",
        "router.example",
        "203.0.114.1.",
        "203.0.114",
        "::1",
        "203.0.114.1\u{7}",
    ] {
        assert_eq!(address(none), None, "{none:?}");
    }
}

#[test]
fn a_mapping_is_read() {
    let mapping = |client: &str, port: &str, left: &str| {
        entry(&answer(&format!(
            "<NewInternalPort>{port}</NewInternalPort><NewInternalClient>{client}\
             </NewInternalClient><NewLeaseDuration>{left}</NewLeaseDuration>"
        )))
    };
    let expected = Entry {
        client: Some(Ipv4Addr::new(192, 168, 1, 5)),
        port: 9000,
        left: Some(3594),
    };
    assert_eq!(mapping("192.168.1.5", "9000", "3594"), Some(expected));
    let for_ever = mapping("192.168.1.5", "9000", "0").expect("a mapping");
    assert_eq!(for_ever.left, None);
    // Somebody's, whoever that is.
    let by_name = mapping("nas.lan", "9000", "0").expect("a mapping");
    assert_eq!(by_name.client, None);
    assert_eq!(mapping("", "9000", "0"), None);
    assert_eq!(mapping("192.168.1.5", "90000", "0"), None);
    assert_eq!(mapping("192.168.1.5", "+9000", "0"), None);
    assert_eq!(mapping("192.168.1.5", "", "0"), None);
}

#[test]
fn a_port_that_was_chosen_is_read() {
    let port = |text| {
        reserved_port(&answer(&format!(
            "<NewReservedPort>{text}</NewReservedPort>"
        )))
    };
    assert_eq!(port("9001"), Some(9001));
    assert_eq!(port("0"), None);
    assert_eq!(port("65536"), None);
}

//! What a router says of itself over UPnP: of all its devices and services those are taken that
//! forward ports, and where they are asked for it.

use super::place::Place;
use super::xml::{self, Piece, Pieces};

/// A service that forwards ports.
#[derive(Clone, PartialEq, Debug)]
pub struct Service {
    /// Its type, one of [`KINDS`].
    pub kind: &'static str,
    /// Where it is asked.
    pub control: Place,
}

/// The types that are understood, the best first.
pub const KINDS: [&str; 4] = [
    "urn:schemas-upnp-org:service:WANIPConnection:2",
    "urn:schemas-upnp-org:service:WANIPConnection:1",
    "urn:schemas-upnp-org:service:WANPPPConnection:1",
    // No standard has it; Orange's Livebox does.
    "urn:schemas-upnp-org:service:WANPPPConnection:2",
];

/// Most services of a router: one for each way to the internet that it has, and none of these ever
/// had as many.
const MOST: usize = 4;

impl Service {
    /// Whether it chooses another port where the wanted one is taken (`AddAnyPortMapping`).
    pub fn offers_others(&self) -> bool {
        self.kind == KINDS[0]
    }
}

/// The services in a description that was found at `place`, the best first.
pub fn services(description: &str, place: &Place) -> Vec<Service> {
    // A base that leads elsewhere is left aside: some are wrong, and the router is where it is.
    let base = xml::text_of(description, "URLBase").and_then(|base| place.join(base));
    let base = base.as_ref().unwrap_or(place);
    let mut services = Vec::new();
    let (mut element, mut kind, mut control) = ("", None, None);
    for piece in Pieces::of(description) {
        match piece {
            Piece::Start(name) => {
                if name == "service" {
                    (kind, control) = (None, None);
                }
                element = name;
            }
            Piece::Text(text) => match element {
                "serviceType" => kind = KINDS.into_iter().find(|kind| *kind == text),
                "controlURL" => control = base.join(&text.replace("&amp;", "&")),
                _ => {}
            },
            Piece::End(name) => {
                if name == "service" && services.len() < MOST {
                    let found = kind.take().zip(control.take());
                    services.extend(found.map(|(kind, control)| Service { kind, control }));
                }
                element = "";
            }
        }
    }
    services.sort_by_key(|service| KINDS.iter().position(|kind| *kind == service.kind));
    services
}

#[cfg(test)]
#[path = "description_tests.rs"]
mod tests;

//! Machines of a small network, each of them a network namespace: clients refuse to talk to peers
//! at 127.x, and addresses inside namespaces cannot clash with those of the host or of a test that
//! runs at the same time. What runs on the machines is the business of `tracker` and `clients`.

use std::net::{IpAddr, Ipv4Addr, Ipv6Addr, SocketAddr};
use std::process::Command;

use super::unique;

#[derive(Clone, Copy, Debug, PartialEq)]
pub enum Family {
    V4,
    V6,
}

/// Machines that reach each other and nothing else; dropping it takes them down.
pub struct Lan {
    machines: Vec<Machine>,
}

/// One machine. It has 127.0.0.1 and ::1, and one address of each family of its network.
pub struct Machine {
    namespace: String,
    number: u8,
}

impl Lan {
    /// A network without IPv4 or without IPv6 shows that a test really used the other. Needs
    /// `tools::netns_possible()`.
    pub fn new(machines: u8, families: &[Family]) -> Lan {
        let mut lan = Lan { machines: vec![] };
        for number in 1..=machines {
            lan.add(number, families);
        }
        lan
    }

    pub fn machine(&self, index: usize) -> &Machine {
        &self.machines[index]
    }

    /// The first machine is the switch too: it carries its addresses on a bridge, and every other
    /// one is plugged into that. All interfaces are born inside namespaces, so that their names
    /// need not be unique.
    fn add(&mut self, number: u8, families: &[Family]) {
        let namespace = format!("mayfly-{}", unique());
        ip(&["netns", "add", &namespace]);
        let machine = Machine { namespace, number };
        let interface = if number == 1 { "bridge" } else { "eth0" };
        machine.ip("link set lo up");
        if let Some(switch) = self.machines.first() {
            let (port, at) = (format!("port{number}"), &switch.namespace);
            machine.ip(&format!(
                "link add eth0 type veth peer name {port} netns {at}"
            ));
            switch.ip(&format!("link set {port} master bridge up"));
        } else {
            machine.ip("link add bridge type bridge");
        }
        machine.ip(&format!("link set {interface} up"));
        for &family in families {
            // Without duplicate address detection an IPv6 address can be used at once.
            let suffix = match family {
                Family::V4 => "/24",
                Family::V6 => "/64 nodad",
            };
            let address = machine.address(family);
            machine.ip(&format!("address add {address}{suffix} dev {interface}"));
        }
        self.machines.push(machine);
    }
}

impl Machine {
    /// What to put in front of a command to run it on this machine.
    pub fn prefix(&self) -> [&str; 4] {
        ["ip", "netns", "exec", &self.namespace]
    }

    pub fn address(&self, family: Family) -> IpAddr {
        match family {
            Family::V4 => Ipv4Addr::new(10, 77, 0, self.number).into(),
            Family::V6 => Ipv6Addr::new(0xfd00, 0, 0, 0, 0, 0, 0, self.number.into()).into(),
        }
    }

    /// An announce URL of a tracker on this machine.
    pub fn announce_url(&self, scheme: &str, family: Family, port: u16) -> String {
        let at = SocketAddr::new(self.address(family), port);
        format!("{scheme}://{at}/announce")
    }

    fn ip(&self, words: &str) {
        let mut args = vec!["-n", &self.namespace];
        args.extend(words.split_whitespace());
        ip(&args);
    }
}

impl Drop for Machine {
    fn drop(&mut self) {
        // Takes the interfaces along. A failure here must not hide the failure of the test.
        let _ = Command::new("ip")
            .args(["netns", "delete", &self.namespace])
            .status();
    }
}

fn ip(args: &[&str]) {
    let output = Command::new("ip").args(args).output().expect("ip runs");
    assert!(
        output.status.success(),
        "ip {}: {}",
        args.join(" "),
        String::from_utf8_lossy(&output.stderr)
    );
}

//! Machines of a small network, each of them a network namespace: clients refuse to talk to peers
//! at 127.x, and addresses inside namespaces cannot clash with those of the host or of a test that
//! runs at the same time. What runs on the machines is the business of `tracker` and `clients`.

use std::net::{IpAddr, Ipv4Addr, Ipv6Addr, SocketAddr};
use std::process::{Command, Stdio};
use std::time::Duration;

use super::tools::netns_possible;
use super::{Process, unique};

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

    /// Runs `ip` with these words on this machine.
    pub fn ip(&self, words: &str) {
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

/// Whether the caller, the test of this name in this module, runs on a machine of its own that has
/// these addresses besides those of [`Machine`]. If not, this makes such a machine and runs the
/// test there, so that both the tracker and the asker are inside: sockets cannot be moved to
/// another namespace without unsafe code.
pub fn is_on_a_machine_of_its_own(module: &str, test: &str, addresses: &[&str]) -> bool {
    const INSIDE: &str = "MAYFLY_TEST_IS_INSIDE";
    if std::env::var_os(INSIDE).is_some() {
        return true;
    }
    if !netns_possible() {
        return false;
    }
    let lan = Lan::new(1, &[Family::V4, Family::V6]);
    for address in addresses {
        lan.machine(0).ip(&format!("address add {address} dev lo"));
    }
    let prefix = lan.machine(0).prefix();
    let (_, module) = module.split_once("::").expect("a module of the tests");
    let name = format!("{module}::{test}");
    let mut command = Command::new(prefix[0]);
    command.args(&prefix[1..]);
    command.arg(std::env::current_exe().expect("a path"));
    command.args(["--exact", &name, "--nocapture"]);
    command.env(INSIDE, "1").stdin(Stdio::null());
    command.stdout(Stdio::piped()).stderr(Stdio::piped());
    let run = Process::spawn("the test on a machine of its own", &mut command);
    let passed = |line: &str| line.contains("test result: ok. 1 passed");
    if run.wait_for_line(passed, Duration::from_secs(60)).is_none() {
        panic!("{name} failed\n{}", run.report());
    }
    false
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

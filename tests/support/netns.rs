//! Machines of a small network, each of them a network namespace: clients refuse to talk to peers
//! at 127.x, and addresses inside namespaces cannot clash with those of the host or of a test that
//! runs at the same time. What runs on the machines is the business of `tracker` and `clients`; a
//! network with a router, a container and an internet is in `internet`.

use std::net::{IpAddr, Ipv6Addr, SocketAddr};
#[cfg(target_os = "linux")]
use std::os::fd::AsFd;
#[cfg(target_os = "linux")]
use std::panic::resume_unwind;
use std::process::{Command, Stdio};
#[cfg(target_os = "linux")]
use std::thread;
use std::time::Duration;

use super::tools::netns_possible;
use super::{Process, output_of, try_output_of, unique};

#[derive(Clone, Copy, Debug, PartialEq)]
pub enum Family {
    V4,
    V6,
}

/// Machines that reach each other and nothing else; dropping it takes them down.
pub struct Lan {
    machines: Vec<Machine>,
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
    /// one is plugged into that.
    fn add(&mut self, number: u8, families: &[Family]) {
        let mut machine = Machine::new();
        let interface = if number == 1 { "bridge" } else { "eth0" };
        match self.machines.first() {
            Some(switch) => machine.plug_in(interface, switch, "bridge"),
            None => machine.ip("link add bridge type bridge"),
        }
        machine.ip(&format!("link set {interface} up"));
        for &family in families {
            let address = match family {
                Family::V4 => format!("10.77.0.{number}/24"),
                Family::V6 => format!("fd00::{number:x}/64"),
            };
            machine.add_address(&address, interface);
        }
        self.machines.push(machine);
    }
}

/// One machine: a network namespace with 127.0.0.1, ::1 and what is given to it. Dropping it takes
/// it down, also when the test panics.
pub struct Machine {
    namespace: String,
    /// In the order in which they were given to it.
    addresses: Vec<IpAddr>,
}

impl Machine {
    /// Needs `tools::netns_possible()`.
    pub fn new() -> Machine {
        let namespace = format!("mayfly-{}", unique());
        ip(&["netns", "add", &namespace]);
        let machine = Machine {
            namespace,
            addresses: vec![],
        };
        machine.ip("link set lo up");
        machine
    }

    /// Lays a cable from a new interface of this machine to a bridge of another.
    pub fn plug_in(&self, interface: &str, switch: &Machine, bridge: &str) {
        // Names of interfaces have 15 characters at most.
        let port = format!("p{}", unique());
        self.connect_to(interface, switch, &port);
        switch.ip(&format!("link set {port} master {bridge}"));
    }

    /// Lays a cable from a new interface of this machine to a new one of another. Both are born
    /// inside namespaces, so that their names need not be unique on the host.
    pub fn connect_to(&self, interface: &str, other: &Machine, its_interface: &str) {
        let at = &other.namespace;
        self.ip(&format!(
            "link add {interface} type veth peer name {its_interface} netns {at}"
        ));
        self.ip(&format!("link set {interface} up"));
        other.ip(&format!("link set {its_interface} up"));
    }

    /// Sets a value below /proc/sys/net, which every machine has its own of.
    #[cfg(target_os = "linux")]
    pub fn set(&self, name: &str, value: &str) {
        let file = format!("/proc/sys/net/{name}");
        let set = || std::fs::write(&file, value);
        self.inside(set).unwrap_or_else(|e| panic!("{file}: {e}"));
    }

    /// Gives it an address, as in 10.77.0.1/24, that it can use at once.
    pub fn add_address(&mut self, with_length: &str, interface: &str) {
        let (address, _) = with_length.split_once('/').expect("ADDRESS/BITS");
        let address: IpAddr = address.parse().expect("an address");
        // That is, without duplicate address detection.
        let suffix = if address.is_ipv6() { " nodad" } else { "" };
        self.ip(&format!(
            "address add {with_length}{suffix} dev {interface}"
        ));
        self.addresses.push(address);
    }

    /// Whether it has an address of IPv6 of which is not known yet whether somebody else has it, so
    /// that it cannot be used: link-local ones take a second or two.
    pub fn has_tentative_address(&self) -> bool {
        const TENTATIVE: u32 = 0x40;
        let file = "/proc/thread-self/net/if_inet6";
        let listed = self.inside(|| std::fs::read_to_string(file).expect(file));
        listed.lines().any(|line| {
            let flags = line.split_whitespace().nth(4).expect("flags");
            u32::from_str_radix(flags, 16).expect("flags") & TENTATIVE != 0
        })
    }

    /// What to put in front of a command to run it on this machine.
    pub fn prefix(&self) -> [&str; 4] {
        ["ip", "netns", "exec", &self.namespace]
    }

    /// The first of its addresses of this family.
    pub fn address(&self, family: Family) -> IpAddr {
        let first = self.addresses(family).next();
        first.unwrap_or_else(|| panic!("no {family:?} address"))
    }

    /// What `add_address` has given to it, of this family.
    pub fn addresses(&self, family: Family) -> impl Iterator<Item = IpAddr> {
        let has = move |ip: &IpAddr| ip.is_ipv6() == (family == Family::V6);
        self.addresses.iter().copied().filter(has)
    }

    /// The link-local address of an interface, and the interface's number on this machine.
    #[cfg(target_os = "linux")]
    pub fn link_local(&self, interface: &str) -> (Ipv6Addr, u32) {
        let file = "/proc/thread-self/net/if_inet6";
        let text = self.inside(|| std::fs::read_to_string(file).expect("IPv6"));
        let number = |hex: &str| u128::from_str_radix(hex, 16).expect("hex digits");
        let found = text.lines().find_map(|line| {
            let words: Vec<_> = line.split_whitespace().collect();
            // Address, interface, length, scope, flags, name.
            let is_it = words[5] == interface && words[0].starts_with("fe80");
            is_it.then(|| (number(words[0]).into(), number(words[1]) as u32))
        });
        found.unwrap_or_else(|| panic!("no link-local address on {interface}:\n{text}"))
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

    /// Does something on this machine, in a thread of its own: the sockets that it opens are this
    /// machine's for as long as they live, whoever uses them. (/proc/net is the
    /// host's all the same; /proc/thread-self/net is not.)
    #[cfg(target_os = "linux")]
    pub fn inside<T: Send>(&self, action: impl FnOnce() -> T + Send) -> T {
        use rustix::thread::{LinkNameSpaceType, move_into_link_name_space};
        let path = format!("/run/netns/{}", self.namespace);
        let namespace = std::fs::File::open(&path).unwrap_or_else(|e| panic!("{path}: {e}"));
        let action = || {
            move_into_link_name_space(namespace.as_fd(), Some(LinkNameSpaceType::Network))
                .unwrap_or_else(|e| panic!("moving into {path}: {e}"));
            action()
        };
        let done = thread::scope(|scope| scope.spawn(action).join());
        done.unwrap_or_else(|panic| resume_unwind(panic))
    }
}

impl Drop for Machine {
    fn drop(&mut self) {
        // Takes the interfaces along. A failure here must not hide the failure of the test.
        let _ = try_output_of(Command::new("ip").args(["netns", "delete", &self.namespace]));
    }
}

/// What programs that are started on a machine find in the place of a file in /etc; gone when it is
/// dropped.
pub struct EtcFile(String);

impl EtcFile {
    /// `ip netns exec` puts it there.
    pub fn of(machine: &Machine, name: &str, text: &str) -> EtcFile {
        let directory = format!("/etc/netns/{}", machine.namespace);
        std::fs::create_dir_all(&directory).expect(&directory);
        let file = format!("{directory}/{name}");
        std::fs::write(&file, text).expect(&file);
        EtcFile(file)
    }
}

impl Drop for EtcFile {
    fn drop(&mut self) {
        let _ = std::fs::remove_file(&self.0);
        // If it was the last.
        let directory = std::path::Path::new(&self.0).parent().expect("/etc/netns");
        let _ = std::fs::remove_dir(directory);
    }
}

/// Whether the caller, the test of this name in this module, runs on a machine of its own that has
/// these addresses besides those of [`Machine`]. If not, this makes such a machine and runs the
/// test there, so that both the tracker and the asker are inside.
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
    let output = output_of(Command::new("ip").args(args));
    assert!(
        output.status.success(),
        "ip {}: {}",
        args.join(" "),
        String::from_utf8_lossy(&output.stderr)
    );
}

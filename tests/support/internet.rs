//! A small internet in network namespaces: a home with the tracker's machine, a container on that
//! and two networks, a router with real NAT, and hosts beyond it. Who asks whom for what is the
//! tests' business.
//!
//! ```text
//!   container --- docker0 [home] eth0 --- lan [router] wan --- internet4
//!                          eth1            |            `----- internet6
//!                           |             lan
//!                         second
//! ```
//!
//! The two networks at home reach each other through `home`, which forwards as every machine with
//! docker does. The internet has no way to private addresses. To the global IPv6 ones it has (the
//! router lets everything in), and by IPv4 to what `forward` forwards, or what somebody has
//! miniupnpd forward. The router does not lead its own network back in ("hairpin").

use std::io::{Read, Write};
use std::net::{Ipv4Addr, Ipv6Addr, Shutdown, SocketAddr, TcpListener, TcpStream};
use std::process::{Command, Stdio};
use std::thread::{self, JoinHandle};
use std::time::Duration;

use socket2::SockRef;

use super::netns::Machine;
use super::tools::{netns_possible, tool};
use super::{Process, TempDir, output_of};

/// The router's address on the internet. Not one of those for documentation: for them miniupnpd
/// maps nothing. Nothing in here has a way to who really has it.
pub const PUBLIC: Ipv4Addr = Ipv4Addr::new(203, 0, 114, 1);

/// Longer than a connection takes on a busy machine.
const PATIENCE: Duration = Duration::from_secs(5);

/// What is given to the router, besides its outside address, and to the others.
const ADDRESSES: &str = "
    router    lan     192.168.77.1/24 fd77::1/64 2a0f:77:0:1::1/64
    router    wan     2a0f:99::1/64
    home      eth0    192.168.77.2/24 192.168.77.22/24
    home      eth0    fd77::2/64 2a0f:77:0:1::2/64 2a0f:77:0:1::22/64
    home      eth1    192.168.78.2/24 fd78::2/64 2a0f:77:0:2::2/64
    home      docker0 172.17.0.1/16
    container eth0    172.17.0.2/16
    lan       eth0    192.168.77.3/24 fd77::3/64 2a0f:77:0:1::3/64
    second    eth0    192.168.78.3/24 fd78::3/64 2a0f:77:0:2::3/64
    internet6 eth0    2a0f:99::9/64
";

const ROUTES: &str = "
    home      default          192.168.77.1
    home      default          2a0f:77:0:1::1
    container default          172.17.0.1
    lan       default          192.168.77.1
    lan       default          2a0f:77:0:1::1
    lan       192.168.78.0/24  192.168.77.2
    lan       fd78::/64        fd77::2
    second    default          192.168.78.2
    second    default          2a0f:77:0:2::2
    router    192.168.78.0/24  192.168.77.2
    router    2a0f:77:0:2::/64 2a0f:77:0:1::2
    internet6 2a0f:77::/32     2a0f:99::1
";

/// What the router does, with the chains that miniupnpd puts its mappings into.
const ROUTER: &str = r#"table inet filter {
    chain forward { type filter hook forward priority 0; policy accept; jump miniupnpd; }
    chain miniupnpd { }
    chain prerouting {
        type nat hook prerouting priority -100; policy accept; jump prerouting_miniupnpd;
    }
    chain prerouting_miniupnpd { }
    chain postrouting {
        type nat hook postrouting priority 100; policy accept;
        ip saddr 192.168.0.0/16 oifname "wan" masquerade;
        jump postrouting_miniupnpd;
    }
    chain postrouting_miniupnpd { }
}"#;

/// What docker does for its containers on their way out.
const DOCKER: &str = r#"table ip docker {
    chain postrouting {
        type nat hook postrouting priority 100; policy accept;
        ip saddr 172.17.0.0/16 oifname != "docker0" masquerade;
    }
}"#;

/// The machines; dropping it takes them down.
pub struct Internet {
    /// The tracker's machine.
    pub home: Machine,
    pub container: Machine,
    pub lan: Machine,
    pub second: Machine,
    pub router: Machine,
    /// A host with IPv4 alone.
    pub internet4: Machine,
    /// One with IPv6 alone.
    pub internet6: Machine,
}

impl Internet {
    /// `None` (after the line "skipped") where it cannot be made.
    pub fn new() -> Option<Internet> {
        Internet::with_outside(PUBLIC)
    }

    /// With another outside address of the router, such as one of 100.64.0.0/10 as of a provider
    /// who does NAT himself. `internet4` has the 9 of the same /24.
    pub fn with_outside(outside: Ipv4Addr) -> Option<Internet> {
        if tool("nft").is_none() || !netns_possible() {
            return None;
        }
        let mut net = Internet {
            home: quick_machine(),
            container: quick_machine(),
            lan: quick_machine(),
            second: quick_machine(),
            router: quick_machine(),
            internet4: quick_machine(),
            internet6: quick_machine(),
        };
        net.router.ip("link add lan up type bridge");
        net.router.ip("link add wan up type bridge");
        net.home.ip("link add docker0 up type bridge");
        net.home.plug_in("eth0", &net.router, "lan");
        net.lan.plug_in("eth0", &net.router, "lan");
        net.internet4.plug_in("eth0", &net.router, "wan");
        net.internet6.plug_in("eth0", &net.router, "wan");
        net.container.plug_in("eth0", &net.home, "docker0");
        net.second.connect_to("eth0", &net.home, "eth1");
        for line in ADDRESSES.lines().filter(|line| !line.trim().is_empty()) {
            let mut words = line.split_whitespace();
            let machine = net.machine_mut(words.next().expect("a machine"));
            let interface = words.next().expect("an interface");
            words.for_each(|address| machine.add_address(address, interface));
        }
        let [a, b, c, _] = outside.octets();
        net.router.add_address(&format!("{outside}/24"), "wan");
        net.internet4
            .add_address(&format!("{a}.{b}.{c}.9/24"), "eth0");
        for forwards in [&net.home, &net.router] {
            forwards.set("ipv4/ip_forward", "1");
            forwards.set("ipv6/conf/all/forwarding", "1");
        }
        for line in ROUTES.lines().filter(|line| !line.trim().is_empty()) {
            let words: Vec<_> = line.split_whitespace().collect();
            let [machine, to, via] = words[..] else {
                panic!("{line}")
            };
            // The family of a default route is that of its gateway.
            let machine = net.machine_mut(machine);
            machine.ip(&format!("route add {to} via {via}"));
        }
        nft(&net.router, ROUTER);
        nft(&net.home, DOCKER);
        Some(net)
    }

    /// Has the router forward this port, TCP and UDP, from its outside address to here.
    pub fn forward(&self, port: u16, to: Ipv4Addr) {
        for protocol in ["tcp", "udp"] {
            let rule = format!(
                "add rule inet filter prerouting iifname wan {protocol} dport {port} \
                 dnat ip to {to}:{port}"
            );
            nft(&self.router, &rule);
        }
    }

    /// Has `home` listen on this port for the container's, as `docker run -p` does (by a process,
    /// docker-proxy, for those whom its NAT does not serve; by that alone here).
    pub fn publish(&self, port: u16) -> OpenPort {
        let to = SocketAddr::new([172, 17, 0, 2].into(), port);
        OpenPort::new(&self.home, port, move |mut stream| {
            if let Some(mut container) = connect(to) {
                let _ = std::io::copy(&mut container, &mut stream);
            }
        })
    }

    /// Starts miniupnpd in the router, which listens when this returns.
    pub fn miniupnpd(&self, nat_pmp: bool, upnp: bool) -> Option<MiniUpnpd> {
        tool("miniupnpd")?;
        let yes_or_no = |is_on| if is_on { "yes" } else { "no" };
        let configuration = format!(
            "ext_ifname=wan\nlistening_ip=lan\nport=0\nenable_natpmp={}\nenable_upnp={}\n\
             secure_mode=yes\nsystem_uptime=yes\nuuid=00000000-0000-0000-0000-000000000001\n\
             allow 1024-65535 0.0.0.0/0 1024-65535\n\
             upnp_table_name=filter\nupnp_nat_table_name=filter\n\
             upnp_forward_chain=miniupnpd\nupnp_nat_chain=prerouting_miniupnpd\n\
             upnp_nat_postrouting_chain=postrouting_miniupnpd\n",
            yes_or_no(nat_pmp),
            yes_or_no(upnp)
        );
        let directory = TempDir::new();
        let file = directory.path().join("miniupnpd.conf");
        std::fs::write(&file, configuration).expect("a new file");
        let prefix = self.router.prefix();
        let mut command = Command::new(prefix[0]);
        // It logs to standard error, and only lines of standard output can be waited for.
        command.args(&prefix[1..]).args(["sh", "-c"]);
        command.args(["exec miniupnpd -d \"$@\" 2>&1", "sh", "-P"]);
        command.arg(directory.path().join("pid"));
        command.arg("-f").arg(&file).stdin(Stdio::null());
        command.stdout(Stdio::piped()).stderr(Stdio::piped());
        let daemon = MiniUpnpd {
            process: Process::spawn("miniupnpd", &mut command),
            _directory: directory,
        };
        let last = match (nat_pmp, upnp) {
            (true, _) => "Listening for NAT-PMP",
            (false, true) => "HTTP listening",
            (false, false) => "starting",
        };
        let is_ready = |line: &str| line.contains(last);
        let ready = daemon.process.wait_for_line(is_ready, PATIENCE);
        assert!(ready.is_some(), "{}", daemon.process.report());
        Some(daemon)
    }

    /// What a restart of the router does: all that miniupnpd has put there is gone.
    pub fn forget_mappings(&self) {
        for chain in ["miniupnpd", "prerouting_miniupnpd", "postrouting_miniupnpd"] {
            nft(&self.router, &format!("flush chain inet filter {chain}"));
        }
    }

    /// Has the router lose the packets that begin with this byte on their way to a port of its own.
    pub fn drop_at_router(&self, port: u16, first_byte: u8) {
        let rules = format!(
            "table inet lossy {{\n chain input {{\n type filter hook input priority 0;\n \
             udp dport {port} @th,64,8 {first_byte} drop\n }}\n }}"
        );
        nft(&self.router, &rules);
    }

    fn machine_mut(&mut self, name: &str) -> &mut Machine {
        match name {
            "home" => &mut self.home,
            "container" => &mut self.container,
            "lan" => &mut self.lan,
            "second" => &mut self.second,
            "router" => &mut self.router,
            "internet4" => &mut self.internet4,
            "internet6" => &mut self.internet6,
            _ => panic!("no machine {name}"),
        }
    }
}

/// A running miniupnpd; dropping it ends it, and leaves its mappings.
pub struct MiniUpnpd {
    pub process: Process,
    _directory: TempDir,
}

/// A machine whose link-local addresses can be used at once, like its others.
fn quick_machine() -> Machine {
    let machine = Machine::new();
    machine.set("ipv6/conf/default/accept_dad", "0");
    machine
}

fn nft(machine: &Machine, rules: &str) {
    let prefix = machine.prefix();
    let mut command = Command::new(prefix[0]);
    command.args(&prefix[1..]).args(["nft", rules]);
    let output = output_of(&mut command);
    assert!(output.status.success(), "nft {rules}: {output:?}");
}

/// A port that says to whoever connects whose it is; dropping it closes it.
pub struct OpenPort {
    listener: TcpListener,
    thread: Option<JoinHandle<()>>,
}

impl OpenPort {
    /// The port of a peer of this name, at all addresses of its machine.
    pub fn of_peer(machine: &Machine, port: u16, name: &str) -> OpenPort {
        let name = name.to_owned();
        OpenPort::new(machine, port, move |mut stream| {
            let _ = stream.write_all(name.as_bytes());
        })
    }

    fn new(machine: &Machine, port: u16, serve: impl Fn(TcpStream) + Send + 'static) -> OpenPort {
        machine.inside(|| {
            let listener = TcpListener::bind((Ipv6Addr::UNSPECIFIED, port))
                .unwrap_or_else(|e| panic!("port {port}: {e}"));
            let accepting = listener.try_clone().expect("another descriptor");
            // Threads are born on the machine of their parents.
            let thread = thread::spawn(move || {
                accepting.incoming().map_while(Result::ok).for_each(serve);
            });
            OpenPort {
                listener,
                thread: Some(thread),
            }
        })
    }
}

impl Drop for OpenPort {
    fn drop(&mut self) {
        // Otherwise the thread would keep the machine alive.
        let _ = SockRef::from(&self.listener).shutdown(Shutdown::Both);
        let _ = self.thread.take().expect("ended once").join();
    }
}

/// Whose port it is to which a connection from this machine to that address leads, if to any.
pub fn peer_at(machine: &Machine, address: SocketAddr) -> Option<String> {
    machine.inside(|| {
        let mut name = String::new();
        connect(address)?.read_to_string(&mut name).ok()?;
        Some(name).filter(|name| !name.is_empty())
    })
}

fn connect(to: SocketAddr) -> Option<TcpStream> {
    let stream = TcpStream::connect_timeout(&to, PATIENCE).ok()?;
    stream.set_read_timeout(Some(PATIENCE)).ok()?;
    Some(stream)
}

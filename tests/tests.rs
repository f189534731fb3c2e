//! One test binary, so that it links once. Its modules run the executable and ask it from outside,
//! as users and clients do; what a single module of the tracker does is tested beside its code.
//! Only `fuzz` uses the tracker as a library.

/// What the others share: child processes, an HTTP client, network namespaces.
mod support;

/// Hostile, broken and unlucky clients: the tracker goes on.
mod abuse;
/// Whatever address is shown, whoever it is shown to gets there by it.
mod addresses_table;
/// The page in a real browser.
mod browser;
/// The list of the torrents in a real browser.
mod browser_list;
/// The command line: options, exit codes, the lines of the start.
mod command_line;
/// The executables that are given away: each is run, and looked at.
mod dist;
/// What fuzzing found worth keeping, through the checks of the fuzz targets.
mod fuzz;
/// Who a peer is, and by which address it is shown to whom.
mod http_addresses;
/// What an announce over HTTP gets: keys, peers, counts.
mod http_announce;
/// What HTTP itself wants: lengths, HEAD, kept connections, paths.
mod http_connection;
/// What is refused, and with which words.
mod http_failures;
/// How the query is read: escapes, raw bytes, odd keys.
mod http_query;
/// The log, and that nothing which happens to it happens to the tracker.
mod log;
/// DNS names that clients give as their address.
mod names;
/// The page, what it is made of, and who gets to see it.
mod page;
/// Behind a proxy, and several trackers behind one.
mod proxy;
/// What real clients need of it beyond what is written down.
mod real_clients;
/// Which module of the tracker imports which.
mod rooms;
/// The router is asked to forward the port (`--map-port`), a real one and a hostile one.
mod router;
/// Counts without an announce, over HTTP, and that a real client understands them.
mod scrape;
/// All of it at the same time, for minutes: honest clients and the others.
mod soak;
/// What else is in the executable.
mod supply_chain;
/// The list of the torrents, and their names.
mod torrents;
/// Real clients move a file.
mod transfer;
/// Announces and scrapes over UDP.
mod udp;
/// UDP at each of the machine's addresses.
mod udp_addresses;

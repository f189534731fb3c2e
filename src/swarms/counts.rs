//! What is counted: clients, of a swarm and of all.

/// How many clients of a swarm are of which kind.
#[derive(Clone, Copy, PartialEq, Eq, Debug, Default)]
pub struct Counts {
    /// Clients that have it all, as they say.
    pub seeders: u32,
    /// Clients that do not.
    pub leechers: u32,
    /// Clients that have said that they got the last piece, since the swarm began.
    pub downloaded: u32,
}

/// What is stored, in numbers.
#[derive(Clone, Copy, PartialEq, Eq, Debug, Default)]
pub struct Totals {
    /// Swarms that have peers.
    pub torrents: usize,
    /// Clients, the dead among them that no sweep has reached yet: leechers of IPv4 and of IPv6,
    /// and seeders likewise. One that has both is of the family that it had first.
    pub clients: [[u32; 2]; 2],
    /// Addresses that were forgotten since nothing had been heard of them for too long.
    pub swept: u64,
}

impl Totals {
    /// Clients of both kinds and families.
    pub fn count_all(&self) -> u32 {
        self.count(false) + self.count(true)
    }

    /// Clients of one kind, of both address families.
    pub fn count(&self, seeders: bool) -> u32 {
        self.clients[usize::from(seeders)].iter().sum()
    }
}

//! The words that the tables of the state share: where a record lies, and what puts records into
//! one group of a swarm. Values only; the groups themselves are in `swarm.rs`.

use super::audience::{Audience, Home};

/// Index of a record in [`Peers`](super::peers::Peers).
pub type Slot = u32;

/// How far a client is, as it says.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Kind {
    /// Something is left.
    Leecher,
    /// Nothing is left, and nothing was transferred yet: perhaps a client that has a magnet link
    /// and no metadata, so that it does not know what is left.
    PerhapsSeeder,
    /// Nothing is left.
    Seeder,
}

impl Kind {
    /// The kind of a client with nothing left, or something, that has transferred something, or
    /// nothing.
    pub fn of(is_complete: bool, has_transferred: bool) -> Kind {
        match (is_complete, has_transferred) {
            (false, _) => Kind::Leecher,
            (true, false) => Kind::PerhapsSeeder,
            (true, true) => Kind::Seeder,
        }
    }

    /// Whether it is counted as a seeder.
    pub fn is_complete(self) -> bool {
        self != Kind::Leecher
    }

    /// Whom a client of this kind is shown, in this order, the later in places that the earlier
    /// leave free. Who may have no metadata needs leechers or seeders; who has it all needs those
    /// who may not.
    pub fn is_shown(self) -> &'static [&'static [Kind]] {
        use Kind::{Leecher, PerhapsSeeder, Seeder};
        match self {
            Leecher => &[&[Leecher, PerhapsSeeder, Seeder]],
            PerhapsSeeder => &[&[Leecher], &[PerhapsSeeder, Seeder]],
            Seeder => &[&[Leecher], &[PerhapsSeeder]],
        }
    }
}

/// What decides whether a record may be shown to an asker.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct GroupKey {
    /// How far its client is.
    pub kind: Kind,
    /// Where its address is.
    pub home: Home,
    /// To which askers this is the address to show, of all that its client has.
    pub audience: Audience,
}

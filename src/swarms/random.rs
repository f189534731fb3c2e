//! The random numbers behind the selection of peers.
//!
//! Not for secrets: whoever guesses them learns which peers a stranger is shown, nothing more.

/// SplitMix64 (Steele, Lea and Flood, 2014): eight bytes of state, and good enough to pick peers.
pub struct Random(u64);

impl Random {
    /// The same seed gives the same numbers, which the tests rely on.
    pub fn new(seed: u64) -> Random {
        Random(seed)
    }

    fn next(&mut self) -> u64 {
        self.0 = self.0.wrapping_add(0x9e37_79b9_7f4a_7c15);
        let mut z = self.0;
        z = (z ^ (z >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
        z = (z ^ (z >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
        z ^ (z >> 31)
    }

    /// A number from 0 to `bound - 1`, or 0 if that is 0. Its bias is below 2^-32, which no swarm
    /// can show.
    pub fn below(&mut self, bound: u32) -> u32 {
        ((u128::from(self.next()) * u128::from(bound)) >> 64) as u32
    }
}

/// Draws `count` distinct numbers below `total` into `drawn`, or all there are, in random order,
/// every order being equally likely. The cost depends on `count` alone, not on `total`.
pub fn draw(random: &mut Random, total: u32, count: usize, drawn: &mut Vec<u32>) {
    drawn.clear();
    if total as usize <= 2 * count {
        // Few enough to lay them all out: a shuffle that stops early.
        drawn.extend(0..total);
        for i in 0..total.min(count as u32) {
            let j = i + random.below(total - i);
            drawn.swap(i as usize, j as usize);
        }
        drawn.truncate(count);
        return;
    }
    // So many that a number drawn at random is seldom one that was drawn before. Most often its
    // bit says so; only if that is set, the others are looked through.
    let mut bits = [0_u64; 16];
    while drawn.len() < count {
        let number = random.below(total);
        let (word, bit) = (number as usize / 64 % bits.len(), 1 << (number % 64));
        if bits[word] & bit == 0 || !drawn.contains(&number) {
            bits[word] |= bit;
            drawn.push(number);
        }
    }
}

#[cfg(test)]
#[path = "random_tests.rs"]
mod tests;

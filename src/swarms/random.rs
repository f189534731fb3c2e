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

    /// A number from 0 to `bound - 1`. Its bias is below 2^-32, which no swarm can show.
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
mod tests {
    use super::*;

    fn drawn(total: u32, count: usize, seed: u64) -> Vec<u32> {
        let mut numbers = vec![7; 7];
        draw(&mut Random::new(seed), total, count, &mut numbers);
        numbers
    }

    #[test]
    fn as_many_as_wanted_or_all_there_are_and_none_twice() {
        for total in [0, 1, 2, 29, 30, 31, 59, 60, 61, 1_000, u32::MAX] {
            for wanted in [0, 1, 30] {
                let numbers = drawn(total, wanted, 7);
                assert_eq!(numbers.len(), wanted.min(total as usize));
                let distinct: std::collections::HashSet<_> = numbers.iter().collect();
                assert_eq!(distinct.len(), numbers.len());
                assert!(numbers.iter().all(|&n| n < total));
            }
        }
    }

    /// Pearson's test with a fixed seed: every number is drawn equally often, first or last, by
    /// either of the two ways. 99 degrees of freedom: 148.2 is exceeded once in a thousand times.
    #[test]
    fn every_number_is_equally_likely_in_every_place() {
        for wanted in [10_usize, 80] {
            for place in [0, wanted - 1] {
                let mut counts = [0_u32; 100];
                let rounds = 20_000;
                for seed in 0..rounds {
                    // Seeds 0, 1, 2 … are what SplitMix64 is made to tell apart.
                    counts[drawn(100, wanted, seed)[place] as usize] += 1;
                }
                let expected = rounds as f64 / 100.0;
                let chi_square: f64 = counts
                    .iter()
                    .map(|&count| (f64::from(count) - expected).powi(2) / expected)
                    .sum();
                assert!(chi_square < 148.2, "{wanted} {place}: {chi_square}");
            }
        }
    }
}

//! Random numbers, the same in every run, so that a failure can be had again. The bench
//! uses them too.

/// Marsaglia's xorshift64; its seed is anything but 0.
pub struct Random(pub u64);

impl Random {
    pub fn number(&mut self) -> u64 {
        self.0 ^= self.0 << 13;
        self.0 ^= self.0 >> 7;
        self.0 ^= self.0 << 17;
        self.0
    }

    pub fn below(&mut self, bound: usize) -> usize {
        // The upper bits are the better ones.
        (self.number() >> 33) as usize % bound
    }
}

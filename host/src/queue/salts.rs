//! What spreads ids that are made at the same time: nothing depends on it being hard to guess.

/// Numbers that look like chance, all of them from one seed.
pub(super) struct Salts(u64);

impl Salts {
    /// Those that follow from a seed.
    pub fn of(seed: u64) -> Salts {
        Salts(seed)
    }

    /// The next number.
    pub fn next(&mut self) -> u32 {
        // SplitMix64: Steele, Lea and Flood, "Fast splittable pseudorandom number generators", 2014.
        self.0 = self.0.wrapping_add(0x9e37_79b9_7f4a_7c15);
        let mut mixed = self.0;
        mixed = (mixed ^ (mixed >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
        mixed = (mixed ^ (mixed >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
        (mixed >> 32) as u32
    }
}

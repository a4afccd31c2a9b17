//! Numbers that look random and depend on a seed alone.

/// A number for the `number`th question about `seed`: the same for the same two, whoever asked before.
pub fn mix(seed: u64, number: u64) -> u64 {
    let mut value = seed
        .wrapping_mul(0x9E37_79B9_7F4A_7C15)
        .wrapping_add(number.wrapping_mul(0xD1B5_4A32_D192_ED03));
    for _ in 0..2 {
        value = (value ^ (value >> 30)).wrapping_mul(0xBF58_476D_1CE4_E5B9);
        value = (value ^ (value >> 27)).wrapping_mul(0x94D0_49BB_1331_11EB);
        value ^= value >> 31;
    }
    value
}

/// [`mix`] for a text.
pub fn mix_text(seed: u64, text: &str) -> u64 {
    text.bytes().fold(seed, |mixed, byte| mix(mixed, byte.into()))
}

/// A sequence of such numbers.
#[derive(Debug, Clone)]
pub struct Random {
    seed: u64,
    asked: u64,
}

impl Random {
    pub fn new(seed: u64) -> Random {
        Random { seed, asked: 0 }
    }

    pub fn number(&mut self) -> u64 {
        self.asked += 1;
        mix(self.seed, self.asked)
    }

    /// From 0 to `end`, which is left out; 0 where there is nothing to choose from.
    pub fn below(&mut self, end: u64) -> u64 {
        if end == 0 { 0 } else { self.number() % end }
    }

    /// Both ends are possible.
    pub fn between(&mut self, least: i64, most: i64) -> i64 {
        let span = most.saturating_sub(least).unsigned_abs() + 1;
        least + i64::try_from(self.below(span)).unwrap_or(0)
    }

    pub fn chance(&mut self, percent: u64) -> bool {
        self.below(100) < percent
    }

    /// # Panics
    /// Where there is nothing to choose from.
    pub fn choose<'a, T>(&mut self, among: &'a [T]) -> &'a T {
        let index = self.below(among.len() as u64) as usize;
        &among[index]
    }
}

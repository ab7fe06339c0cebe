//! Money: whole fen in an `i64`, never a float.

use std::iter::Sum;
use std::ops::{Add, AddAssign, Neg, Sub, SubAssign};

/// An amount in fen (1/100 yuan); may be negative.
#[derive(
    Debug,
    Clone,
    Copy,
    Default,
    PartialEq,
    Eq,
    PartialOrd,
    Ord,
    Hash,
    serde::Serialize,
    serde::Deserialize,
    sea_orm::DeriveValueType,
)]
#[serde(transparent)]
pub struct Fen(pub i64);

impl Fen {
    pub const ZERO: Fen = Fen(0);

    pub fn yuan(yuan: i64) -> Self {
        Self(yuan * 100)
    }

    /// Splits an amount by weights so that the parts add up to it exactly; leftover fen go to the first parts.
    pub fn split(self, weights: &[i64]) -> Vec<Fen> {
        let total: i128 = weights.iter().map(|weight| i128::from(*weight)).sum();
        if total == 0 {
            let mut parts = vec![Fen::ZERO; weights.len()];
            if let Some(first) = parts.first_mut() {
                *first = self;
            }
            return parts;
        }
        let amount = i128::from(self.0);
        let mut parts: Vec<Fen> = weights
            .iter()
            .map(|weight| Fen((amount * i128::from(*weight) / total) as i64))
            .collect();
        let mut left = self.0 - parts.iter().map(|part| part.0).sum::<i64>();
        let step = left.signum();
        let count = parts.len();
        for index in (0..count).cycle() {
            if left == 0 {
                break;
            }
            parts[index].0 += step;
            left -= step;
        }
        parts
    }
}

impl Add for Fen {
    type Output = Fen;
    fn add(self, other: Fen) -> Fen {
        Fen(self.0 + other.0)
    }
}

impl Sub for Fen {
    type Output = Fen;
    fn sub(self, other: Fen) -> Fen {
        Fen(self.0 - other.0)
    }
}

impl Neg for Fen {
    type Output = Fen;
    fn neg(self) -> Fen {
        Fen(-self.0)
    }
}

impl AddAssign for Fen {
    fn add_assign(&mut self, other: Fen) {
        self.0 += other.0;
    }
}

impl SubAssign for Fen {
    fn sub_assign(&mut self, other: Fen) {
        self.0 -= other.0;
    }
}

impl Sum for Fen {
    fn sum<I: Iterator<Item = Fen>>(parts: I) -> Fen {
        Fen(parts.map(|part| part.0).sum())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn parts_add_up_to_the_whole() {
        for (amount, weights) in [
            (100, vec![1, 1, 1]),
            (-101, vec![2, 1]),
            (7, vec![0, 0]),
            (5, vec![3]),
        ] {
            let parts = Fen(amount).split(&weights);
            assert_eq!(
                parts.iter().copied().sum::<Fen>(),
                Fen(amount),
                "{amount} by {weights:?}"
            );
        }
    }
}

//! A share of traffic.

use std::fmt;

use serde::{Deserialize, Serialize};

/// A share of traffic from 0 to 100 %, exact to a hundredth of a percent. Serialized as a number of percent.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(try_from = "f64", into = "f64")]
pub struct Weight {
    hundredths: u16,
}

#[derive(Debug, Clone, Copy, PartialEq, thiserror::Error)]
#[error("a traffic weight is 0 to 100 percent, not {percent}")]
pub struct WeightError {
    pub percent: f64,
}

impl Weight {
    pub const ZERO: Weight = Weight { hundredths: 0 };
    pub const FULL: Weight = Weight { hundredths: 10_000 };

    /// # Errors
    /// Anything that is not a number from 0 to 100. What is above 0 never becomes [`Weight::ZERO`], so a sliver of
    /// traffic cannot pass for none.
    pub fn from_percent(percent: f64) -> Result<Weight, WeightError> {
        if !(0.0..=100.0).contains(&percent) {
            return Err(WeightError { percent });
        }
        let hundredths = (percent * 100.0).round() as u16;
        let hundredths = if percent > 0.0 { hundredths.max(1) } else { hundredths };
        Ok(Weight { hundredths })
    }

    pub fn as_percent(self) -> f64 {
        f64::from(self.hundredths) / 100.0
    }
}

impl TryFrom<f64> for Weight {
    type Error = WeightError;

    fn try_from(percent: f64) -> Result<Weight, WeightError> {
        Weight::from_percent(percent)
    }
}

impl From<Weight> for f64 {
    fn from(weight: Weight) -> f64 {
        weight.as_percent()
    }
}

impl fmt::Display for Weight {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(formatter, "{} %", self.as_percent())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_sliver_is_not_nothing() {
        assert_eq!(Weight::from_percent(0.0), Ok(Weight::ZERO));
        assert_ne!(Weight::from_percent(0.001), Ok(Weight::ZERO));
        assert_eq!(Weight::from_percent(100.0), Ok(Weight::FULL));
    }

    #[test]
    fn outside_the_range_is_an_error() {
        for percent in [-0.1, 100.01, f64::NAN, f64::INFINITY] {
            assert!(Weight::from_percent(percent).is_err(), "{percent}");
        }
    }
}

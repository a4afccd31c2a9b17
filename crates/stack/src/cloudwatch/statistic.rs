//! Statistics by name: which are simple, which extended, and how they are spelled.

/// A statistic as CloudWatch spells it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) enum Statistic {
    /// Has a property of its own: `Average`, `Sum`, …
    Simple(&'static str),
    /// A percentile, a trimmed mean and the like: `p95`, `tm90`.
    Extended(String),
}

impl Statistic {
    /// Reads any of the spellings that people use: `avg`, `sum`, `P99`, `TM(10%:90%)`.
    pub(crate) fn parse(text: &str) -> Self {
        let simple = match text.to_lowercase().as_str() {
            "average" | "avg" => "Average",
            "minimum" | "min" => "Minimum",
            "maximum" | "max" => "Maximum",
            "samplecount" | "n" => "SampleCount",
            "sum" => "Sum",
            "iqm" => return Self::Extended("IQM".into()),
            _ => return Self::Extended(extended(text)),
        };
        Self::Simple(simple)
    }

    pub(crate) fn as_str(&self) -> &str {
        match self {
            Self::Simple(name) => name,
            Self::Extended(name) => name,
        }
    }
}

/// `p95` in lower case, ranges in upper case, what is not known as it is.
fn extended(text: &str) -> String {
    let lower = text.to_lowercase();
    let single = ["p", "tm", "wm", "tc", "ts"].iter().any(|prefix| {
        lower.strip_prefix(prefix).is_some_and(|number| {
            !number.starts_with(['+', '-', '.'])
                && number
                    .parse::<f64>()
                    .is_ok_and(|number| (0.0..=100.0).contains(&number))
        })
    });
    let range = ["pr(", "tm(", "wm(", "tc(", "ts("]
        .iter()
        .any(|prefix| lower.starts_with(prefix))
        && lower.ends_with(')');
    if single {
        lower
    } else if range {
        text.to_uppercase()
    } else {
        text.to_owned()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn spellings() {
        assert_eq!(Statistic::parse("sum"), Statistic::Simple("Sum"));
        assert_eq!(Statistic::parse("P95"), Statistic::Extended("p95".into()));
        assert_eq!(
            Statistic::parse("tm(10%:90%)"),
            Statistic::Extended("TM(10%:90%)".into())
        );
        assert_eq!(Statistic::parse("custom"), Statistic::Extended("custom".into()));
    }
}

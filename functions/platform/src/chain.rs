//! Renders an error with its causes on one line, for a log.

use std::error::Error;

/// The error and its causes, `what: why: why`. A cause that the text already holds is not said twice
/// (sqlx puts its cause both into its text and into `source`).
pub fn chain(error: &dyn Error) -> String {
    let mut text = error.to_string();
    let mut cause = error.source();
    while let Some(error) = cause {
        let said = error.to_string();
        if !text.contains(&said) {
            text.push_str(": ");
            text.push_str(&said);
        }
        cause = error.source();
    }
    text
}

#[cfg(test)]
mod tests {
    use super::*;

    #[derive(Debug, thiserror::Error)]
    #[error("{text}")]
    struct Told {
        text: &'static str,
        source: Option<Box<Told>>,
    }

    #[test]
    fn a_cause_is_told_once() {
        let root = Told {
            text: "refused",
            source: None,
        };
        let doubled = Told {
            text: "cannot connect: refused",
            source: Some(Box::new(root)),
        };
        let top = Told {
            text: "cannot read the secret",
            source: Some(Box::new(doubled)),
        };
        assert_eq!(chain(&top), "cannot read the secret: cannot connect: refused");
    }
}

//! The registered domain above a name: where mails about a certificate go.
//!
//! The suffixes are those of aws-cdk-lib, not today's list, so that a certificate that moves here is not replaced.

/// One a line; each suffix also with those above it.
const PUBLIC_SUFFIXES: &str = include_str!("public_suffixes.txt");

/// `example.co.uk` of `api.example.co.uk`.
pub(super) fn apex_domain(name: &str) -> String {
    let mut apex = "";
    let starts = name.rmatch_indices('.').map(|(dot, _)| dot + 1);
    for at in starts.chain([0]) {
        apex = &name[at..];
        if !PUBLIC_SUFFIXES.lines().any(|suffix| suffix == apex) {
            break;
        }
    }
    apex.to_owned()
}

#[cfg(test)]
mod tests {
    use super::apex_domain;

    #[test]
    fn one_label_below_the_longest_known_suffix() {
        for (name, apex) in [
            ("example.com", "example.com"),
            ("*.api.example.com", "example.com"),
            ("a.b.example.co.uk", "example.co.uk"),
            ("app.internal", "internal"),
            ("com", "com"),
        ] {
            assert_eq!(apex_domain(name), apex);
        }
    }
}

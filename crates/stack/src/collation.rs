//! The order in which JavaScript's `localeCompare` puts names, for ASCII.
//!
//! The CDK sorts `DependsOn` and tags with it, and list order is content to CloudFormation. Letters compare without case
//! first; among equals, lower case stands before upper case. Outside ASCII, code points decide.

use std::cmp::Ordering;

/// Printable ASCII in the order of ICU's root collation, letters once.
const ORDER: &str = " _-,;:!?.'\"()[]{}@*/\\&#%`^+<=>|~$0123456789abcdefghijklmnopqrstuvwxyz";

/// Compares as `a.localeCompare(b)` does.
pub fn compare(a: &str, b: &str) -> Ordering {
    a.chars().map(primary).cmp(b.chars().map(primary)).then_with(|| {
        let case = |text: &str| text.chars().map(|c| c.is_ascii_uppercase()).collect::<Vec<_>>();
        case(a).cmp(&case(b))
    })
}

fn primary(character: char) -> u32 {
    let folded = character.to_ascii_lowercase();
    match ORDER.find(folded) {
        // Every character of ORDER is one byte.
        Some(position) => u32::try_from(position).unwrap_or(u32::MAX),
        None => u32::from(folded) + 0x100,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn sorts_as_node_does() {
        let mut names = [
            "ab", "aB", "Ab", "AB", "a", "A", "a/b", "ab/c", "a-b", "a_b", "a b", "aa", "aA", "Aa",
        ];
        names.sort_by(|a, b| compare(a, b));
        assert_eq!(
            names,
            [
                "a", "A", "a b", "a_b", "a-b", "a/b", "aa", "aA", "Aa", "ab", "aB", "Ab", "AB", "ab/c"
            ]
        );
    }
}

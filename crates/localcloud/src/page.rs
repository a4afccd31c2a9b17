//! Pages of a list. The token of the next page is the position where it begins, which callers must not read; how
//! it is called, and whether one that we never gave is refused, is each service's own.

use serde_json::Value;

use crate::members::Members;

/// At most `size` entries from `start` on, and the token of the page behind them, if there is one.
pub fn page<T>(all: &[T], start: usize, size: usize) -> (&[T], Option<String>) {
    let end = start.saturating_add(size).min(all.len());
    let next = (end < all.len()).then(|| end.to_string());
    (all.get(start..end).unwrap_or_default(), next)
}

/// Where the page begins whose token `member` holds; without one, or with one that is none of ours, at the first entry.
pub fn start(input: &Value, member: &str) -> usize {
    input.text(member).and_then(|token| token.parse().ok()).unwrap_or(0)
}

/// How many entries a page may have by `member`; at least one.
pub fn size(input: &Value, member: &str, default: i64) -> usize {
    usize::try_from(input.integer(member).unwrap_or(default))
        .unwrap_or(1)
        .max(1)
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    #[test]
    fn the_token_leads_to_the_page_behind() {
        let all = ["a", "b", "c"];
        let (first, next) = page(&all, 0, 2);
        assert_eq!(first, ["a", "b"]);
        let input = json!({"NextToken": next, "MaxResults": -1});
        assert_eq!(page(&all, start(&input, "NextToken"), usize::MAX), (&["c"][..], None));
        assert_eq!(page(&all, 7, 2), (&[][..], None));
        assert_eq!((start(&input, "Other"), size(&input, "MaxResults", 50)), (0, 1));
    }
}

//! The pages behind the error codes: one file, shipped in the binary, a section a code.

use stack::policy::{Pack, Rule};

use crate::failure::{Code, Failure, Outcome};

const PAGES: &str = include_str!("codes.md");

/// The page of a code or of a rule of the built-in policies, its heading included.
pub fn page(code: &str) -> Outcome<String> {
    let code = code.trim().to_ascii_uppercase();
    if let Some(rule) = Pack::security().find(&code) {
        return Ok(page_of(rule));
    }
    let heading = format!("## {code} ");
    let section = PAGES
        .match_indices("## ")
        .map(|(start, _)| &PAGES[start..])
        .find(|section| section.starts_with(&heading));
    let section = section.ok_or_else(|| {
        Failure::new(Code::ConfigInvalid, format!("there is no code '{code}'"))
            .hint("llama-deploy explain lists them all")
    })?;
    let end = section[3..].find("\n## ").map_or(section.len(), |end| end + 3);
    Ok(section[..end].trim_end().to_owned())
}

fn page_of(rule: &Rule) -> String {
    let Rule {
        id,
        title,
        reason,
        fix,
        severity,
        ..
    } = rule;
    format!(
        "## {id} {title}\nA rule of the security policies; what breaks it is reported as {severity}.\nWhy: {reason}.\n\
         What to do: {fix}.\nWhere it is wrong for one construct: `construct.suppress(\"{id}\", \"why\")`."
    )
}

/// One line a code, then one a rule.
pub fn list() -> String {
    let headings = PAGES
        .lines()
        .filter_map(|line| line.strip_prefix("## ").map(str::to_owned));
    let rules = Pack::security().rules.into_iter();
    let rules = rules.map(|rule| format!("{} {}", rule.id, rule.title));
    headings.chain(rules).collect::<Vec<_>>().join("\n")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_rule_has_its_page_and_stands_in_the_list() {
        let page = page("ldp101").unwrap_or_default();
        assert!(page.starts_with("## LDP101 ") && page.contains("Why: "), "{page}");
        assert!(list().lines().any(|line| line.starts_with("LDP101 ")));
    }

    #[test]
    fn every_code_has_a_page_that_says_what_to_do() {
        for code in Code::ALL {
            let page = page(code.id()).unwrap_or_else(|_| panic!("{} has no page in codes.md", code.id()));
            assert!(page.lines().count() >= 2, "{page}");
        }
        let ours = list().lines().filter(|line| line.starts_with("LD0")).count();
        assert_eq!(ours, Code::ALL.len(), "a page without a code");
    }
}

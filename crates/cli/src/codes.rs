//! The pages behind the error codes: one file, shipped in the binary, a section a code.

use crate::failure::{Code, Failure, Outcome};

const PAGES: &str = include_str!("codes.md");

/// The page of a code, its heading included.
pub fn page(code: &str) -> Outcome<&'static str> {
    let code = code.trim().to_ascii_uppercase();
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
    Ok(section[..end].trim_end())
}

/// One line a code.
pub fn list() -> String {
    let headings = PAGES.lines().filter_map(|line| line.strip_prefix("## "));
    headings.collect::<Vec<_>>().join("\n")
}

#[cfg(test)]
mod tests {
    use super::*;

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

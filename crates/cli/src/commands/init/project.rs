//! The files of a new project: templates with a few `{{words}}` in them, and their values.

use super::crates::Crates;

/// Where the file goes, and its template.
const FILES: [(&str, &str); 11] = [
    ("Cargo.toml", include_str!("project/workspace.toml")),
    ("llama-deploy.toml", include_str!("project/settings.toml")),
    ("README.md", include_str!("project/README.md")),
    (".gitignore", include_str!("project/gitignore")),
    (".github/workflows/deploy.yml", include_str!("project/deploy.yml")),
    ("stacks/Cargo.toml", include_str!("project/stacks/package.toml")),
    ("stacks/src/main.rs", include_str!("project/stacks/main.rs")),
    ("stacks/src/service.rs", include_str!("project/stacks/service.rs")),
    ("stacks/src/service/tests.rs", include_str!("project/stacks/tests.rs")),
    ("functions/hello/Cargo.toml", include_str!("project/hello/package.toml")),
    ("functions/hello/src/main.rs", include_str!("project/hello/main.rs")),
];

/// Names of alarms and APIs are made of it, with an environment's name behind.
const LONGEST_NAME: usize = 40;

const FROM_A_CHECKOUT: &str = "
`Cargo.toml` and `.cargo/config.toml` name llama-deploy's folder on the machine where this project was made. Before others
or a CI build it, put `git = \"…\"` there instead, and set the variable `LLAMA_DEPLOY_REPOSITORY` for the workflow.
";

pub struct Project {
    values: [(&'static str, String); 7],
    cargo_alias: Option<String>,
}

impl Project {
    /// Fails with the reason when the name is not one.
    pub fn new(name: &str, region: &str, crates: &Crates) -> Result<Self, String> {
        check_name(name)?;
        let machine = match crates {
            Crates::Checkout(_) => FROM_A_CHECKOUT,
            Crates::Repository(_) => "",
        };
        Ok(Self {
            values: [
                ("name", name.to_owned()),
                ("stack", pascal_case(name)),
                ("region", region.to_owned()),
                ("dependency", crates.dependency()),
                ("install", crates.install_arguments()),
                ("llama", crates.program().to_owned()),
                ("machine", machine.to_owned()),
            ],
            cargo_alias: crates.cargo_alias(),
        })
    }

    /// Path and text of each file.
    pub fn files(&self) -> Vec<(&'static str, String)> {
        let alias = self
            .cargo_alias
            .iter()
            .map(|alias| (".cargo/config.toml", alias.clone()));
        FILES
            .iter()
            .map(|(path, template)| (*path, format!("{}\n", self.fill(template).trim_end())))
            .chain(alias)
            .collect()
    }

    fn fill(&self, template: &str) -> String {
        self.values.iter().fold(template.to_owned(), |text, (word, value)| {
            text.replace(&format!("{{{{{word}}}}}"), value)
        })
    }
}

/// What cargo, CloudFormation and CloudWatch all take.
pub fn check_name(name: &str) -> Result<(), String> {
    let letter_first = name.starts_with(|c: char| c.is_ascii_lowercase());
    let rest = name
        .chars()
        .all(|c| c.is_ascii_lowercase() || c.is_ascii_digit() || c == '-');
    if name.is_empty() || name.len() > LONGEST_NAME {
        Err(format!("it has {} characters", name.len()))
    } else if !letter_first {
        Err("it does not begin with a small letter".to_owned())
    } else if !rest || name.ends_with('-') || name.contains("--") {
        Err("only small letters, digits and single dashes between them are possible".to_owned())
    } else {
        Ok(())
    }
}

/// `my-shop` → `MyShop`.
fn pascal_case(name: &str) -> String {
    let words = name.split('-').map(|word| {
        let mut letters = word.chars();
        letters.next().map_or_else(String::new, |first| {
            format!("{}{}", first.to_ascii_uppercase(), letters.as_str())
        })
    });
    words.collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn nothing_is_left_open() {
        for crates in [
            Crates::Checkout("/llama".into()),
            Crates::Repository("https://git.example/llama".into()),
        ] {
            for (path, text) in Project::new("my-shop", "eu-west-1", &crates).unwrap().files() {
                // GitHub's own expressions have a space.
                let open = text
                    .match_indices("{{")
                    .find(|(at, _)| !text[at + 2..].starts_with(' '));
                assert_eq!(open, None, "{path}");
                assert!(text.ends_with('\n') && !text.ends_with("\n\n"), "{path}");
                if path.ends_with(".toml") {
                    toml::from_str::<toml::Table>(&text).unwrap_or_else(|error| panic!("{path}: {error}"));
                }
            }
        }
    }

    #[test]
    fn names_are_what_everybody_takes() {
        assert_eq!(pascal_case("my-shop2"), "MyShop2");
        for good in ["a", "my-shop", "shop2"] {
            check_name(good).unwrap();
        }
        for bad in ["", "2shop", "Shop", "my_shop", "shop-", "a--b", &"a".repeat(41)] {
            check_name(bad).unwrap_err();
        }
    }
}

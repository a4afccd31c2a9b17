//! What an operator types about an environment that stands: the grammar of those commands and nothing else.

use clap::{Args, Subcommand, ValueEnum};
use jiff::SignedDuration;

use crate::settings::{LOCAL, parse_duration};

/// The environment, by its place or by `--env`.
#[derive(Clone, Debug, Args)]
pub struct EnvironmentArgument {
    /// The environment; without it `local`
    #[arg(value_name = "ENV")]
    environment: Option<String>,
    /// The same as an option
    #[arg(long = "env", value_name = "ENV", conflicts_with = "environment")]
    named: Option<String>,
}

impl EnvironmentArgument {
    pub fn name(&self) -> &str {
        self.named.as_deref().or(self.environment.as_deref()).unwrap_or(LOCAL)
    }
}

/// `ENV [NUMBER]`, or `--env ENV [NUMBER]`.
#[derive(Clone, Debug, Args)]
pub struct EnvironmentAndNumber {
    #[arg(value_name = "ENV")]
    first: Option<String>,
    #[arg(value_name = "NUMBER")]
    second: Option<u32>,
    /// The environment as an option
    #[arg(long = "env", value_name = "ENV", conflicts_with = "second")]
    named: Option<String>,
}

impl EnvironmentAndNumber {
    /// Both, where an environment was named at all.
    ///
    /// # Errors
    /// What stands where the number should, and is none.
    pub fn resolve(&self) -> Result<(Option<&str>, Option<u32>), String> {
        match (&self.named, &self.first) {
            (Some(named), Some(number)) => {
                let number = number.parse().map_err(|_| number.clone())?;
                Ok((Some(named), Some(number)))
            }
            (Some(named), None) => Ok((Some(named), None)),
            (None, first) => Ok((first.as_deref(), self.second)),
        }
    }
}

/// A slot, by its colour or by what it is now.
#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum)]
pub enum SlotName {
    Live,
    Idle,
    Blue,
    Green,
}

#[derive(Debug, Args)]
pub struct Smoke {
    #[command(flatten)]
    pub environment: EnvironmentArgument,
    /// What to check
    #[arg(long, value_enum, default_value = "live")]
    pub target: SlotName,
}

#[derive(Debug, Args)]
pub struct Monitor {
    #[command(flatten)]
    pub environment: EnvironmentArgument,
    /// How long, for example 15m
    #[arg(long, value_name = "DURATION", value_parser = parse_duration)]
    pub duration: SignedDuration,
    /// Roll back to the release before when a gate fails
    #[arg(long)]
    pub rollback_on_breach: bool,
}

#[derive(Debug, Args)]
pub struct Request {
    #[command(flatten)]
    pub environment: EnvironmentArgument,
    /// How long to wait for the answer of the run, where one is at work; without it 60s
    #[arg(long, value_name = "DURATION", value_parser = parse_duration)]
    pub wait: Option<SignedDuration>,
    /// Answer yes where the environment asks for approval of changes to stacks that are still to be made
    #[arg(long, short)]
    pub yes: bool,
}

#[derive(Debug, Args)]
pub struct RequestWithReason {
    #[command(flatten)]
    pub request: Request,
    /// Why, for the journal
    #[arg(long, value_name = "TEXT")]
    pub reason: Option<String>,
}

#[derive(Debug, Args)]
pub struct Unlock {
    #[command(flatten)]
    pub environment: EnvironmentArgument,
    /// Break it; without this only says who holds it
    #[arg(long, requires = "reason")]
    pub force: bool,
    /// Why, for the record
    #[arg(long, value_name = "TEXT")]
    pub reason: Option<String>,
}

#[derive(Debug, Args)]
pub struct Cleanup {
    #[command(flatten)]
    pub environment: EnvironmentArgument,
    /// Also releases whose retention has not ended: the way back is given up
    #[arg(long)]
    pub now: bool,
    /// The environment's name, where nobody can be asked to type it
    #[arg(long, value_name = "ENV", requires = "now")]
    pub confirm: Option<String>,
}

#[derive(Debug, Subcommand)]
pub enum Traffic {
    /// Which slot gets how much of the live traffic, and what the slots hold
    Show(EnvironmentArgument),
    /// Give a slot all of the live traffic; only to a release that proved itself there
    Switch(Switch),
}

#[derive(Debug, Args)]
pub struct Switch {
    #[command(flatten)]
    pub environment: EnvironmentArgument,
    /// The slot
    #[arg(long, value_enum)]
    pub target: SwitchTarget,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum)]
pub enum SwitchTarget {
    Idle,
    Blue,
    Green,
}

#[derive(Debug, Subcommand)]
pub enum Audit {
    /// Whether the whole history is as it was written
    Verify {
        #[command(flatten)]
        environment: EnvironmentArgument,
        /// A hash that a deploy or a rollback has printed: it must still be in the history
        #[arg(long, value_name = "HASH", value_parser = hash)]
        head: Option<String>,
    },
    /// Every decision of a rollout, with its samples, bounds and verdict; without a number of the newest
    Show {
        #[command(flatten)]
        rollout: EnvironmentAndNumber,
    },
}

/// As `audit verify` takes it, which is as a rollout prints it.
fn hash(text: &str) -> Result<String, String> {
    let fits = (16..=64).contains(&text.len()) && text.chars().all(|c| c.is_ascii_hexdigit());
    fits.then(|| text.to_ascii_lowercase())
        .ok_or_else(|| "expected 16 to 64 hexadecimal digits".to_owned())
}

#[cfg(test)]
mod tests {
    use clap::Parser;

    use super::*;

    #[derive(Debug, Parser)]
    struct Numbered {
        #[command(flatten)]
        of: EnvironmentAndNumber,
    }

    #[test]
    fn an_environment_stands_in_its_place_or_behind_its_option() {
        let read = |words: &[&str]| {
            let words = std::iter::once("test").chain(words.iter().copied());
            let read = Numbered::try_parse_from(words).map_err(|_| "grammar".to_owned())?;
            let (environment, number) = read.of.resolve()?;
            Ok::<_, String>((environment.map(str::to_owned), number))
        };
        let prod = || Some("prod".to_owned());
        assert_eq!(read(&[]), Ok((None, None)));
        assert_eq!(read(&["prod"]), Ok((prod(), None)));
        assert_eq!(read(&["prod", "7"]), Ok((prod(), Some(7))));
        assert_eq!(read(&["--env", "prod"]), Ok((prod(), None)));
        assert_eq!(read(&["--env", "prod", "7"]), Ok((prod(), Some(7))));
        assert_eq!(read(&["--env", "prod", "seven"]), Err("seven".to_owned()));
        assert_eq!(read(&["prod", "seven"]), Err("grammar".to_owned()));
        assert_eq!(read(&["prod", "7", "--env", "prod"]), Err("grammar".to_owned()));
    }

    #[test]
    fn a_hash_is_hexadecimal_and_long_enough_to_name_one_record() {
        assert!(hash(&"aB".repeat(8)).is_ok());
        assert!(hash(&"a".repeat(15)).is_err());
        assert!(hash(&"g".repeat(16)).is_err());
        assert!(hash(&"a".repeat(65)).is_err());
    }
}

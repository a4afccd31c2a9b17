//! Apps and stages: what is synthesized into an assembly of its own.

use std::panic::Location;
use std::path::PathBuf;
use std::process::ExitCode;

use serde_json::Value as Json;

use crate::assembly::{self, Assembly};
use crate::environment::Protocol;
use crate::error::{Error, Errors, Source};
use crate::policy::Pack;
use crate::tree::{Construct, Kind, Scope, Tree};

/// Where the assembly goes when nobody says.
const DEFAULT_OUTDIR: &str = "cdk.out";
/// The exit status of an app that is wrong, so that the tool tells it from a crash.
const EXIT_INVALID: u8 = 2;

pub(crate) struct StageNode {
    /// The names of the stages from the app down, joined with `-`; empty for the app.
    pub(crate) name: String,
    pub(crate) account: Option<String>,
    pub(crate) region: Option<String>,
}

/// The root of a tree.
#[derive(Clone)]
pub struct App {
    construct: Construct,
    outdir: PathBuf,
    default_account: Option<String>,
    default_region: Option<String>,
}

impl Scope for App {
    fn construct(&self) -> &Construct {
        &self.construct
    }
}

impl App {
    /// An app that knows nothing of the process it runs in: for tests and for tools.
    #[track_caller]
    pub fn new(outdir: impl Into<PathBuf>) -> Self {
        Self::with(
            Protocol {
                outdir: Some(outdir.into()),
                ..Protocol::default()
            },
            Location::caller(),
        )
    }

    /// The app as the tool that runs it wants it: output folder, context and default environment come by the CDK's
    /// app protocol.
    ///
    /// # Errors
    /// When the context that the tool passes is not JSON.
    #[track_caller]
    pub fn from_environment() -> Result<Self, Errors> {
        Ok(Self::with(Protocol::read()?, Location::caller()))
    }

    fn with(protocol: Protocol, location: Source) -> Self {
        let stage = StageNode {
            name: String::new(),
            account: None,
            region: None,
        };
        let construct = Construct::root(Tree::new(location, stage));
        construct.tree_mut().context = protocol.context;
        Self {
            construct,
            outdir: protocol.outdir.unwrap_or_else(|| DEFAULT_OUTDIR.into()),
            default_account: protocol.default_account,
            default_region: protocol.default_region,
        }
    }

    /// Sets a value of the context, unless the tool gave one.
    pub fn set_context(&self, key: impl Into<String>, value: impl Into<Json>) {
        self.construct
            .tree_mut()
            .context
            .entry(key.into())
            .or_insert_with(|| value.into());
    }

    /// The account that the tool's credentials belong to, if it knows.
    pub fn default_account(&self) -> Option<&str> {
        self.default_account.as_deref()
    }

    pub fn default_region(&self) -> Option<&str> {
        self.default_region.as_deref()
    }

    /// Checks every template against a pack of rules when the app is synthesized: what a rule of severity error does
    /// not allow is an error of the app, the rest warnings.
    ///
    /// ```
    /// use stack::policy::Pack;
    /// # let app = stack::App::new("unused");
    /// app.policy(Pack::security());
    /// ```
    pub fn policy(&self, pack: Pack) {
        self.construct.tree_mut().policies.push(pack);
    }

    /// Writes the assembly.
    ///
    /// # Errors
    /// Everything that is wrong with the app; nothing is written then.
    pub fn synth(&self) -> Result<Assembly, Errors> {
        assembly::synthesize(&self.construct, &self.outdir)
    }
}

/// The main function of an app: builds it, writes the assembly, and says on stderr what is wrong, without a backtrace,
/// with exit status 2.
///
/// ```no_run
/// fn main() -> std::process::ExitCode {
///     stack::run(|app| {
///         stack::Stack::new(app, "Network").build();
///     })
/// }
/// ```
#[track_caller]
pub fn run(build: impl FnOnce(&App)) -> ExitCode {
    std::panic::set_hook(Box::new(|panic| {
        let message = panic.payload_as_str().unwrap_or("the app panicked");
        let location = panic
            .location()
            .map(|location| format!("\n  --> {location}"))
            .unwrap_or_default();
        say(&format!("error[LD1000]: the app panicked: {message}{location}"));
    }));
    let app = match App::from_environment() {
        Ok(app) => app,
        Err(errors) => return refuse(&errors),
    };
    // The tree is dropped with the app, so nothing broken is seen after a panic.
    let built = std::panic::catch_unwind(std::panic::AssertUnwindSafe(|| build(&app)));
    if built.is_err() {
        return ExitCode::from(EXIT_INVALID);
    }
    match app.synth() {
        Ok(assembly) => {
            for warning in &assembly.warnings {
                say(&warning.to_string());
            }
            // The process ends: taking a hundred thousand resources apart would only be waited for.
            std::mem::forget((app, assembly));
            ExitCode::SUCCESS
        }
        Err(errors) => refuse(&errors),
    }
}

fn refuse(errors: &Errors) -> ExitCode {
    say(&errors.to_string());
    ExitCode::from(EXIT_INVALID)
}

#[expect(
    clippy::print_stderr,
    reason = "the app protocol: the tool relays what an app says on stderr"
)]
fn say(message: &str) {
    eprintln!("{message}");
}

/// A group of stacks that is deployed together, as an assembly inside the assembly.
#[derive(Clone)]
pub struct Stage {
    construct: Construct,
}

impl Scope for Stage {
    fn construct(&self) -> &Construct {
        &self.construct
    }
}

impl Stage {
    #[track_caller]
    #[expect(
        clippy::new_ret_no_self,
        reason = "every construct begins with `new` and ends with `build`"
    )]
    pub fn new(scope: &impl Scope, id: impl Into<String>) -> StageBuilder {
        StageBuilder {
            scope: scope.construct().clone(),
            id: id.into(),
            location: Location::caller(),
            account: None,
            region: None,
            name: None,
        }
    }
}

#[must_use = "nothing is made until `build`"]
pub struct StageBuilder {
    scope: Construct,
    id: String,
    location: Source,
    account: Option<String>,
    region: Option<String>,
    name: Option<String>,
}

impl StageBuilder {
    /// Account and region for stacks that name none.
    pub fn env(mut self, account: impl Into<String>, region: impl Into<String>) -> Self {
        self.account = Some(account.into());
        self.region = Some(region.into());
        self
    }

    /// The name that prefixes the names of its stacks; the id if nothing is said.
    pub fn stage_name(mut self, name: impl Into<String>) -> Self {
        self.name = Some(name.into());
        self
    }

    pub fn build(self) -> Stage {
        let valid = self.id.starts_with(|c: char| c.is_ascii_alphabetic())
            && self.id.chars().all(|c| c.is_ascii_alphanumeric() || "-_.".contains(c));
        let node = {
            let tree = self.scope.tree();
            let outer = tree.stage(tree.stage_of(self.scope.node()));
            let own = self.name.unwrap_or_else(|| self.id.clone());
            let outer_name = outer.map_or("", |outer| outer.name.as_str());
            StageNode {
                name: if outer_name.is_empty() {
                    own
                } else {
                    format!("{outer_name}-{own}")
                },
                account: self.account.or_else(|| outer.and_then(|outer| outer.account.clone())),
                region: self.region.or_else(|| outer.and_then(|outer| outer.region.clone())),
            }
        };
        let construct = self.scope.add(self.id, "Stage", Kind::Stage(node), self.location);
        if !valid {
            construct.report("the id of a stage begins with a letter and holds letters, digits, `-`, `_` and `.` only");
        }
        if construct.tree().stack_of(construct.node()).is_some() {
            construct.report("a stage cannot stand in a stack");
        }
        Stage { construct }
    }
}

/// Errors of a tree that end synthesis before anything is rendered.
pub(crate) fn recorded_errors(construct: &Construct) -> Vec<Error> {
    std::mem::take(&mut construct.tree_mut().errors)
}

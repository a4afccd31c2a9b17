//! `llama-deploy validate`: the app's templates, or files, under AWS's own rules and the policy packs. Offline.
//!
//! It judges templates as they are written and deploys nothing; what only the account knows (limits, names that are
//! taken) it cannot know.

mod aws_rules;
mod finding;
mod policies;
mod report;

use self::aws_rules::Template;
use self::finding::{Finding, Severity};
use self::report::Report;
use super::assemble;
use crate::arguments::Validate;
use crate::assembly::{self, Stack};
use crate::console::Console;
use crate::failure::{Code, Failure, Outcome};
use crate::settings::{LOCAL, Settings, Surroundings};

/// 1 when an error is open; with `--strict` also when a warning is.
pub fn run(options: &Validate, surroundings: &Surroundings, console: &Console, config: &Config<'_>) -> Outcome<u8> {
    let report = if options.names.iter().any(|name| is_template_file(name)) {
        files(options, surroundings, console)?
    } else {
        let settings = config()?;
        stacks(options, &settings, console)?
    };
    console.clear();
    report.show(options.suppressed, console);
    let fails = |finding: &Finding| match finding.severity {
        Severity::Error => true,
        Severity::Warning => options.strict,
    };
    Ok(u8::from(report.open().any(fails)))
}

/// Rules about how a template is written, not about what it makes: nobody writes an app's templates by hand. W3005 finds a
/// dependency that a reference implies already, which the CDK's constructs and ours write on purpose.
const OF_STYLE: [&str; 2] = ["W3005", "W3010"];

/// Reads the settings, which files do not need.
pub type Config<'a> = dyn Fn() -> Outcome<Settings> + 'a;

fn is_template_file(name: &str) -> bool {
    let endings = [".json", ".yaml", ".yml", ".template"];
    endings.iter().any(|ending| name.ends_with(ending))
}

fn files(options: &Validate, surroundings: &Surroundings, console: &Console) -> Outcome<Report> {
    let mut templates = Vec::new();
    for name in &options.names {
        let file = surroundings.folder.join(name);
        // Read here so that all of them are there before anything is built or judged.
        std::fs::read(&file).map_err(|error| {
            let failure = Failure::new(Code::TemplateInvalid, format!("cannot read {}", file.display())).because(error);
            if is_template_file(name) {
                failure
            } else {
                failure.hint("name either stacks or template files")
            }
        })?;
        templates.push(Template {
            name: name.clone(),
            file,
        });
    }
    judge(&templates, None, console)
}

fn stacks(options: &Validate, settings: &Settings, console: &Console) -> Outcome<Report> {
    let name = options.app.environment.as_deref().unwrap_or(LOCAL);
    let output = settings.environment_folder(name).join("assembly");
    let (environment, stacks) = assemble(settings, &options.app, output, console)?;
    let stacks = only(stacks, &options.names)?;
    let templates: Vec<Template> = stacks
        .iter()
        .map(|stack| Template {
            name: stack.path.clone(),
            file: stack.template_file.clone(),
        })
        .collect();
    let mut report = judge(&templates, Some(&environment.region), console)?;
    report.leave_out(&OF_STYLE);
    report.each(|finding| {
        if let Some(stack) = stacks.iter().find(|stack| stack.path == finding.template) {
            finding.set_origin(stack);
        }
    });
    Ok(report)
}

fn judge(templates: &[Template], region: Option<&str>, console: &Console) -> Outcome<Report> {
    let mut report = Report::of(templates.iter().map(|template| template.name.clone()));
    let mut of_aws = aws_rules::check(templates, region, console)?;
    for template in templates {
        // The packs look into JSON; AWS's rules read YAML too, and say what is neither.
        let text = std::fs::read(&template.file).unwrap_or_default();
        let parsed: serde_json::Value = serde_json::from_slice(&text).unwrap_or_default();
        let (here, elsewhere): (Vec<_>, Vec<_>) = of_aws
            .into_iter()
            .partition(|finding: &Finding| finding.template == template.name);
        of_aws = elsewhere;
        report.extend(here.into_iter().map(|finding| policies::excused(finding, &parsed)));
        report.extend(policies::check(&parsed, &template.name));
    }
    Ok(report)
}

/// Those that were named and no others; all when none was.
fn only(stacks: Vec<Stack>, named: &[String]) -> Outcome<Vec<Stack>> {
    let selected = assembly::select(stacks, named)?;
    let is_named = |stack: &Stack| named.iter().any(|name| *name == stack.path || *name == stack.name);
    Ok(selected
        .into_iter()
        .filter(|stack| named.is_empty() || is_named(stack))
        .collect())
}

//! Assertions about templates, for tests of stacks. As the CDK's `assertions` module; what is not met panics, with the
//! nearest resource and what differs in it.
//!
//! ```
//! use serde_json::json;
//! use stack::assertions::{Match, Template};
//! use stack::{App, Stack, sqs::Queue};
//!
//! let app = App::new("unused");
//! let stack = Stack::new(&app, "Jobs").build();
//! Queue::new(&stack, "Queue").queue_name("jobs").build();
//!
//! let template = Template::of(&stack);
//! template.resource_count_is("AWS::SQS::Queue", 1);
//! template.has_resource_properties("AWS::SQS::Queue", json!({ "QueueName": "jobs" }));
//! template.has_resource_properties("AWS::SQS::Queue", Match::object_like([("FifoQueue", Match::absent())]));
//! ```

mod matching;
mod report;
mod snapshot;

use serde_json::{Map, Value as Json};

use crate::assembly;
use crate::tree::{NodeId, Scope};

use matching::{Attempt, Mismatch};
pub use matching::{Capture, Match};

/// A template to make assertions about.
#[derive(Clone, Debug)]
pub struct Template(Json);

impl Template {
    /// The template of a stack, or of the stack that a construct stands in. The whole app is synthesized for it, and
    /// nothing is written.
    ///
    /// # Panics
    /// With everything that is wrong, when the app does not synthesize.
    #[track_caller]
    pub fn of(stack: &impl Scope) -> Self {
        let construct = stack.construct();
        let rendered = assembly::template_of(&construct.at(NodeId::ROOT), construct.node());
        match rendered {
            Ok(template) => Self(template),
            Err(errors) => panic_with(&errors),
        }
    }

    /// Any template, such as one of an assembly's files.
    pub const fn from_json(template: Json) -> Self {
        Self(template)
    }

    pub const fn to_json(&self) -> &Json {
        &self.0
    }

    /// The template as stable text for snapshots: what changes with the content of an asset is left out.
    pub fn snapshot(&self) -> String {
        snapshot::text(&self.0)
    }

    /// # Panics
    /// When there are more or fewer.
    #[track_caller]
    pub fn resource_count_is(&self, type_name: &str, count: usize) {
        let ids: Vec<&String> = self.of_type(type_name).map(|(id, _)| id).collect();
        if ids.len() != count {
            panic_with(&format!(
                "there are {} {type_name}, not {count}{}",
                ids.len(),
                report::list(": ", &ids)
            ));
        }
    }

    /// How many resources of a type have properties that match.
    ///
    /// # Panics
    /// When there are more or fewer.
    #[track_caller]
    pub fn resource_properties_count_is(&self, type_name: &str, properties: impl Into<Match>, count: usize) {
        let found = self.find_resources(type_name, Match::object_like([("Properties", properties.into())]));
        if found.len() != count {
            let ids: Vec<&String> = found.keys().collect();
            panic_with(&format!(
                "{} {type_name} have these properties, not {count}{}",
                ids.len(),
                report::list(": ", &ids)
            ));
        }
    }

    /// A resource of the type matches as a whole: with `Properties`, `DependsOn`, `DeletionPolicy`, ….
    ///
    /// # Panics
    /// When none does; the message shows the nearest.
    #[track_caller]
    pub fn has_resource(&self, type_name: &str, resource: impl Into<Match>) {
        let all: Vec<_> = self.of_type(type_name).collect();
        require(&format!("no {type_name} matches"), &all, &resource.into());
    }

    /// The properties of a resource of the type match. Of plain JSON every object may have more keys than are named;
    /// lists must have as many items.
    ///
    /// # Panics
    /// When none does; the message shows the nearest.
    #[track_caller]
    pub fn has_resource_properties(&self, type_name: &str, properties: impl Into<Match>) {
        const EMPTY: &Json = &Json::Null;
        let all: Vec<_> = self
            .of_type(type_name)
            .map(|(id, resource)| (id, resource.get("Properties").unwrap_or(EMPTY)))
            .collect();
        require(
            &format!("no {type_name} has properties that match"),
            &all,
            &properties.into(),
        );
    }

    /// All resources of the type match.
    ///
    /// # Panics
    /// When there is none, or at the first that does not.
    #[track_caller]
    pub fn all_resources(&self, type_name: &str, resource: impl Into<Match>) {
        let pattern = resource.into();
        let all: Vec<_> = self.of_type(type_name).collect();
        if all.is_empty() {
            panic_with(&format!("there is no {type_name}"));
        }
        for one in all {
            require(&format!("a {type_name} does not match"), &[one], &pattern);
        }
    }

    /// The resources of a type that match, by logical id.
    pub fn find_resources(&self, type_name: &str, resource: impl Into<Match>) -> Map<String, Json> {
        let pattern = resource.into();
        self.of_type(type_name)
            .filter(|(_, body)| pattern.accepts(body))
            .map(|(id, body)| (id.clone(), body.clone()))
            .collect()
    }

    /// An output of this logical id, or any for `*`, matches.
    ///
    /// # Panics
    /// When none does; the message shows the nearest.
    #[track_caller]
    pub fn has_output(&self, logical_id: &str, output: impl Into<Match>) {
        self.has_entry("Outputs", "output", logical_id, &output.into());
    }

    /// As [`Template::has_output`], for parameters.
    ///
    /// # Panics
    /// When none matches.
    #[track_caller]
    pub fn has_parameter(&self, logical_id: &str, parameter: impl Into<Match>) {
        self.has_entry("Parameters", "parameter", logical_id, &parameter.into());
    }

    /// As [`Template::has_output`], for conditions.
    ///
    /// # Panics
    /// When none matches.
    #[track_caller]
    pub fn has_condition(&self, logical_id: &str, condition: impl Into<Match>) {
        self.has_entry("Conditions", "condition", logical_id, &condition.into());
    }

    /// As [`Template::has_output`], for mappings.
    ///
    /// # Panics
    /// When none matches.
    #[track_caller]
    pub fn has_mapping(&self, logical_id: &str, mapping: impl Into<Match>) {
        self.has_entry("Mappings", "mapping", logical_id, &mapping.into());
    }

    #[track_caller]
    fn has_entry(&self, section: &str, kind: &str, logical_id: &str, pattern: &Match) {
        let all: Vec<_> = self
            .section(section)
            .filter(|(id, _)| logical_id == "*" || *id == logical_id)
            .collect();
        if all.is_empty() {
            let ids: Vec<&String> = self.section(section).map(|(id, _)| id).collect();
            panic_with(&format!(
                "there is no {kind} `{logical_id}`{}",
                report::list("; there are ", &ids)
            ));
        }
        require(&format!("no {kind} `{logical_id}` matches"), &all, pattern);
    }

    fn section(&self, name: &str) -> impl Iterator<Item = (&String, &Json)> {
        self.0.get(name).and_then(Json::as_object).into_iter().flatten()
    }

    fn of_type(&self, type_name: &str) -> impl Iterator<Item = (&String, &Json)> {
        self.section("Resources")
            .filter(move |(_, resource)| resource.get("Type").is_some_and(|name| name == type_name))
    }
}

/// One of the candidates matches, or the test ends with the nearest.
#[track_caller]
fn require(problem: &str, candidates: &[(&String, &Json)], pattern: &Match) {
    let mut nearest: Option<(&String, &Json, Vec<Mismatch>)> = None;
    for (id, body) in candidates {
        let attempt = Attempt::of(pattern, body);
        if attempt.mismatches.is_empty() {
            attempt.keep_captures();
            return;
        }
        if nearest
            .as_ref()
            .is_none_or(|(_, _, fewest)| attempt.mismatches.len() < fewest.len())
        {
            nearest = Some((*id, *body, attempt.mismatches));
        }
    }
    match nearest {
        Some((id, body, mismatches)) => panic_with(&format!(
            "{problem}; the nearest of {} is `{id}`, with {} difference(s):\n{}",
            candidates.len(),
            mismatches.len(),
            report::marked(body, &mismatches)
        )),
        None => panic_with(&format!("{problem}: there is none at all")),
    }
}

/// Tests end this way; nothing else calls this module.
#[track_caller]
#[expect(clippy::panic, reason = "an assertion that is not met ends its test")]
fn panic_with(message: &impl std::fmt::Display) -> ! {
    panic!("{message}")
}

#[cfg(test)]
mod tests;

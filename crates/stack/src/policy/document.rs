//! Policy documents of IAM, read for rules: what is not a literal is left out, so that it cannot become a finding.

use serde_json::Value as Json;

use super::subject::Setting;

/// A policy document.
#[derive(Clone, Copy, Debug)]
pub struct Document<'a>(Setting<'a>);

/// One statement of a document.
#[derive(Clone, Copy, Debug)]
pub struct Statement<'a>(Setting<'a>);

impl<'a> Document<'a> {
    pub const fn new(document: Setting<'a>) -> Self {
        Self(document)
    }

    /// The statements that allow something.
    pub fn allowing(self) -> impl Iterator<Item = Statement<'a>> {
        one_or_many(self.0.at("Statement"))
            .map(Statement)
            .filter(|statement| statement.0.at("Effect").text() == Some("Allow"))
    }
}

impl<'a> Statement<'a> {
    /// The actions that are literal.
    pub fn actions(self) -> Vec<&'a str> {
        texts(self.0.at("Action"))
    }

    /// `NotAction`: all but these are meant.
    pub fn excludes_actions(self) -> bool {
        !self.0.at("NotAction").is_absent()
    }

    pub fn is_on_everything(self) -> bool {
        texts(self.0.at("Resource")).contains(&"*")
    }

    /// Whether the principal is everybody: `*`, or `{"AWS": "*"}`.
    pub fn is_for_anyone(self) -> bool {
        let principal = self.0.at("Principal");
        let is_star = |setting: Setting<'_>| texts(setting).contains(&"*");
        is_star(principal) || is_star(principal.at("AWS"))
    }

    /// A condition may narrow it down.
    pub fn is_conditional(self) -> bool {
        !self.0.at("Condition").is_absent()
    }
}

fn one_or_many<'a>(setting: Setting<'a>) -> Box<dyn Iterator<Item = Setting<'a>> + 'a> {
    match setting {
        Setting::Known(Json::Array(_)) => Box::new(setting.items()),
        Setting::Absent => Box::new(std::iter::empty()),
        one => Box::new(std::iter::once(one)),
    }
}

fn texts(setting: Setting<'_>) -> Vec<&str> {
    one_or_many(setting).filter_map(Setting::text).collect()
}

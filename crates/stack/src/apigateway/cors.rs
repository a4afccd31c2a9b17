//! Answers to browsers that ask whether a page of another site may call the API.

use std::time::Duration;

use super::integration::MockIntegration;
use super::method::{AuthorizationType, MethodOptions};
use crate::tree::Construct;
use crate::units::whole_seconds;

const DEFAULT_HEADERS: &str = "Content-Type,X-Amz-Date,Authorization,X-Api-Key,X-Amz-Security-Token,X-Amz-User-Agent";
const ALL_METHODS: &str = "OPTIONS,GET,PUT,POST,DELETE,PATCH,HEAD";
const DEFAULT_STATUS: u16 = 204;

/// Who may call from a browser, and how.
#[derive(Clone, Debug)]
pub struct CorsOptions {
    allow_origins: Vec<String>,
    allow_methods: Option<Vec<String>>,
    allow_headers: Option<Vec<String>>,
    expose_headers: Vec<String>,
    allow_credentials: bool,
    max_age: Option<Duration>,
    disable_cache: bool,
    status: u16,
}

impl CorsOptions {
    /// Pages of these sites may call; `*` alone for all.
    pub fn new(allow_origins: impl IntoIterator<Item = impl Into<String>>) -> Self {
        Self {
            allow_origins: allow_origins.into_iter().map(Into::into).collect(),
            allow_methods: None,
            allow_headers: None,
            expose_headers: Vec::new(),
            allow_credentials: false,
            max_age: None,
            disable_cache: false,
            status: DEFAULT_STATUS,
        }
    }

    /// All if nothing is said.
    #[must_use]
    pub fn allow_methods(mut self, methods: impl IntoIterator<Item = impl Into<String>>) -> Self {
        self.allow_methods = Some(methods.into_iter().map(Into::into).collect());
        self
    }

    #[must_use]
    pub fn allow_headers(mut self, headers: impl IntoIterator<Item = impl Into<String>>) -> Self {
        self.allow_headers = Some(headers.into_iter().map(Into::into).collect());
        self
    }

    /// Headers of the answer that pages may read.
    #[must_use]
    pub fn expose_headers(mut self, headers: impl IntoIterator<Item = impl Into<String>>) -> Self {
        self.expose_headers = headers.into_iter().map(Into::into).collect();
        self
    }

    #[must_use]
    pub fn allow_credentials(mut self, on: bool) -> Self {
        self.allow_credentials = on;
        self
    }

    /// How long a browser may remember the answer.
    #[must_use]
    pub fn max_age(mut self, age: Duration) -> Self {
        self.max_age = Some(age);
        self
    }

    /// A browser asks each time.
    #[must_use]
    pub fn disable_cache(mut self) -> Self {
        self.disable_cache = true;
        self
    }

    /// 204 if nothing is said.
    #[must_use]
    pub fn status(mut self, status: u16) -> Self {
        self.status = status;
        self
    }

    pub(super) fn check(&self, construct: &Construct) {
        if self.allow_origins.is_empty() {
            construct.report("some site must be allowed to call; `*` stands for all");
        }
        if self.allow_origins.len() > 1 && self.allow_origins.iter().any(|origin| origin == "*") {
            construct.report("`*` allows all sites already; name it alone");
        }
        if self.max_age.is_some() && self.disable_cache {
            construct.report("an answer is remembered for a time, or not at all");
        }
    }

    /// Header and value, quoted as a mapping wants texts.
    fn headers(&self) -> Vec<(&'static str, String)> {
        let quoted = |text: &str| format!("'{text}'");
        let first = self.allow_origins.first().map_or("", String::as_str);
        let allowed = self
            .allow_headers
            .as_ref()
            .map_or_else(|| DEFAULT_HEADERS.to_owned(), |headers| headers.join(","));
        let mut headers = vec![
            ("Access-Control-Allow-Headers", quoted(&allowed)),
            ("Access-Control-Allow-Origin", quoted(first)),
        ];
        if first != "*" {
            headers.push(("Vary", quoted("Origin")));
        }
        let methods = match &self.allow_methods {
            Some(methods) if !methods.iter().any(|method| method == "ANY") => methods.join(","),
            _ => ALL_METHODS.to_owned(),
        };
        headers.push(("Access-Control-Allow-Methods", quoted(&methods)));
        if self.allow_credentials {
            headers.push(("Access-Control-Allow-Credentials", quoted("true")));
        }
        let age = if self.disable_cache {
            Some(-1)
        } else {
            self.max_age.map(whole_seconds)
        };
        if let Some(age) = age.filter(|age| *age != 0) {
            headers.push(("Access-Control-Max-Age", quoted(&age.to_string())));
        }
        if !self.expose_headers.is_empty() {
            headers.push(("Access-Control-Expose-Headers", quoted(&self.expose_headers.join(","))));
        }
        headers
    }

    pub(super) fn integration(&self) -> MockIntegration {
        let headers = self.headers().into_iter().map(|(name, value)| (name.to_owned(), value));
        MockIntegration::new()
            .request_template("application/json", "{ statusCode: 200 }")
            .full_response(self.status, headers, self.template())
    }

    pub(super) fn method_options(&self) -> MethodOptions {
        MethodOptions::new()
            .authorization_type(AuthorizationType::None)
            .api_key_required(false)
            .response(self.status, self.headers().into_iter().map(|(name, _)| name))
    }

    /// With several sites, the answer names the one that asked.
    fn template(&self) -> Option<(String, String)> {
        let others = self.allow_origins.get(1..).filter(|others| !others.is_empty())?;
        let condition: Vec<String> = others.iter().map(|origin| format!("$origin == \"{origin}\"")).collect();
        let lines = [
            "#set($origin = $input.params().header.get(\"Origin\"))",
            "#if($origin == \"\")",
            "  #set($origin = $input.params().header.get(\"origin\"))",
            "#end",
            &format!("#if({})", condition.join(" || ")),
            "  #set($context.responseOverride.header.Access-Control-Allow-Origin = $origin)",
            "#end",
        ];
        Some(("application/json".into(), lines.join("\n")))
    }
}

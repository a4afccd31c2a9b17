//! What becomes of a request's headers, query and path on the way to an integration.

use cfn::{Expr, IntoValue, Map};

/// A value of the request, of its context or of the stage, or a text.
#[derive(Clone, Debug, PartialEq)]
pub struct MappingValue(Expr);

impl MappingValue {
    pub fn request_header(name: &str) -> Self {
        Self::text(format!("$request.header.{name}"))
    }

    pub fn request_query_string(name: &str) -> Self {
        Self::text(format!("$request.querystring.{name}"))
    }

    /// A field of a body that is JSON.
    pub fn request_body(name: &str) -> Self {
        Self::text(format!("$request.body.{name}"))
    }

    /// The whole path.
    pub fn request_path() -> Self {
        Self::text("$request.path".to_owned())
    }

    /// A part of the path that the route names: `{name}`.
    pub fn request_path_parameter(name: &str) -> Self {
        Self::text(format!("$request.path.{name}"))
    }

    /// `requestId`, `identity.sourceIp`, …
    pub fn context_variable(name: &str) -> Self {
        Self::text(format!("$context.{name}"))
    }

    pub fn stage_variable(name: &str) -> Self {
        Self::text(format!("$stageVariables.{name}"))
    }

    /// This text, in which `${request.header.name}` and the like are filled in.
    pub fn custom(value: impl IntoValue<String>) -> Self {
        Self(value.into_value().into_expr())
    }

    fn text(text: String) -> Self {
        Self(Expr::text(text))
    }
}

/// Changes of a request, or the arguments of a service's action.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct ParameterMapping(Map);

impl ParameterMapping {
    pub fn new() -> Self {
        Self::default()
    }

    fn set(mut self, key: String, MappingValue(value): MappingValue) -> Self {
        self.0.insert(key, value);
        self
    }

    #[must_use]
    pub fn append_header(self, name: &str, value: MappingValue) -> Self {
        self.set(format!("append:header.{name}"), value)
    }

    #[must_use]
    pub fn overwrite_header(self, name: &str, value: MappingValue) -> Self {
        self.set(format!("overwrite:header.{name}"), value)
    }

    #[must_use]
    pub fn remove_header(self, name: &str) -> Self {
        self.set(format!("remove:header.{name}"), MappingValue::custom(""))
    }

    #[must_use]
    pub fn append_query_string(self, name: &str, value: MappingValue) -> Self {
        self.set(format!("append:querystring.{name}"), value)
    }

    #[must_use]
    pub fn overwrite_query_string(self, name: &str, value: MappingValue) -> Self {
        self.set(format!("overwrite:querystring.{name}"), value)
    }

    #[must_use]
    pub fn remove_query_string(self, name: &str) -> Self {
        self.set(format!("remove:querystring.{name}"), MappingValue::custom(""))
    }

    #[must_use]
    pub fn overwrite_path(self, value: MappingValue) -> Self {
        self.set("overwrite:path".to_owned(), value)
    }

    /// An argument of a service's action: `MessageBody` from `$request.body.message`.
    #[must_use]
    pub fn custom(self, key: impl Into<String>, value: impl IntoValue<String>) -> Self {
        self.set(key.into(), MappingValue::custom(value))
    }

    pub(super) fn has(&self, key: &str) -> bool {
        self.0.get(key).is_some()
    }

    pub(super) fn render(self) -> Expr {
        self.0.into()
    }
}

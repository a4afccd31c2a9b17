//! Parameters of the parameter store, written and read.

use cfn::{Expr, IntoValue, Value};

use crate::element::{CfnParameter, CfnResource};
use crate::site::Site;
use crate::stack::Stack;
use crate::tree::{Construct, Scope};

#[derive(Clone)]
pub struct StringParameter {
    construct: Construct,
    resource: CfnResource<cfn::ssm::Parameter>,
}

impl Scope for StringParameter {
    fn construct(&self) -> &Construct {
        &self.construct
    }
}

#[must_use = "nothing is made until `build`"]
pub struct StringParameterBuilder {
    site: Site,
    value: Value<String>,
    properties: cfn::ssm::Parameter,
}

impl StringParameterBuilder {
    pub fn parameter_name(mut self, name: impl IntoValue<String>) -> Self {
        self.properties = self.properties.name(name);
        self
    }

    pub fn description(mut self, description: impl IntoValue<String>) -> Self {
        self.properties = self.properties.description(description);
        self
    }

    pub fn allowed_pattern(mut self, pattern: impl IntoValue<String>) -> Self {
        self.properties = self.properties.allowed_pattern(pattern);
        self
    }

    /// `Standard`, `Advanced` or `Intelligent-Tiering`.
    pub fn tier(mut self, tier: impl IntoValue<String>) -> Self {
        self.properties = self.properties.tier(tier);
        self
    }

    pub fn build(self) -> StringParameter {
        let construct = self.site.make("ssm.StringParameter");
        let resource = CfnResource::new(
            &construct,
            "Resource",
            self.properties.type_("String").value(self.value),
        );
        StringParameter { construct, resource }
    }
}

impl StringParameter {
    #[track_caller]
    #[expect(
        clippy::new_ret_no_self,
        reason = "every construct begins with `new` and ends with `build`"
    )]
    pub fn new(scope: &impl Scope, id: impl Into<String>, value: impl IntoValue<String>) -> StringParameterBuilder {
        StringParameterBuilder {
            site: Site::new(scope, id),
            value: value.into_value(),
            properties: cfn::ssm::Parameter::new(),
        }
    }

    pub fn parameter_name(&self) -> Value<String> {
        self.resource.reference().cast()
    }

    pub fn string_value(&self) -> Value<String> {
        self.resource.value()
    }

    pub fn resource(&self) -> &CfnResource<cfn::ssm::Parameter> {
        &self.resource
    }

    /// The value of a parameter that exists already, read when the stack is deployed.
    #[track_caller]
    pub fn value_for(scope: &impl Scope, name: &str) -> Value<String> {
        let stack = Stack::of(scope);
        // One parameter of the template for each name, however often it is asked for.
        let id = format!("SsmParameterValue:{name}:C96584B6-F00A-464E-AD19-53AFF4B05118.Parameter");
        let parameter = cfn::Parameter {
            type_name: "AWS::SSM::Parameter::Value<String>".into(),
            default: Some(Expr::text(name.to_owned())),
            ..cfn::Parameter::default()
        };
        match stack.construct().find_child(&id.replace('/', "--")) {
            Some(known) => Value::from_expr(Expr::reference(known.node().element())),
            None => CfnParameter::new(&stack, id, parameter).value(),
        }
    }
}

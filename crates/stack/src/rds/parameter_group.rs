//! Parameters of an engine.

use std::cell::RefCell;
use std::rc::Rc;

use cfn::{Builder, IntoValue, Map, Value, id};

use super::engine::ParameterFamily;
use crate::element::{CfnResource, RemovalPolicy};
use crate::site::Site;
use crate::tree::{Construct, Scope};

/// Settings of an engine, for instances or clusters or both: what is made of it follows from what uses it, and while
/// nothing does, nothing is made.
#[derive(Clone)]
pub struct ParameterGroup(Kind);

#[derive(Clone)]
enum Kind {
    Made(Rc<Made>),
    Named(Value<String>),
}

struct Made {
    construct: Construct,
    family: String,
    name: Option<Value<String>>,
    description: Option<String>,
    removal_policy: Option<RemovalPolicy>,
    state: RefCell<State>,
}

#[derive(Default)]
struct State {
    parameters: Map,
    of_instances: Option<CfnResource<cfn::rds::DBParameterGroup>>,
    of_clusters: Option<CfnResource<cfn::rds::DBClusterParameterGroup>>,
}

impl State {
    fn some_parameters(&self) -> Option<Map> {
        (!self.parameters.is_empty()).then(|| self.parameters.clone())
    }
}

#[must_use = "nothing is made until `build`"]
pub struct ParameterGroupBuilder {
    site: Site,
    family: String,
    name: Option<Value<String>>,
    description: Option<String>,
    removal_policy: Option<RemovalPolicy>,
    parameters: Map,
}

impl ParameterGroupBuilder {
    /// `.parameter("rds.force_ssl", "1")`
    pub fn parameter(mut self, name: impl Into<String>, value: impl IntoValue<String>) -> Self {
        self.parameters.insert(name.into(), value.into_value());
        self
    }

    pub fn parameters(mut self, parameters: impl IntoIterator<Item = (String, String)>) -> Self {
        self.parameters.extend(parameters);
        self
    }

    pub fn parameter_group_name(mut self, name: impl IntoValue<String>) -> Self {
        self.name = Some(name.into_value());
        self
    }

    pub fn description(mut self, description: impl Into<String>) -> Self {
        self.description = Some(description.into());
        self
    }

    pub fn removal_policy(mut self, policy: RemovalPolicy) -> Self {
        self.removal_policy = Some(policy);
        self
    }

    pub fn build(self) -> ParameterGroup {
        let made = Made {
            construct: self.site.make("rds.ParameterGroup"),
            family: self.family,
            name: self.name,
            description: self.description,
            removal_policy: self.removal_policy,
            state: RefCell::new(State {
                parameters: self.parameters,
                ..State::default()
            }),
        };
        ParameterGroup(Kind::Made(Rc::new(made)))
    }
}

impl ParameterGroup {
    #[track_caller]
    #[expect(
        clippy::new_ret_no_self,
        reason = "every construct begins with `new` and ends with `build`"
    )]
    pub fn new(scope: &impl Scope, id: impl Into<String>, engine: &impl ParameterFamily) -> ParameterGroupBuilder {
        Self::at(Site::new(scope, id), engine)
    }

    pub(super) fn at(site: Site, engine: &impl ParameterFamily) -> ParameterGroupBuilder {
        ParameterGroupBuilder {
            site,
            family: engine.parameter_group_family(),
            name: None,
            description: None,
            removal_policy: None,
            parameters: Map::new(),
        }
    }

    /// A group that exists already: `default.postgres16`.
    pub fn named(name: impl IntoValue<String>) -> Self {
        Self(Kind::Named(name.into_value()))
    }

    /// Sets a parameter, also after something began to use the group. A group that exists already is not changed.
    pub fn add_parameter(&self, name: impl Into<String>, value: impl IntoValue<String>) {
        let Kind::Made(made) = &self.0 else { return };
        let mut state = made.state.borrow_mut();
        state.parameters.insert(name.into(), value.into_value());
        let parameters = || state.some_parameters().map(Into::into);
        if let Some(group) = &state.of_instances {
            group.set("Parameters", parameters());
        }
        if let Some(group) = &state.of_clusters {
            group.set("Parameters", parameters());
        }
    }

    /// The group as instances use it; made when this is first asked.
    pub fn for_instances(&self) -> Value<id::rds::DBParameterGroupName> {
        match &self.0 {
            Kind::Named(name) => name.clone().cast(),
            Kind::Made(made) => made.for_instances().reference(),
        }
    }

    /// The group as clusters use it; made when this is first asked.
    pub fn for_clusters(&self) -> Value<id::rds::DBClusterParameterGroupName> {
        match &self.0 {
            Kind::Named(name) => name.clone().cast(),
            Kind::Made(made) => made.for_clusters().reference(),
        }
    }
}

impl Made {
    fn for_instances(&self) -> CfnResource<cfn::rds::DBParameterGroup> {
        let mut state = self.state.borrow_mut();
        if let Some(group) = &state.of_instances {
            return group.clone();
        }
        let id = if state.of_clusters.is_none() {
            "Resource"
        } else {
            "InstanceParameterGroup"
        };
        let mut group = cfn::rds::DBParameterGroup::new()
            .description(self.describe("Parameter group"))
            .family(&self.family)
            .when_some(state.some_parameters(), |group, parameters| {
                group.parameters(parameters)
            });
        if let Some(name) = &self.name {
            group = group.db_parameter_group_name(name);
        }
        let group = CfnResource::new(&self.construct, id, group);
        if let Some(policy) = self.removal_policy {
            group.apply_removal_policy(policy);
        }
        state.of_instances = Some(group.clone());
        group
    }

    fn for_clusters(&self) -> CfnResource<cfn::rds::DBClusterParameterGroup> {
        let mut state = self.state.borrow_mut();
        if let Some(group) = &state.of_clusters {
            return group.clone();
        }
        let id = if state.of_instances.is_none() {
            "Resource"
        } else {
            "ClusterParameterGroup"
        };
        let mut group = cfn::rds::DBClusterParameterGroup::new()
            .description(self.describe("Cluster parameter group"))
            .family(&self.family)
            .parameters(state.parameters.clone());
        if let Some(name) = &self.name {
            group = group.db_cluster_parameter_group_name(name);
        }
        let group = CfnResource::new(&self.construct, id, group);
        if let Some(policy) = self.removal_policy {
            group.apply_removal_policy(policy);
        }
        state.of_clusters = Some(group.clone());
        group
    }

    fn describe(&self, what: &str) -> String {
        let description = self.description.clone();
        description.unwrap_or_else(|| format!("{what} for {}", self.family))
    }
}

//! Buses of events of one's own, and archives of what went over them.

use std::time::Duration;

use cfn::{IntoValue, Json, Value, id};

use super::EventPattern;
use crate::element::{CfnResource, RemovalPolicy};
use crate::iam::{Grant, Grantee, PolicyStatement};
use crate::site::Site;
use crate::sqs::Queue;
use crate::stack::{Arn, Stack};
use crate::tree::{Construct, Scope};
use crate::units::whole_days;

/// Where events are put and rules listen.
#[derive(Clone)]
pub struct EventBus {
    construct: Construct,
    name: Value<String>,
    arn: Value<String>,
    resource: Option<CfnResource<cfn::events::EventBus>>,
}

impl Scope for EventBus {
    fn construct(&self) -> &Construct {
        &self.construct
    }
}

#[must_use = "nothing is made until `build`"]
pub struct EventBusBuilder {
    site: Site,
    name: Option<Value<String>>,
    properties: cfn::events::EventBus,
}

impl EventBusBuilder {
    /// Without one it is made of the construct's path.
    pub fn event_bus_name(mut self, name: impl IntoValue<String>) -> Self {
        self.name = Some(name.into_value());
        self
    }

    pub fn description(mut self, description: impl IntoValue<String>) -> Self {
        self.properties = self.properties.description(description);
        self
    }

    /// Takes what a target of the bus could not be given.
    pub fn dead_letter_queue(mut self, queue: &Queue) -> Self {
        let config = cfn::events::event_bus::DeadLetterConfig::new().arn(queue.queue_arn().cast::<String>());
        self.properties = self.properties.dead_letter_config(config);
        self
    }

    /// Encrypts events with a key of the account's own.
    pub fn encryption_key(mut self, key: impl IntoValue<String>) -> Self {
        self.properties = self.properties.kms_key_identifier(key);
        self
    }

    /// Sets what is not offered here on the resource itself.
    pub fn with(mut self, change: impl FnOnce(cfn::events::EventBus) -> cfn::events::EventBus) -> Self {
        self.properties = change(self.properties);
        self
    }

    pub fn build(self) -> EventBus {
        let construct = self.site.make("events.EventBus");
        let name = self
            .name
            .unwrap_or_else(|| Value::from_expr(construct.unique_id().into()));
        let resource = CfnResource::new(&construct, "Resource", self.properties.name(name));
        EventBus {
            construct,
            name: resource.reference().cast(),
            arn: resource.arn().cast(),
            resource: Some(resource),
        }
    }
}

impl EventBus {
    #[track_caller]
    #[expect(
        clippy::new_ret_no_self,
        reason = "every construct begins with `new` and ends with `build`"
    )]
    pub fn new(scope: &impl Scope, id: impl Into<String>) -> EventBusBuilder {
        EventBusBuilder {
            site: Site::new(scope, id),
            name: None,
            properties: cfn::events::EventBus::new(),
        }
    }

    /// A bus of this account and region that exists already; `default` is there always.
    #[track_caller]
    pub fn from_name(scope: &impl Scope, id: impl Into<String>, name: impl IntoValue<String>) -> Self {
        let construct = Site::new(scope, id).make("events.EventBus");
        let name = name.into_value();
        let arn = Arn::new("events", "event-bus").name(name.clone());
        Self {
            arn: Stack::of(&construct).format_arn(arn).cast(),
            construct,
            name,
            resource: None,
        }
    }

    pub fn event_bus_name(&self) -> Value<String> {
        self.name.clone()
    }

    pub fn event_bus_arn(&self) -> Value<String> {
        self.arn.clone()
    }

    /// Of a bus that exists already there is none, which is reported.
    pub fn resource(&self) -> CfnResource<cfn::events::EventBus> {
        let known = self.resource.clone();
        known.unwrap_or_else(|| CfnResource::elsewhere(&self.construct))
    }

    /// May put events there. For another account, see [`Self::add_to_resource_policy`].
    pub fn grant_put_events(&self, grantee: impl Into<Grantee>) {
        Grant::new(["events:PutEvents"], [self.event_bus_arn()]).to(&grantee.into(), |_| {
            self.construct
                .report("a statement in the policy of a bus needs an id of its own: use `add_to_resource_policy`");
        });
    }

    /// Lets somebody else use the bus. The statement's `sid` names the resource that holds it.
    #[track_caller]
    pub fn add_to_resource_policy(&self, statement: PolicyStatement) {
        let Some(sid) = statement.sid_text().map(|sid| format!("cdk-{sid}")) else {
            self.construct
                .report("a statement in the policy of a bus needs an id: use `.sid(…)`");
            return;
        };
        let statement = statement.sid(sid.clone());
        let properties = cfn::events::EventBusPolicy::new()
            .statement_id(sid.clone())
            .statement(Value::<Json>::from_expr(statement.render_alone()))
            .event_bus_name(self.event_bus_name());
        let construct = Site::new(self, sid).make("events.EventBusPolicy");
        CfnResource::new(&construct, "Resource", properties);
    }

    /// Keeps what goes over the bus, to be replayed.
    #[track_caller]
    pub fn archive(&self, id: impl Into<String>, pattern: EventPattern) -> ArchiveBuilder {
        ArchiveBuilder {
            site: Site::new(self, id),
            source: self.event_bus_arn().cast(),
            pattern,
            // As aws-cdk-lib writes it: without a key of the account's own.
            properties: cfn::events::Archive::new().kms_key_identifier(""),
        }
    }
}

/// What a bus has seen.
#[derive(Clone)]
pub struct Archive {
    construct: Construct,
    resource: CfnResource<cfn::events::Archive>,
}

impl Scope for Archive {
    fn construct(&self) -> &Construct {
        &self.construct
    }
}

#[must_use = "nothing is made until `build`"]
pub struct ArchiveBuilder {
    site: Site,
    source: Value<id::events::EventBusArn>,
    pattern: EventPattern,
    properties: cfn::events::Archive,
}

impl ArchiveBuilder {
    pub fn archive_name(mut self, name: impl IntoValue<String>) -> Self {
        self.properties = self.properties.archive_name(name);
        self
    }

    pub fn description(mut self, description: impl IntoValue<String>) -> Self {
        self.properties = self.properties.description(description);
        self
    }

    /// Encrypts with a key of the account's own.
    pub fn encryption_key(mut self, key: impl IntoValue<String>) -> Self {
        self.properties = self.properties.kms_key_identifier(key);
        self
    }

    /// Whole days; forever if nothing is said.
    pub fn retention(mut self, retention: Duration) -> Self {
        let days = i64::try_from(whole_days(retention)).unwrap_or(i64::MAX);
        self.properties = self.properties.retention_days(days);
        self
    }

    pub fn build(self) -> Archive {
        let construct = self.site.make("events.Archive");
        let resource = CfnResource::new(
            &construct,
            "Archive",
            self.properties.source_arn(self.source).event_pattern(self.pattern.0),
        );
        Archive { construct, resource }
    }
}

impl Archive {
    pub fn archive_arn(&self) -> Value<String> {
        self.resource.arn().cast()
    }

    pub fn apply_removal_policy(&self, policy: RemovalPolicy) {
        self.resource.apply_removal_policy(policy);
    }

    pub fn resource(&self) -> &CfnResource<cfn::events::Archive> {
        &self.resource
    }
}

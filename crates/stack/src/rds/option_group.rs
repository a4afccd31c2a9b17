//! Additional features of an engine, such as Oracle's `OEM`.

use std::cell::RefCell;
use std::rc::Rc;

use cfn::rds::option_group::{OptionConfiguration, OptionSetting};
use cfn::{Expr, IntoValue, Value};

use super::engine::Engine;
use crate::ec2::{Connections, Port, SecurityGroup, Vpc};
use crate::element::CfnResource;
use crate::site::Site;
use crate::tree::{Construct, Scope};

/// A feature with its settings.
#[derive(Clone)]
pub struct DatabaseOption {
    name: String,
    settings: Vec<(String, Value<String>)>,
    version: Option<String>,
    listens: Option<(u16, Vpc, Vec<SecurityGroup>)>,
}

impl DatabaseOption {
    /// `OEM`, `MARIADB_AUDIT_PLUGIN`.
    pub fn new(name: impl Into<String>) -> Self {
        Self {
            name: name.into(),
            settings: Vec::new(),
            version: None,
            listens: None,
        }
    }

    #[must_use]
    pub fn setting(mut self, name: impl Into<String>, value: impl IntoValue<String>) -> Self {
        self.settings.push((name.into(), value.into_value()));
        self
    }

    #[must_use]
    pub fn version(mut self, version: impl Into<String>) -> Self {
        self.version = Some(version.into());
        self
    }

    /// The port that the feature listens on, behind a security group of its own.
    #[must_use]
    pub fn port(mut self, port: u16, vpc: &Vpc) -> Self {
        self.listens = Some((port, vpc.clone(), Vec::new()));
        self
    }

    /// These instead of a security group of its own. After [`DatabaseOption::port`].
    #[must_use]
    pub fn security_groups(mut self, groups: impl IntoIterator<Item = SecurityGroup>) -> Self {
        if let Some((_, _, known)) = &mut self.listens {
            known.extend(groups);
        }
        self
    }
}

/// Features together, for instances of one major version.
#[derive(Clone)]
pub struct OptionGroup(Kind);

#[derive(Clone)]
enum Kind {
    Made(Rc<Made>),
    Named(Value<String>),
}

struct Made {
    construct: Construct,
    resource: CfnResource<cfn::rds::OptionGroup>,
    name: Value<String>,
    state: RefCell<State>,
}

#[derive(Default)]
struct State {
    configurations: Vec<Expr>,
    connections: Vec<(String, Connections)>,
}

#[must_use = "nothing is made until `build`"]
pub struct OptionGroupBuilder {
    site: Site,
    engine: Engine,
    options: Vec<DatabaseOption>,
    description: Option<String>,
    name: Option<Value<String>>,
}

impl OptionGroupBuilder {
    pub fn option(mut self, option: DatabaseOption) -> Self {
        self.options.push(option);
        self
    }

    pub fn description(mut self, description: impl Into<String>) -> Self {
        self.description = Some(description.into());
        self
    }

    pub fn option_group_name(mut self, name: impl IntoValue<String>) -> Self {
        self.name = Some(name.into_value());
        self
    }

    pub fn build(self) -> OptionGroup {
        let construct = self.site.make("rds.OptionGroup");
        let engine = &self.engine.0;
        let major = engine.major_version();
        let usual = || format!("Option group for {} {major}", engine.name);
        let mut properties = cfn::rds::OptionGroup::new()
            .engine_name(engine.name)
            .option_group_description(self.description.unwrap_or_else(usual))
            .major_engine_version(&major)
            .option_configurations(Vec::<OptionConfiguration<cfn::Set>>::new());
        if let Some(name) = &self.name {
            properties = properties.option_group_name(name);
        }
        let resource = CfnResource::new(&construct, "Resource", properties);
        let name = self.name.unwrap_or_else(|| resource.reference().cast());
        let group = OptionGroup(Kind::Made(Rc::new(Made {
            construct,
            resource,
            name,
            state: RefCell::default(),
        })));
        for option in self.options {
            group.add_option(option);
        }
        group
    }
}

impl OptionGroup {
    #[track_caller]
    #[expect(
        clippy::new_ret_no_self,
        reason = "every construct begins with `new` and ends with `build`"
    )]
    pub fn new(scope: &impl Scope, id: impl Into<String>, engine: &Engine) -> OptionGroupBuilder {
        OptionGroupBuilder {
            site: Site::new(scope, id),
            engine: engine.clone(),
            options: Vec::new(),
            description: None,
            name: None,
        }
    }

    /// A group that exists already.
    pub fn named(name: impl IntoValue<String>) -> Self {
        Self(Kind::Named(name.into_value()))
    }

    pub fn option_group_name(&self) -> Value<String> {
        match &self.0 {
            Kind::Made(made) => made.name.clone(),
            Kind::Named(name) => name.clone(),
        }
    }

    /// Adds a feature. A group that exists already is not changed.
    pub fn add_option(&self, option: DatabaseOption) {
        let Kind::Made(made) = &self.0 else { return };
        let mut configuration = OptionConfiguration::new().option_name(&option.name);
        if !option.settings.is_empty() {
            let setting = |(name, value): &(String, Value<String>)| OptionSetting::new().name(name).value(value);
            let settings: Vec<_> = option.settings.iter().map(setting).collect();
            configuration = configuration.option_settings(settings);
        }
        if let Some(version) = &option.version {
            configuration = configuration.option_version(version);
        }
        let mut state = made.state.borrow_mut();
        if let Some((port, vpc, groups)) = option.listens {
            let groups = if groups.is_empty() {
                let group = SecurityGroup::new(&made.construct, format!("SecurityGroup{}", option.name), &vpc)
                    .description(format!("Security group for {} option", option.name));
                vec![group.build()]
            } else {
                groups
            };
            configuration = configuration
                .port(port)
                .vpc_security_group_memberships(SecurityGroup::ids(&groups));
            let connections = Connections::new(groups).with_default_port(Port::tcp(port));
            state.connections.push((option.name, connections));
        }
        let configuration: Value<OptionConfiguration> = configuration.into_value();
        state.configurations.push(configuration.into_expr());
        let list = Expr::List(state.configurations.clone());
        made.resource.set("OptionConfigurations", Some(list));
    }

    /// The network side of a feature that listens.
    pub fn connections(&self, option: &str) -> Option<Connections> {
        let Kind::Made(made) = &self.0 else { return None };
        let state = made.state.borrow();
        let found = state.connections.iter().find(|(name, _)| name == option);
        found.map(|(_, connections)| connections.clone())
    }
}

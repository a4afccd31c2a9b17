//! From tree to templates: names, references across stacks, dependencies, tags.
//!
//! One [`Synthesis`] serves one stage. References are resolved while elements are rendered; an export that a consumer
//! needs is noted and added to its producer at the end.

use std::cell::RefCell;
use std::collections::{HashMap, HashSet};

use cfn::{ElementId, Expr, Intrinsic, Map, Name, Output, Reference, Resolver, Resource, Target, Template};
use indexmap::IndexMap;
use serde_json::Value as Json;

use crate::collation;
use crate::dependency::Dependencies;
use crate::error::Error;
use crate::logical_id;
use crate::stack::{OWN_ACCOUNT, StackNode};
use crate::tags;
use crate::tree::{Element, Kind, LogicalId, NodeId, Tree};

/// Joins the items of a list that is exported as one text.
const LIST_DELIMITER: &str = "||";
const MAX_EXPORT_NAME: usize = 255;
const BOOTSTRAP_PARAMETER: &str = "BootstrapVersion";
const BOOTSTRAP_RULE: &str = "CheckBootstrapVersion";
/// Attributes that are lists of texts, of types that are often referred to across stacks: CloudFormation exports texts
/// only, so a list must be known as one.
const LIST_ATTRIBUTES: [(&str, &str); 9] = [
    ("AWS::EC2::VPC", "CidrBlockAssociations"),
    ("AWS::EC2::VPC", "Ipv6CidrBlocks"),
    ("AWS::EC2::Subnet", "Ipv6CidrBlocks"),
    ("AWS::EC2::VPCEndpoint", "DnsEntries"),
    ("AWS::EC2::VPCEndpoint", "NetworkInterfaceIds"),
    ("AWS::EC2::NetworkInterface", "SecondaryPrivateIpAddresses"),
    ("AWS::Route53::HostedZone", "NameServers"),
    ("AWS::ElasticLoadBalancingV2::LoadBalancer", "SecurityGroups"),
    ("AWS::ElasticLoadBalancingV2::TargetGroup", "LoadBalancerArns"),
];

pub(crate) struct Synthesis<'a> {
    tree: &'a Tree,
    dependencies: RefCell<Dependencies>,
    names: RefCell<HashMap<NodeId, Name>>,
    exports: RefCell<IndexMap<NodeId, IndexMap<String, Output>>>,
}

/// A stack that is rendered.
pub(crate) struct Rendered {
    pub(crate) stack: NodeId,
    pub(crate) template: Template,
    /// Stacks that must be deployed before.
    pub(crate) dependencies: Vec<NodeId>,
    /// Elements by path, for messages that lead back from a logical id to the source.
    pub(crate) elements: Vec<(NodeId, Name)>,
}

impl<'a> Synthesis<'a> {
    /// Renders all stacks of a stage.
    pub(crate) fn stage(tree: &'a Tree, stage: NodeId) -> Result<Vec<Rendered>, Vec<Error>> {
        let (dependencies, mut errors) = Dependencies::collect(tree, stage);
        let synthesis = Synthesis {
            tree,
            dependencies: RefCell::new(dependencies),
            names: RefCell::default(),
            exports: RefCell::default(),
        };
        let stacks: Vec<NodeId> = tree
            .descendants(stage, true)
            .into_iter()
            .filter(|node| tree.stack(*node).is_some())
            .collect();
        let mut rendered = Vec::new();
        for stack in &stacks {
            match synthesis.stack(*stack, &mut errors) {
                Ok(done) => rendered.push(done),
                Err(error) => errors.push(error),
            }
        }
        // Only now is it known what other stacks want of each, and who waits for whom.
        let dependencies = synthesis.dependencies.borrow();
        if let Some(cycle) = dependencies.stack_cycle() {
            let names: Vec<_> = cycle.iter().map(|stack| tree.path(*stack)).collect();
            errors.push(Error::StackCycle {
                cycle: names.join(" -> "),
                location: tree.node(cycle[0]).location,
            });
        }
        let mut exports = synthesis.exports.take();
        for done in &mut rendered {
            for (id, output) in exports.shift_remove(&done.stack).unwrap_or_default() {
                if let Some((taken, _)) = done.elements.iter().find(|(_, name)| *name == id) {
                    errors.push(synthesis.taken(id, format!("{}/Exports", tree.path(done.stack)), done.stack, *taken));
                    continue;
                }
                done.template.outputs.insert(id.into(), output);
            }
            done.dependencies = dependencies
                .of_stack
                .get(&done.stack)
                .into_iter()
                .flatten()
                .copied()
                .collect();
        }
        if errors.is_empty() { Ok(rendered) } else { Err(errors) }
    }

    fn stack(&self, stack: NodeId, errors: &mut Vec<Error>) -> Result<Rendered, Error> {
        let tree = self.tree;
        let node = self.stack_node(stack)?;
        let mut template = Template {
            description: node.description.clone().map(Name::from),
            transform: node.transforms.iter().cloned().map(Name::from).collect(),
            metadata: node.metadata.clone().resolve(&mut self.names_for(stack, stack))?,
            ..Template::default()
        };
        let mut taken: HashMap<Name, NodeId> = HashMap::new();
        let mut elements = Vec::new();
        for at in tree.descendants(stack, false) {
            let Kind::Element(element) = &tree.node(at).kind else {
                continue;
            };
            let name = self.logical_id(at)?;
            if let Some(other) = taken.insert(name.clone(), at) {
                errors.push(self.taken(name.into_owned(), tree.path(at), at, other));
                continue;
            }
            elements.push((at, name.clone()));
            let mut names = self.names_for(stack, at);
            match element {
                Element::Resource(_) => {
                    template.resources.insert(name, self.resource(at)?);
                }
                Element::Parameter(parameter) => {
                    template.parameters.insert(name, (**parameter).clone());
                }
                Element::Output(output) => {
                    let mut output = (**output).clone();
                    output.value = output.value.resolve(&mut names)?;
                    output.condition = output
                        .condition
                        .map(|condition| condition.resolve(&mut names))
                        .transpose()?;
                    if let Some(export) = output.export.take() {
                        output.export = Some(cfn::Export {
                            name: export.name.resolve(&mut names)?,
                        });
                    }
                    template.outputs.insert(name, output);
                }
                Element::Condition(expression) => {
                    template
                        .conditions
                        .insert(name, expression.clone().resolve(&mut names)?);
                }
                Element::Mapping(map) => {
                    template.mappings.insert(name, map.clone().into());
                }
            }
        }
        if node.bootstrap_rule {
            for name in [BOOTSTRAP_PARAMETER, BOOTSTRAP_RULE] {
                if let Some(other) = taken.get(name) {
                    let path = format!("{}/{name}", tree.path(stack));
                    errors.push(self.taken(name.to_owned(), path, stack, *other));
                }
            }
            add_bootstrap_rule(&mut template, node);
        }
        Ok(Rendered {
            stack,
            template,
            dependencies: Vec::new(),
            elements,
        })
    }

    /// A logical id that `other` has already.
    fn taken(&self, logical_id: String, path: String, node: NodeId, other: NodeId) -> Error {
        Error::DuplicateLogicalId {
            logical_id,
            path,
            other_path: self.tree.path(other),
            other: self.tree.node(other).location,
            location: self.tree.node(node).location,
        }
    }

    fn stack_node(&self, stack: NodeId) -> Result<&'a StackNode, Error> {
        self.tree.stack(stack).ok_or_else(|| self.outside(stack))
    }

    fn outside(&self, node: NodeId) -> Error {
        Error::OutsideOfStack {
            construct: self.tree.path(node),
            location: self.tree.node(node).location,
        }
    }

    fn stack_of(&self, node: NodeId) -> Result<NodeId, Error> {
        self.tree.stack_of(node).ok_or_else(|| self.outside(node))
    }

    /// The logical id of an element in its own stack.
    pub(crate) fn logical_id(&self, node: NodeId) -> Result<Name, Error> {
        if let Some(known) = self.names.borrow().get(&node) {
            return Ok(known.clone());
        }
        let name = match &self.tree.node(node).logical_id {
            LogicalId::Fixed(name) => name.clone(),
            LogicalId::FromPath => self.id_from_path(node)?,
            LogicalId::Computed(compute) => compute(self)?,
        };
        let valid = !name.is_empty() && name.len() <= 255 && name.chars().all(|c| c.is_ascii_alphanumeric());
        if !valid {
            return Err(Error::Invalid {
                construct: self.tree.path(node),
                message: format!("`{name}` is no logical id: letters and digits only, at least one and at most 255"),
                location: self.tree.node(node).location,
            });
        }
        let name = Name::from(name);
        self.names.borrow_mut().insert(node, name.clone());
        Ok(name)
    }

    /// The logical id that follows from the path alone.
    pub(crate) fn id_from_path(&self, node: NodeId) -> Result<String, Error> {
        let stack = self.stack_of(node)?;
        Ok(logical_id::unique_id(&self.tree.name_below(stack, node)))
    }

    fn names_for(&self, stack: NodeId, consumer: NodeId) -> Names<'_, 'a> {
        Names {
            synthesis: self,
            stack,
            consumer,
        }
    }

    /// An expression as it stands in the template of the stack of `consumer`.
    pub(crate) fn resolve(&self, consumer: NodeId, expr: Expr) -> Result<Expr, Error> {
        expr.resolve(&mut self.names_for(self.stack_of(consumer)?, consumer))
    }

    /// A resource as it stands in its template, without the overrides applied.
    pub(crate) fn resource(&self, node: NodeId) -> Result<Resource, Error> {
        let stack = self.stack_of(node)?;
        let Some(own) = self.tree.resource(node) else {
            return Err(self.outside(node));
        };
        let mut resource = own.resource.clone();
        if let Some(style) = resource.tags {
            tags::apply(self.tree, node, &resource.type_name, style, &mut resource.properties);
        }
        resource.properties.sort_keys();
        let depends_on: Vec<NodeId> = {
            let dependencies = self.dependencies.borrow();
            let mut on: Vec<_> = dependencies
                .of_resource
                .get(&node)
                .into_iter()
                .flatten()
                .copied()
                .collect();
            if on.len() > 1 {
                let mut named: Vec<_> = on
                    .into_iter()
                    .map(|node| (self.tree.name_below(NodeId::ROOT, node).join("/"), node))
                    .collect();
                named.sort_by(|(a, _), (b, _)| collation::compare(a, b));
                on = named.into_iter().map(|(_, node)| node).collect();
            }
            on
        };
        for target in depends_on {
            resource.depend_on(target.element());
        }
        resource.resolve(&mut self.names_for(stack, node))
    }

    /// An expression as the compact JSON that it has in the template of `consumer`.
    pub(crate) fn text(&self, consumer: NodeId, expr: Expr) -> Result<String, Error> {
        let resolved = self.resolve(consumer, expr)?;
        let location = self.tree.node(consumer).location;
        serde_json::to_string(&resolved).map_err(|source| Error::Render {
            stack: self.tree.path(consumer),
            location,
            source,
        })
    }

    /// An expression as compact JSON, each element by its name in its own stack. Before the app is complete: names may
    /// still change.
    pub(crate) fn early_text(tree: &Tree, expr: Expr) -> Result<String, Error> {
        let synthesis = Synthesis {
            tree,
            dependencies: RefCell::default(),
            names: RefCell::default(),
            exports: RefCell::default(),
        };
        let resolved = expr.resolve(&mut OwnNames(&synthesis))?;
        serde_json::to_string(&resolved).map_err(|source| Error::Render {
            stack: String::new(),
            location: tree.node(NodeId::ROOT).location,
            source,
        })
    }

    /// A resource as JSON, for hashes over it. Its properties are sorted, what is inside of them is not.
    pub(crate) fn json(&self, node: NodeId) -> Result<Json, Error> {
        let resource = self.resource(node)?;
        let location = self.tree.node(node).location;
        serde_json::to_value(&resource).map_err(|source| Error::Render {
            stack: self.tree.path(node),
            location,
            source,
        })
    }

    /// A reference from another stack of the stage: exported there, imported here.
    fn import(&self, names: &Names<'_, '_>, producer: NodeId, attribute: Option<&str>) -> Result<Expr, Error> {
        let tree = self.tree;
        let location = tree.node(names.consumer).location;
        let (consumer, produced) = (tree.path(names.consumer), tree.path(producer));
        if tree.stage_of(producer) != tree.stage_of(names.consumer) {
            return Err(Error::CrossStageReference {
                consumer,
                producer: produced,
                location,
            });
        }
        let producer_stack = self.stack_of(producer)?;
        let (from, to) = (self.stack_node(producer_stack)?, self.stack_node(names.stack)?);
        if from.environment() != to.environment() {
            return Err(Error::CrossEnvironmentReference {
                consumer,
                producer: produced,
                consumer_environment: to.environment(),
                producer_environment: from.environment(),
                location,
            });
        }
        self.dependencies.borrow_mut().add_stack(names.stack, producer_stack);

        let reference = local_reference(self.logical_id(producer)?, attribute);
        let render = |source| Error::Render {
            stack: produced.clone(),
            location,
            source,
        };
        let text = serde_json::to_string(&reference).map_err(render)?;
        let output_id = format!("Output{text}");
        let local = logical_id::unique_id(&["Exports", &output_id]);
        let prefix = format!("{}:", from.name);
        let room = MAX_EXPORT_NAME.saturating_sub(prefix.len());
        let export_name = format!("{prefix}{}", logical_id::last_characters(&local, room));

        let is_list = attribute.is_some_and(|attribute| {
            let type_name = tree.resource(producer).map_or("", |node| &node.resource.type_name);
            LIST_ATTRIBUTES.contains(&(type_name, attribute))
        });
        let value = if is_list {
            Expr::join_list(LIST_DELIMITER, reference)
        } else {
            reference
        };
        let output = Output {
            value,
            export: Some(cfn::Export {
                name: Expr::text(export_name.clone()),
            }),
            ..Output::default()
        };
        self.exports
            .borrow_mut()
            .entry(producer_stack)
            .or_default()
            .entry(local)
            .or_insert(output);
        let imported = Expr::from(Intrinsic::ImportValue(Expr::text(export_name)));
        Ok(if is_list {
            Intrinsic::Split {
                delimiter: LIST_DELIMITER.into(),
                source: imported,
            }
            .into()
        } else {
            imported
        })
    }
}

fn local_reference(name: Name, attribute: Option<&str>) -> Expr {
    match attribute {
        None => Expr::Ref(Target::Logical(name)),
        Some(attribute) => Intrinsic::GetAtt {
            target: Target::Logical(name),
            attribute: attribute.to_owned().into(),
        }
        .into(),
    }
}

/// Names as the stack of each element sees them.
struct OwnNames<'s, 'a>(&'s Synthesis<'a>);

impl Resolver for OwnNames<'_, '_> {
    type Error = Error;

    fn reference(&mut self, reference: Reference<'_>) -> Result<Expr, Error> {
        let name = match reference.target {
            Target::Element(element) => self.0.logical_id(NodeId::from(*element))?,
            Target::Logical(name) => name.clone(),
            other => return Ok(Expr::Ref(other.clone())),
        };
        Ok(local_reference(name, reference.attribute))
    }

    fn logical_id(&mut self, element: ElementId) -> Result<Name, Error> {
        self.0.logical_id(NodeId::from(element))
    }
}

/// Names as one stack sees them, while one of its elements is rendered.
struct Names<'s, 'a> {
    synthesis: &'s Synthesis<'a>,
    stack: NodeId,
    consumer: NodeId,
}

impl Resolver for Names<'_, '_> {
    type Error = Error;

    fn reference(&mut self, reference: Reference<'_>) -> Result<Expr, Error> {
        let Target::Element(element) = *reference.target else {
            if *reference.target == OWN_ACCOUNT {
                return Ok(self.synthesis.stack_node(self.stack)?.own_account());
            }
            return Ok(match reference.attribute {
                None => Expr::Ref(reference.target.clone()),
                Some(attribute) => {
                    let target = reference.target.clone();
                    Intrinsic::GetAtt {
                        target,
                        attribute: attribute.to_owned().into(),
                    }
                    .into()
                }
            });
        };
        let producer = NodeId::from(element);
        if self.synthesis.stack_of(producer)? == self.stack {
            return Ok(local_reference(
                self.synthesis.logical_id(producer)?,
                reference.attribute,
            ));
        }
        self.synthesis.import(self, producer, reference.attribute)
    }

    fn logical_id(&mut self, element: ElementId) -> Result<Name, Error> {
        let named = NodeId::from(element);
        if self.synthesis.stack_of(named)? != self.stack {
            let tree = self.synthesis.tree;
            return Err(Error::NameAcrossStacks {
                consumer: tree.path(self.consumer),
                producer: tree.path(named),
                location: tree.node(self.consumer).location,
            });
        }
        self.synthesis.logical_id(named)
    }
}

/// The check that the account is bootstrapped with version 6 or newer, as the CDK writes it.
fn add_bootstrap_rule(template: &mut Template, stack: &StackNode) {
    template.parameters.insert(
        BOOTSTRAP_PARAMETER.into(),
        cfn::Parameter {
            type_name: "AWS::SSM::Parameter::Value<String>".into(),
            default: Some(Expr::text(bootstrap_parameter(stack))),
            description: Some(
                "Version of the CDK Bootstrap resources in this environment, automatically retrieved from SSM Parameter \
                 Store. [cdk:skip]"
                    .into(),
            ),
            ..cfn::Parameter::default()
        },
    );
    let old_versions = Expr::list(["1", "2", "3", "4", "5"]);
    let version = Expr::reference(BOOTSTRAP_PARAMETER);
    let contains = Expr::map([("Fn::Contains", Expr::List(vec![old_versions, version]))]);
    let assertion = Expr::map([
        ("Assert", Intrinsic::Not(contains).into()),
        (
            "AssertDescription",
            Expr::text(
                "CDK bootstrap stack version 6 required. Please run 'cdk bootstrap' with a recent version of the CDK CLI.",
            ),
        ),
    ]);
    let rule: Map = [("Assertions", Expr::List(vec![assertion]))].into_iter().collect();
    template.rules.insert(BOOTSTRAP_RULE.into(), rule.into());
}

pub(crate) fn bootstrap_parameter(stack: &StackNode) -> String {
    format!("/cdk-bootstrap/{}/version", stack.qualifier)
}

/// Ids that occur twice among the stacks of an app, and where: two stacks of one name would overwrite each other.
pub(crate) fn duplicate_artifacts(tree: &Tree, stacks: &[NodeId]) -> Vec<Error> {
    let mut seen: HashSet<&str> = HashSet::new();
    let mut errors = Vec::new();
    for stack in stacks {
        let Some(node) = tree.stack(*stack) else { continue };
        if !seen.insert(&node.artifact_id) {
            errors.push(Error::Invalid {
                construct: tree.path(*stack),
                message: format!("another stack has the artifact id `{}` already", node.artifact_id),
                location: tree.node(*stack).location,
            });
        }
    }
    errors
}

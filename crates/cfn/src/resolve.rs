//! Turning references to elements into names. The owner of the tree implements [`Resolver`] and calls
//! [`Expr::resolve`] once per expression when it synthesizes; nothing else replaces references.

use crate::element::{ElementId, Name, Target};
use crate::expr::{Expr, Map};
use crate::intrinsic::Intrinsic;

/// A reference that wants an answer.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Reference<'a> {
    pub target: &'a Target,
    /// The attribute for `Fn::GetAtt`, nothing for `Ref`.
    pub attribute: Option<&'a str>,
}

/// Who knows what an element is called, and from where it is seen.
pub trait Resolver {
    type Error;

    /// What stands in the template for a reference: `Ref`, `Fn::GetAtt`, `Fn::ImportValue`, a literal. Asked for every
    /// reference, also for those that are names already. The answer is final and is not walked again.
    fn reference(&mut self, reference: Reference<'_>) -> Result<Expr, Self::Error>;

    /// The logical id of an element in the template at hand (conditions, mappings, `DependsOn`).
    fn logical_id(&mut self, element: ElementId) -> Result<Name, Self::Error>;
}

impl Expr {
    /// Replaces every reference by what the resolver says, and minimizes the joins that became simpler by it.
    ///
    /// # Errors
    /// The resolver's own, unchanged, at the first reference it cannot resolve.
    pub fn resolve<R: Resolver>(self, resolver: &mut R) -> Result<Expr, R::Error> {
        Ok(match self {
            Expr::Null | Expr::Bool(_) | Expr::Integer(_) | Expr::Float(_) | Expr::Text(_) => self,
            Expr::List(items) => Expr::List(resolve_all(items, resolver)?),
            Expr::Map(map) => Expr::Map(map.resolve(resolver)?),
            Expr::Ref(target) => resolver.reference(Reference {
                target: &target,
                attribute: None,
            })?,
            Expr::LogicalId(element) => Expr::Text(resolver.logical_id(element)?),
            Expr::Intrinsic(intrinsic) => intrinsic.resolve(resolver)?,
        })
    }

    /// Calls `visit` for every reference in the tree, in order.
    pub fn for_each_reference(&self, visit: &mut impl FnMut(Reference<'_>)) {
        match self {
            Expr::Null | Expr::Bool(_) | Expr::Integer(_) | Expr::Float(_) | Expr::Text(_) | Expr::LogicalId(_) => {}
            Expr::List(items) => items.iter().for_each(|item| item.for_each_reference(visit)),
            Expr::Map(map) => map.iter().for_each(|(_, value)| value.for_each_reference(visit)),
            Expr::Ref(target) => visit(Reference {
                target,
                attribute: None,
            }),
            Expr::Intrinsic(intrinsic) => intrinsic.for_each_reference(visit),
        }
    }
}

impl Map {
    /// As [`Expr::resolve`], for every value.
    ///
    /// # Errors
    /// The resolver's own.
    pub fn resolve<R: Resolver>(self, resolver: &mut R) -> Result<Map, R::Error> {
        let mut resolved = self;
        for (_, value) in resolved.iter_mut() {
            *value = std::mem::take(value).resolve(resolver)?;
        }
        Ok(resolved)
    }
}

impl Target {
    /// The target as a name of the template at hand.
    ///
    /// # Errors
    /// The resolver's own.
    pub fn resolve<R: Resolver>(self, resolver: &mut R) -> Result<Target, R::Error> {
        Ok(match self {
            Target::Element(element) => Target::Logical(resolver.logical_id(element)?),
            named => named,
        })
    }
}

fn resolve_all<R: Resolver>(items: Vec<Expr>, resolver: &mut R) -> Result<Vec<Expr>, R::Error> {
    items.into_iter().map(|item| item.resolve(resolver)).collect()
}

impl Intrinsic {
    fn resolve<R: Resolver>(self, resolver: &mut R) -> Result<Expr, R::Error> {
        let resolved = match self {
            Self::GetAtt { target, attribute } => {
                return resolver.reference(Reference {
                    target: &target,
                    attribute: Some(&attribute),
                });
            }
            Self::Join { delimiter, values } => return Ok(Expr::join_list(delimiter, values.resolve(resolver)?)),
            Self::Sub { template, variables } => Self::Sub {
                template,
                variables: variables.resolve(resolver)?,
            },
            Self::If {
                condition,
                then,
                otherwise,
            } => Self::If {
                condition: condition.resolve(resolver)?,
                then: then.resolve(resolver)?,
                otherwise: otherwise.resolve(resolver)?,
            },
            Self::Select { index, values } => Self::Select {
                index: index.resolve(resolver)?,
                values: values.resolve(resolver)?,
            },
            Self::Split { delimiter, source } => Self::Split {
                delimiter,
                source: source.resolve(resolver)?,
            },
            Self::FindInMap {
                map,
                top_key,
                second_key,
                default,
            } => Self::FindInMap {
                map: map.resolve(resolver)?,
                top_key: top_key.resolve(resolver)?,
                second_key: second_key.resolve(resolver)?,
                default: default.map(|default| default.resolve(resolver)).transpose()?,
            },
            Self::ImportValue(name) => Self::ImportValue(name.resolve(resolver)?),
            Self::Cidr { block, count, bits } => Self::Cidr {
                block: block.resolve(resolver)?,
                count: count.resolve(resolver)?,
                bits: bits.map(|bits| bits.resolve(resolver)).transpose()?,
            },
            Self::GetAzs(region) => Self::GetAzs(region.resolve(resolver)?),
            Self::Base64(text) => Self::Base64(text.resolve(resolver)?),
            Self::Transform { name, parameters } => Self::Transform {
                name,
                parameters: parameters.resolve(resolver)?,
            },
            Self::And(conditions) => Self::And(resolve_all(conditions, resolver)?),
            Self::Or(conditions) => Self::Or(resolve_all(conditions, resolver)?),
            Self::Not(condition) => Self::Not(condition.resolve(resolver)?),
            Self::Equals(left, right) => Self::Equals(left.resolve(resolver)?, right.resolve(resolver)?),
            Self::Condition(condition) => Self::Condition(condition.resolve(resolver)?),
            Self::ToJsonString(value) => Self::ToJsonString(value.resolve(resolver)?),
            Self::Length(list) => Self::Length(list.resolve(resolver)?),
        };
        Ok(resolved.into())
    }

    fn for_each_reference(&self, visit: &mut impl FnMut(Reference<'_>)) {
        match self {
            Self::GetAtt { target, attribute } => visit(Reference {
                target,
                attribute: Some(attribute),
            }),
            Self::Sub { variables: map, .. } | Self::Transform { parameters: map, .. } => {
                map.iter().for_each(|(_, value)| value.for_each_reference(visit));
            }
            Self::If {
                then: first,
                otherwise: second,
                ..
            }
            | Self::Select {
                index: first,
                values: second,
            }
            | Self::Equals(first, second) => {
                first.for_each_reference(visit);
                second.for_each_reference(visit);
            }
            Self::FindInMap {
                map,
                top_key,
                second_key,
                default,
            } => {
                for part in [map, top_key, second_key].into_iter().chain(default) {
                    part.for_each_reference(visit);
                }
            }
            Self::Cidr { block, count, bits } => {
                for part in [block, count].into_iter().chain(bits) {
                    part.for_each_reference(visit);
                }
            }
            Self::Join { values: inner, .. }
            | Self::Split { source: inner, .. }
            | Self::ImportValue(inner)
            | Self::GetAzs(inner)
            | Self::Base64(inner)
            | Self::Not(inner)
            | Self::ToJsonString(inner)
            | Self::Length(inner) => inner.for_each_reference(visit),
            Self::And(conditions) | Self::Or(conditions) => {
                conditions
                    .iter()
                    .for_each(|condition| condition.for_each_reference(visit));
            }
            Self::Condition(_) => {}
        }
    }
}

//! What CloudFormation takes at most, checked before it has to say so in the middle of a deploy.
//!
//! The figures are those of the user guide, "Understand CloudFormation quotas"
//! (<https://docs.aws.amazon.com/AWSCloudFormation/latest/UserGuide/cloudformation-limits.html>), of `Tags` in
//! `CreateStack` (50 tags; keys of 128 characters, values of 256), and of dynamic references (60 a template). None of
//! them can be raised by AWS on request. From four fifths of a limit on there is a warning.

use std::collections::HashMap;

use cfn::Template;
use indexmap::IndexMap;

use crate::error::Error;
use crate::tree::{NodeId, Tree};
use crate::warnings::Noted;

const RESOURCES: usize = 500;
const OUTPUTS: usize = 200;
const PARAMETERS: usize = 200;
const MAPPINGS: usize = 200;
const MAPPING_ATTRIBUTES: usize = 200;
const TAGS: usize = 50;
const TAG_KEY: usize = 128;
const TAG_VALUE: usize = 256;
const DESCRIPTION_BYTES: usize = 1024;
const DYNAMIC_REFERENCES: usize = 60;
/// Of a template in S3, which is how templates of any size are passed.
pub(crate) const TEMPLATE_BYTES: usize = 1024 * 1024;

/// How many of the largest parts a message names.
const PARTS: usize = 3;

/// A stack that is rendered, as far as limits are concerned.
pub(crate) struct Measured<'a> {
    pub(crate) tree: &'a Tree,
    pub(crate) stack: NodeId,
    pub(crate) template: &'a Template,
    pub(crate) text: &'a str,
    pub(crate) tags: &'a IndexMap<String, String>,
}

#[derive(Default)]
pub(crate) struct Verdict {
    pub(crate) errors: Vec<Error>,
    pub(crate) warnings: Vec<Noted>,
}

impl Measured<'_> {
    pub(crate) fn check(&self) -> Verdict {
        let mut verdict = Verdict::default();
        let template = self.template;
        let move_out = "move what is used by other stacks, or a part of the stack, into a stack of its own";
        self.judge(&mut verdict, "resources", template.resources.len(), RESOURCES, || {
            self.largest_parts()
        });
        self.judge(&mut verdict, "outputs", template.outputs.len(), OUTPUTS, || {
            format!("references from other stacks count too: {move_out}")
        });
        self.judge(
            &mut verdict,
            "parameters",
            template.parameters.len(),
            PARAMETERS,
            || format!("join several values in one parameter of a list type, or {move_out}"),
        );
        self.judge(&mut verdict, "mappings", template.mappings.len(), MAPPINGS, || {
            format!("join mappings, decide in the app, or {move_out}")
        });
        for (name, mapping) in &template.mappings {
            let attributes = mapping.as_map().map_or(0, cfn::Map::len);
            let what = format!("attributes in the mapping `{name}`");
            self.judge(&mut verdict, &what, attributes, MAPPING_ATTRIBUTES, || {
                "divide them among several mappings".to_owned()
            });
        }
        self.judge(
            &mut verdict,
            "bytes of template",
            self.text.len(),
            TEMPLATE_BYTES,
            || self.largest_parts(),
        );
        // `{{resolve:` begins every one of them, and nothing else.
        let dynamic = self.text.matches("{{resolve:").count();
        self.judge(&mut verdict, "dynamic references", dynamic, DYNAMIC_REFERENCES, || {
            "pass values that occur often as parameters of an SSM type".to_owned()
        });
        self.judge(&mut verdict, "tags", self.tags.len(), TAGS, || {
            "leave out some".to_owned()
        });
        for (key, value) in self.tags {
            if key.chars().count() > TAG_KEY || value.chars().count() > TAG_VALUE {
                verdict.errors.push(self.error(format!(
                    "the tag `{key}` is too long: a key has {TAG_KEY} characters at most, a value {TAG_VALUE}"
                )));
            }
        }
        let description = template.description.as_ref().map_or(0, |text| text.len());
        self.too_long(&mut verdict, "its description", description);
        for (name, output) in &template.outputs {
            let description = output.description.as_ref().map_or(0, |text| text.len());
            self.too_long(
                &mut verdict,
                &format!("the description of the output `{name}`"),
                description,
            );
        }
        verdict
    }

    fn judge(&self, verdict: &mut Verdict, what: &str, count: usize, limit: usize, advice: impl Fn() -> String) {
        if count > limit {
            verdict.errors.push(self.error(format!(
                "{count} {what}, and CloudFormation takes {limit} a stack; {}",
                advice()
            )));
        } else if count * 5 > limit * 4 {
            verdict.warnings.push(Noted {
                node: self.stack,
                message: format!(
                    "{count} {what} of the {limit} that CloudFormation takes a stack; {}",
                    advice()
                ),
            });
        }
    }

    fn too_long(&self, verdict: &mut Verdict, what: &str, bytes: usize) {
        if bytes > DESCRIPTION_BYTES {
            verdict.errors.push(self.error(format!(
                "{what} has {bytes} bytes, and CloudFormation takes {DESCRIPTION_BYTES}"
            )));
        }
    }

    fn error(&self, problem: String) -> Error {
        Error::Limit {
            stack: self.tree.path(self.stack),
            problem,
            location: self.tree.node(self.stack).location,
        }
    }

    /// Where to cut: the constructs directly in the stack that hold most of its resources.
    fn largest_parts(&self) -> String {
        let mut sizes: HashMap<NodeId, usize> = HashMap::new();
        for part in &self.tree.node(self.stack).children {
            let below = self.tree.descendants(*part, false);
            let resources = below.iter().filter(|node| self.tree.resource(**node).is_some()).count();
            sizes.insert(*part, resources);
        }
        let mut parts: Vec<_> = sizes.into_iter().filter(|(_, size)| *size > 1).collect();
        parts.sort_by_key(|(part, size)| (std::cmp::Reverse(*size), *part));
        if parts.is_empty() {
            return "divide its resources between two stacks; references between them become exports".to_owned();
        }
        let named: Vec<_> = parts
            .into_iter()
            .take(PARTS)
            .map(|(part, size)| format!("`{}` ({size} resources)", self.tree.node(part).id))
            .collect();
        format!(
            "put a part of it into a stack of its own; the largest are {}",
            named.join(", ")
        )
    }
}

//! Rust for one service: a builder per resource type and nested type, accessors for attributes, constants for enums.
//!
//! Builders write into a map and carry one type parameter per required property, which is what compiles fastest: no
//! setter costs anything until it is used.

use std::collections::{BTreeMap, BTreeSet};
use std::fmt::Write as _;
use std::path::Path;
use std::{fs, io};

use crate::identifiers;
use crate::model::{PropertySchema, PropertyType, ResourceSchema, ServiceSchema};
use crate::names;

/// Methods of a builder that a setter must not hide.
const BUILDER_METHODS: &[&str] = &[
    "new",
    "property",
    "properties_mut",
    "when_some",
    "into_resource",
    "into_value",
];
/// Methods of a handle that an attribute must not double.
const HANDLE_METHODS: &[&str] = &["new", "element", "attribute", "reference", "clone", "into_value", "eq"];

/// The text of one generated file.
pub struct Source(String);

impl Source {
    pub fn write(&self, path: &Path) -> io::Result<()> {
        fs::write(path, &self.0)
    }

    fn line(&mut self, line: impl AsRef<str>) {
        self.0.push_str(line.as_ref());
        self.0.push('\n');
    }

    fn documentation(&mut self, sentence: Option<&str>, otherwise: &str) {
        self.line(format!("/// {}", sentence.unwrap_or(otherwise)));
    }
}

/// Declares the module of a service in the root.
pub fn declare(module: &str, service: &ServiceSchema, root: &mut String) {
    let _ = writeln!(
        root,
        "/// Resource types of `{}`.\n#[allow(clippy::all, clippy::pedantic, rustdoc::all, unused_imports)]\npub mod {module} {{\n    \
         include!(concat!(env!(\"OUT_DIR\"), \"/{module}.rs\"));\n}}",
        service.namespace
    );
}

/// The states of required properties that are not set.
pub fn missing(keys: &BTreeSet<String>, root: &mut String) {
    root.push_str("/// The states of required properties that are not set yet, by key.\n");
    root.push_str("#[allow(non_camel_case_types)]\npub mod missing {\n");
    for key in keys {
        let _ = writeln!(
            root,
            "    /// `{key}` is not set.\n    #[derive(Debug)]\n    pub enum {} {{}}",
            state(key)
        );
    }
    root.push_str("}\n");
}

fn state(key: &str) -> String {
    if names::function(key, &[]) == format!("{key}_") {
        format!("{key}_")
    } else {
        key.to_owned()
    }
}

/// All types of a service. Adds the keys of required properties to `required`.
pub fn service(module: &str, service: &ServiceSchema, required: &mut BTreeSet<String>) -> Source {
    let mut source = Source(String::from(
        "// Generated from the snapshot in `schema/` by build.rs. Do not edit.\n",
    ));
    source.line("use crate::runtime as rt;");
    for (type_name, resource) in &service.resources {
        let generator = Generator::new(module, type_name, resource);
        generator.resource(&mut source, required);
        source.line(format!(
            "/// Property types and values of [`{}`].\npub mod {} {{",
            generator.name, generator.home
        ));
        source.line("use crate::runtime as rt;");
        for (name, nested) in &resource.types {
            let builder = Builder {
                name,
                properties: &nested.properties,
            };
            source.documentation(nested.documentation.as_deref(), &format!("`{name}` of `{type_name}`."));
            generator.builder(&builder, &mut source, required);
            generator.nested(&builder, &mut source);
        }
        generator.values(&mut source);
        source.line("}");
    }
    source
}

/// What a builder is made of.
struct Builder<'a> {
    name: &'a str,
    properties: &'a BTreeMap<String, PropertySchema>,
}

impl Builder<'_> {
    fn required(&self) -> impl Iterator<Item = &str> {
        self.properties
            .iter()
            .filter(|(_, property)| property.required)
            .map(|(key, _)| key.as_str())
    }

    /// `<P0, P1>`, with a bound or a replaced parameter; nothing where there are none.
    fn parameters(&self, each: impl Fn(usize, &str) -> String) -> String {
        let parameters: Vec<String> = self
            .required()
            .enumerate()
            .map(|(index, key)| each(index, key))
            .collect();
        if parameters.is_empty() {
            String::new()
        } else {
            format!("<{}>", parameters.join(", "))
        }
    }
}

struct Generator<'a> {
    type_name: &'a str,
    schema: &'a ResourceSchema,
    /// `Queue`.
    name: &'a str,
    /// The module of nested types: `queue`.
    home: String,
    /// `crate::sqs::queue`.
    path: String,
}

impl<'a> Generator<'a> {
    fn new(module: &str, type_name: &'a str, schema: &'a ResourceSchema) -> Self {
        let name = names::resource(type_name);
        let home = names::function(name, &["rt"]);
        let path = format!("crate::{module}::{home}");
        Self {
            type_name,
            schema,
            name,
            home,
            path,
        }
    }

    fn resource(&self, source: &mut Source, required: &mut BTreeSet<String>) {
        let builder = Builder {
            name: self.name,
            properties: &self.schema.properties,
        };
        source.documentation(self.schema.documentation.as_deref(), &format!("`{}`.", self.type_name));
        self.builder(&builder, source, required);
        let name = self.name;
        let reference = self
            .schema
            .ref_refers
            .as_deref()
            .map_or("rt::String".to_owned(), identifiers::path);
        let tags = self.schema.tags.as_ref().map_or("None".to_owned(), |tags| {
            let shape = match tags.shape.as_str() {
                "map" => "Map",
                "asg" => "AutoScalingList",
                _ => "List",
            };
            format!(
                "Some(rt::TagStyle {{ property: {:?}, shape: rt::TagShape::{shape} }})",
                tags.property
            )
        });
        source.line(format!(
            "impl rt::ResourceType for {name} {{ type Ref = {reference}; \
             const INFO: rt::TypeInfo = rt::TypeInfo {{ name: {:?}, tags: {tags} }}; }}",
            self.type_name
        ));
        source.line(format!(
            "impl{} rt::IntoResource for {name}{} {{ type Type = {name}; #[inline] fn into_resource(self) -> \
             rt::Resource {{ rt::Resource::of_type(<{name} as rt::ResourceType>::INFO, self.0.into_map()) }} }}",
            builder.parameters(|index, _| format!("P{index}: rt::Provided")),
            builder.parameters(|index, _| format!("P{index}")),
        ));
        self.attributes(source);
    }

    /// The struct, its constructor and its setters.
    fn builder(&self, builder: &Builder<'_>, source: &mut Source, required: &mut BTreeSet<String>) {
        let name = builder.name;
        required.extend(builder.required().map(str::to_owned));
        let declared = builder.parameters(|index, key| format!("P{index} = rt::missing::{}", state(key)));
        let plain = builder.parameters(|index, _| format!("P{index}"));
        let states: Vec<String> = builder
            .required()
            .enumerate()
            .map(|(index, _)| format!("P{index}"))
            .collect();
        let states = if states.is_empty() {
            "()".to_owned()
        } else {
            format!("({},)", states.join(", "))
        };
        source.line("#[must_use]");
        source.line(format!("pub struct {name}{declared}(rt::Properties<{states}>);"));
        let constructor =
            "/// Nothing is set yet.\n#[inline] pub const fn new() -> Self { Self(rt::Properties::new()) }";
        if !plain.is_empty() {
            source.line(format!("impl {name} {{ {constructor} }}"));
        }
        source.line(format!(
            "impl{plain} rt::Builder for {name}{plain} {{ #[inline] fn properties_mut(&mut self) -> &mut rt::Map {{ \
             self.0.map_mut() }} }}"
        ));
        source.line(format!("impl{plain} {name}{plain} {{"));
        if plain.is_empty() {
            source.line(constructor);
        }
        let mut taken = BTreeSet::new();
        let positions: BTreeMap<&str, usize> = builder.required().enumerate().map(|(at, key)| (key, at)).collect();
        for (key, property) in builder.properties {
            let setter = unique(names::function(key, BUILDER_METHODS), &mut taken);
            let kind = self.kind(property);
            source.documentation(property.documentation.as_deref(), &format!("`{key}`."));
            let returned = positions
                .get(key.as_str())
                .map_or(format!("{name}{plain}"), |position| {
                    let state = |index| {
                        if index == *position {
                            "rt::Set".to_owned()
                        } else {
                            format!("P{index}")
                        }
                    };
                    format!("{name}{}", builder.parameters(|index, _| state(index)))
                });
            source.line(format!(
                "#[inline] pub fn {setter}(self, value: impl rt::IntoValue<{kind}>) -> {returned} {{ \
                 {name}(rt::put(self.0, {key:?}, value)) }}"
            ));
        }
        source.line("}");
    }

    fn nested(&self, builder: &Builder<'_>, source: &mut Source) {
        let name = builder.name;
        source.line(format!("impl rt::Accepts<{name}> for {name} {{}}"));
        let bounds: Vec<String> = builder
            .required()
            .enumerate()
            .map(|(index, _)| format!(", P{index}: rt::Provided"))
            .collect();
        source.line(format!(
            "impl<T: rt::Accepts<{name}>{}> rt::IntoValue<T> for {name}{} {{ #[inline] fn into_value(self) -> \
             rt::Value<T> {{ rt::Value::from_expr(rt::Expr::Map(self.0.into_map())) }} }}",
            bounds.concat(),
            builder.parameters(|index, _| format!("P{index}")),
        ));
    }

    fn attributes(&self, source: &mut Source) {
        source.line(format!("impl rt::Handle<{}> {{", self.name));
        let mut taken = BTreeSet::new();
        for (key, attribute) in &self.schema.attributes {
            let accessor = unique(names::function(key, HANDLE_METHODS), &mut taken);
            source.documentation(attribute.documentation.as_deref(), &format!("`{key}`."));
            source.line(format!(
                "#[inline] #[must_use] pub fn {accessor}(self) -> rt::Value<{}> {{ self.attribute({key:?}) }}",
                self.kind(attribute)
            ));
        }
        source.line("}");
    }

    /// Constants for the values that the schema knows; properties take any other text too.
    fn values(&self, source: &mut Source) {
        let mut taken: BTreeSet<String> = self.schema.types.keys().cloned().collect();
        let own = self
            .schema
            .properties
            .iter()
            .map(|(key, property)| (names::pascal(key), key, property));
        let nested = self.schema.types.iter().flat_map(|(name, nested)| {
            nested
                .properties
                .iter()
                .map(move |(key, property)| (format!("{name}{}", names::pascal(key)), key, property))
        });
        for (wanted, key, property) in own.chain(nested) {
            let values: Vec<&str> = property.allowed.iter().filter_map(serde_json::Value::as_str).collect();
            if values.is_empty() {
                continue;
            }
            let mut name = wanted;
            while !taken.insert(name.clone()) {
                name.push_str("Value");
            }
            source.line(format!(
                "/// Known values of `{key}`; it takes others too.\n#[derive(Debug)]\npub enum {name} {{}}"
            ));
            source.line(format!("impl {name} {{"));
            let mut constants = BTreeSet::new();
            for value in values {
                if let Some(constant) = names::constant(value) {
                    let constant = unique(constant, &mut constants);
                    source.line(format!(
                        "/// `{value}`\npub const {constant}: &'static str = {value:?};"
                    ));
                }
            }
            source.line("}");
        }
    }

    /// The marker type of a property.
    fn kind(&self, property: &PropertySchema) -> String {
        self.marker(&property.kind, identifiers::marker(&property.refers))
    }

    fn marker(&self, kind: &PropertyType, refers: Option<&str>) -> String {
        match kind {
            PropertyType::String => refers.map_or("rt::String".to_owned(), identifiers::path),
            PropertyType::Timestamp => "rt::String".to_owned(),
            PropertyType::Integer => "i64".to_owned(),
            PropertyType::Number => "f64".to_owned(),
            PropertyType::Boolean => "bool".to_owned(),
            PropertyType::Json | PropertyType::Union(_) => "rt::Json".to_owned(),
            PropertyType::Tag => "rt::Tag".to_owned(),
            PropertyType::List(item) => format!("rt::List<{}>", self.marker(item, refers)),
            PropertyType::Map(item) => format!("rt::MapOf<{}>", self.marker(item, refers)),
            PropertyType::Definition(name) => format!("{}::{name}", self.path),
        }
    }
}

fn unique(mut name: String, taken: &mut BTreeSet<String>) -> String {
    while !taken.insert(name.clone()) {
        name.push('_');
    }
    name
}

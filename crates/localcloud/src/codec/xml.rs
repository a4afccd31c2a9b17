//! XML bodies, by shape: written by hand, read through quick-xml into a small tree.

use quick_xml::Reader;
use quick_xml::events::{BytesStart, Event};
use serde_json::{Map, Value};

use super::leaf::{self, TimeFormat};
use super::model::{Kind, Member, Model, Shape};

/// Deeper than any document that a service of ours reads; a bound against hostile nesting.
const DEPTH_LIMIT: usize = 64;

#[derive(Debug, Default)]
pub struct Element {
    pub name: String,
    attributes: Vec<(String, String)>,
    children: Vec<Element>,
    text: String,
}

pub fn parse(body: &[u8]) -> Result<Element, String> {
    let text = std::str::from_utf8(body).map_err(|error| error.to_string())?;
    let mut reader = Reader::from_str(text);
    let mut open = vec![Element::default()];
    loop {
        match reader.read_event().map_err(|error| error.to_string())? {
            Event::Start(start) => {
                if open.len() > DEPTH_LIMIT {
                    return Err("the document is nested too deeply".to_owned());
                }
                open.push(element(&start)?);
            }
            Event::Empty(start) => {
                let empty = element(&start)?;
                innermost(&mut open).children.push(empty);
            }
            Event::End(_) => {
                let closed = open.pop().unwrap_or_default();
                match open.last_mut() {
                    Some(parent) => parent.children.push(closed),
                    None => return Err("the document closes more than it opens".to_owned()),
                }
            }
            Event::Text(text) => {
                let decoded = text.decode().map_err(|error| error.to_string())?;
                innermost(&mut open).text.push_str(&decoded);
            }
            Event::CData(data) => {
                let decoded = data.decode().map_err(|error| error.to_string())?;
                innermost(&mut open).text.push_str(&decoded);
            }
            Event::GeneralRef(reference) => {
                let name = reference.decode().map_err(|error| error.to_string())?;
                let resolved = quick_xml::escape::unescape(&format!("&{name};"))
                    .map_err(|error| error.to_string())?
                    .into_owned();
                innermost(&mut open).text.push_str(&resolved);
            }
            Event::Eof => break,
            Event::Decl(_) | Event::PI(_) | Event::DocType(_) | Event::Comment(_) => {}
        }
    }
    let mut document = open.pop().unwrap_or_default();
    if !open.is_empty() {
        return Err("the document ends inside an element".to_owned());
    }
    document
        .children
        .pop()
        .ok_or_else(|| "the document is empty".to_owned())
}

fn innermost(open: &mut [Element]) -> &mut Element {
    open.last_mut().expect("the document itself is never closed")
}

fn element(start: &BytesStart<'_>) -> Result<Element, String> {
    let mut attributes = Vec::new();
    for attribute in start.attributes() {
        let attribute = attribute.map_err(|error| error.to_string())?;
        let value = String::from_utf8_lossy(&attribute.value);
        let value = quick_xml::escape::unescape(&value)
            .map_err(|error| error.to_string())?
            .into_owned();
        attributes.push((String::from_utf8_lossy(attribute.key.as_ref()).into_owned(), value));
    }
    let name = String::from_utf8_lossy(start.local_name().as_ref()).into_owned();
    Ok(Element {
        name,
        attributes,
        ..Element::default()
    })
}

pub fn decode(model: &Model, shape: &Shape, element: &Element) -> Result<Value, String> {
    match shape.kind {
        Kind::Structure => {
            let mut object = Map::new();
            for (name, member) in shape.members.iter().filter(|(_, member)| member.location.is_none()) {
                if let Some(value) = decode_member(model, name, member, element)? {
                    object.insert(name.clone(), value);
                }
            }
            Ok(Value::Object(object))
        }
        Kind::List => {
            let item = shape.member.as_ref().expect("a list has a member");
            let items = element
                .children
                .iter()
                .filter(|child| child.name == item.wire_name("member"));
            items
                .map(|child| decode(model, model.of(item), child))
                .collect::<Result<_, _>>()
                .map(Value::Array)
        }
        Kind::Map => {
            let value = shape.value.as_ref().expect("a map has a value");
            let key_name = shape
                .key
                .as_ref()
                .and_then(|key| key.location_name.as_deref())
                .unwrap_or("key");
            let mut object = Map::new();
            for entry in &element.children {
                let find = |name: &str| entry.children.iter().find(|child| child.name == name);
                if let (Some(key), Some(child)) = (find(key_name), find(value.wire_name("value"))) {
                    object.insert(key.text.clone(), decode(model, model.of(value), child)?);
                }
            }
            Ok(Value::Object(object))
        }
        _ => leaf::parse(shape, element.text.trim())
            .ok_or_else(|| format!("{} has the invalid value '{}'", element.name, element.text)),
    }
}

fn decode_member(model: &Model, name: &str, member: &Member, element: &Element) -> Result<Option<Value>, String> {
    let shape = model.of(member);
    if member.xml_attribute {
        let found = element.attributes.iter().find(|(key, _)| key == member.wire_name(name));
        return Ok(found.map(|(_, value)| Value::String(value.clone())));
    }
    let wire = list_name(name, member, shape);
    let mut found = element.children.iter().filter(|child| child.name == wire).peekable();
    if found.peek().is_none() {
        return Ok(None);
    }
    if shape.kind == Kind::List && is_flattened(member, shape) {
        let item = model.of(shape.member.as_ref().expect("a list has a member"));
        return found
            .map(|child| decode(model, item, child))
            .collect::<Result<_, _>>()
            .map(|items| Some(Value::Array(items)));
    }
    found.next().map(|child| decode(model, shape, child)).transpose()
}

fn is_flattened(member: &Member, shape: &Shape) -> bool {
    member.flattened || shape.flattened
}

/// A flattened list goes by its item's name where that has one of its own.
fn list_name<'a>(name: &'a str, member: &'a Member, shape: &'a Shape) -> &'a str {
    let item = shape.member.as_ref().filter(|_| is_flattened(member, shape));
    item.and_then(|item| item.location_name.as_deref())
        .unwrap_or_else(|| member.wire_name(name))
}

/// Writes XML; every opened element is closed by [`Writer::element`].
#[derive(Default)]
pub struct Writer {
    pub out: String,
}

impl Writer {
    pub fn document() -> Self {
        Self {
            out: "<?xml version=\"1.0\" encoding=\"UTF-8\"?>\n".to_owned(),
        }
    }

    pub fn element(&mut self, name: &str, attributes: &[(String, String)], inside: impl FnOnce(&mut Self)) {
        self.out.push('<');
        self.out.push_str(name);
        for (key, value) in attributes {
            self.out.push_str(&format!(" {key}=\"{}\"", escape(value)));
        }
        self.out.push('>');
        inside(self);
        self.out.push_str(&format!("</{name}>"));
    }

    pub fn leaf(&mut self, name: &str, text: &str) {
        self.element(name, &[], |writer| writer.out.push_str(&escape(text)));
    }
}

fn escape(text: &str) -> String {
    let mut out = String::with_capacity(text.len());
    for character in text.chars() {
        match character {
            '&' => out.push_str("&amp;"),
            '<' => out.push_str("&lt;"),
            '>' => out.push_str("&gt;"),
            '"' => out.push_str("&quot;"),
            '\r' => out.push_str("&#xD;"),
            // What XML 1.0 has no character for cannot be sent at all.
            '\u{0}'..='\u{8}' | '\u{b}' | '\u{c}' | '\u{e}'..='\u{1f}' | '\u{fffe}' | '\u{ffff}' => {
                out.push('\u{fffd}')
            }
            other => out.push(other),
        }
    }
    out
}

/// The members of a structure that travel in the body.
pub fn encode_members(writer: &mut Writer, model: &Model, shape: &Shape, value: &Value) {
    for (name, member) in &shape.members {
        let Some(value) = value.get(name).filter(|value| !value.is_null()) else {
            continue;
        };
        if member.location.is_none() && !member.xml_attribute {
            encode_member(writer, model, list_name(name, member, model.of(member)), member, value);
        }
    }
}

pub fn encode_member(writer: &mut Writer, model: &Model, name: &str, member: &Member, value: &Value) {
    let shape = model.of(member);
    match shape.kind {
        Kind::Structure => {
            let attributes: Vec<(String, String)> = attributes(member, shape, value);
            writer.element(name, &attributes, |writer| encode_members(writer, model, shape, value));
        }
        Kind::List => {
            let item = shape.member.as_ref().expect("a list has a member");
            let items = value.as_array().map(Vec::as_slice).unwrap_or_default();
            if is_flattened(member, shape) {
                items
                    .iter()
                    .for_each(|value| encode_member(writer, model, name, item, value));
            } else {
                let item_name = item.wire_name("member");
                writer.element(name, &[], |writer| {
                    items
                        .iter()
                        .for_each(|value| encode_member(writer, model, item_name, item, value));
                });
            }
        }
        Kind::Map => {
            let (key, item) = (shape.key.as_ref(), shape.value.as_ref().expect("a map has a value"));
            let key_name = key.and_then(|key| key.location_name.as_deref()).unwrap_or("key");
            writer.element(name, &[], |writer| {
                for (key, value) in value.as_object().into_iter().flatten() {
                    writer.element("entry", &[], |writer| {
                        writer.leaf(key_name, key);
                        encode_member(writer, model, item.wire_name("value"), item, value);
                    });
                }
            });
        }
        _ => {
            let named = member.timestamp_format.as_deref().or(shape.timestamp_format.as_deref());
            if let Some(text) = leaf::format(shape, value, TimeFormat::of(named, TimeFormat::Iso8601)) {
                writer.leaf(name, &text);
            }
        }
    }
}

/// Attributes of a structure's own element: its namespace and its members that are attributes.
fn attributes(member: &Member, shape: &Shape, value: &Value) -> Vec<(String, String)> {
    let namespace = member.xml_namespace.as_ref().or(shape.xml_namespace.as_ref());
    let mut attributes: Vec<(String, String)> = namespace
        .map(|namespace| namespace.attribute())
        .map(|(key, uri)| (key, uri.to_owned()))
        .into_iter()
        .collect();
    for (name, member) in shape.members.iter().filter(|(_, member)| member.xml_attribute) {
        if let Some(text) = value.get(name).and_then(Value::as_str) {
            attributes.push((member.wire_name(name).to_owned(), text.to_owned()));
        }
    }
    attributes
}

#[cfg(test)]
mod tests {
    use super::super::model::model;
    use super::*;
    use serde_json::json;

    #[test]
    fn flattened_lists_and_escapes_come_back_as_they_went() {
        let model = model("s3").unwrap();
        let shape = model.shape("Delete");
        let value = json!({"Objects": [{"Key": "a & <b>"}, {"Key": "c\r\"d\""}], "Quiet": true});
        let mut writer = Writer::document();
        writer.element("Delete", &[], |writer| encode_members(writer, model, shape, &value));
        assert!(
            writer.out.contains("<Object><Key>a &amp; &lt;b&gt;</Key></Object>"),
            "{}",
            writer.out
        );
        assert_eq!(
            decode(model, shape, &parse(writer.out.as_bytes()).unwrap()).unwrap(),
            value
        );
    }

    #[test]
    fn broken_documents_are_refused() {
        for text in ["", "<a>", "<a></b>", "</a>"] {
            assert!(parse(text.as_bytes()).is_err(), "{text}");
        }
    }
}

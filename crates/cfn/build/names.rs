//! How keys of the schema become names of Rust. Keys themselves are never changed, only what a Rust user types.

/// Spellings in which a capital inside does not begin a word.
const SPELLINGS: &[(&str, &str)] = &[
    ("IPv4", "Ipv4"),
    ("IPv6", "Ipv6"),
    ("IoT", "Iot"),
    ("OAuth", "Oauth"),
    ("MySQL", "Mysql"),
    ("PostgreSQL", "Postgresql"),
    ("GraphQL", "Graphql"),
    ("DynamoDB", "Dynamodb"),
    ("OpenID", "Openid"),
    ("MiB", "Mib"),
    ("GiB", "Gib"),
];

/// `DBInstanceIdentifier` → `db_instance_identifier`, `SubnetIDs` → `subnet_ids`, `Endpoint.Port` → `endpoint_port`.
pub fn snake(key: &str) -> String {
    let mut key = key.to_owned();
    for (from, to) in SPELLINGS {
        key = key.replace(from, to);
    }
    let characters: Vec<char> = key.chars().collect();
    let at = |index: usize| characters.get(index).copied().unwrap_or('_');
    let mut snake = String::new();
    for (index, &character) in characters.iter().enumerate() {
        if !character.is_ascii_alphanumeric() {
            if !snake.ends_with('_') && !snake.is_empty() {
                snake.push('_');
            }
            continue;
        }
        let before = if index == 0 { '_' } else { at(index - 1) };
        // The plural of an acronym, `IDs`: the `s` belongs to it.
        let plural = at(index + 1) == 's' && !at(index + 2).is_ascii_lowercase();
        let begins = character.is_ascii_uppercase()
            && (before.is_ascii_lowercase()
                || before.is_ascii_digit()
                || (before.is_ascii_uppercase() && at(index + 1).is_ascii_lowercase() && !plural));
        if begins && !snake.ends_with('_') && !snake.is_empty() {
            snake.push('_');
        }
        snake.push(character.to_ascii_lowercase());
    }
    let snake = snake.trim_end_matches('_').to_owned();
    if snake.starts_with(|first: char| first.is_ascii_digit()) {
        format!("_{snake}")
    } else {
        snake
    }
}

/// A name for a function: keywords and names that mean something else here get a `_`.
pub fn function(key: &str, reserved: &[&str]) -> String {
    let name = snake(key);
    if KEYWORDS.contains(&name.as_str()) || reserved.contains(&name.as_str()) {
        format!("{name}_")
    } else {
        name
    }
}

/// `AuthorizerId` stays, `tags` becomes `Tags`.
pub fn pascal(key: &str) -> String {
    let mut name = String::new();
    let mut upper = true;
    for character in key.chars() {
        if !character.is_ascii_alphanumeric() {
            upper = true;
        } else if upper {
            name.push(character.to_ascii_uppercase());
            upper = false;
        } else {
            name.push(character);
        }
    }
    name
}

/// `provided.al2023` → `PROVIDED_AL2023`; nothing for values of which no name is left.
pub fn constant(value: &str) -> Option<String> {
    let mut name = String::new();
    for character in value.chars() {
        if character.is_ascii_alphanumeric() {
            name.push(character);
        } else if !name.ends_with('_') && !name.is_empty() {
            name.push('_');
        }
    }
    let name = snake(name.trim_end_matches('_')).to_uppercase();
    (!name.is_empty() && name != "_").then_some(name)
}

/// The service's module for a resource type: `AWS::SQS::Queue` → `sqs`, as the snapshot's files are called.
pub fn module(type_name: &str) -> String {
    let mut parts = type_name.split("::");
    let (vendor, service) = (parts.next().unwrap_or_default(), parts.next().unwrap_or_default());
    if vendor == "AWS" {
        service.to_lowercase()
    } else {
        format!("{vendor}_{service}").to_lowercase()
    }
}

/// `AWS::SQS::Queue` → `Queue`.
pub fn resource(type_name: &str) -> &str {
    type_name.rsplit("::").next().unwrap_or(type_name)
}

/// The marker type of a relation's target, as module and name: `AWS::EC2::Subnet.SubnetId` → `ec2`, `SubnetId`.
pub fn identifier(target: &str) -> (String, String) {
    let (type_name, attribute) = target.rsplit_once('.').unwrap_or((target, "Ref"));
    let (thing, attribute) = (pascal(resource(type_name)), pascal(attribute));
    let repeats = attribute.to_lowercase().starts_with(&thing.to_lowercase());
    (
        module(type_name),
        if repeats {
            attribute
        } else {
            format!("{thing}{attribute}")
        },
    )
}

const KEYWORDS: &[&str] = &[
    "abstract", "as", "async", "await", "become", "box", "break", "const", "continue", "crate", "do", "dyn", "else",
    "enum", "extern", "false", "final", "fn", "for", "gen", "if", "impl", "in", "let", "loop", "macro", "match", "mod",
    "move", "mut", "override", "priv", "pub", "ref", "return", "self", "static", "struct", "super", "trait", "true",
    "try", "type", "typeof", "union", "unsafe", "unsized", "use", "virtual", "where", "while", "yield",
];

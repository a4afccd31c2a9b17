//! Names made from construct paths: logical ids, unique ids and unique resource names.
//!
//! The algorithms are those of aws-cdk-lib 2.276 (`core/lib/private/uniqueid.js` and `unique-resource-name.js`), so that
//! a stack moved over from the CDK keeps its resources. Pure functions over path components; the tree calls them.

use md5::{Digest, Md5};
use sha1::Sha1;

/// Left out of both the human part and the hash.
const HIDDEN_ID: &str = "Default";
/// Left out of the human part only.
const HIDDEN_FROM_HUMAN_ID: &str = "Resource";
const HASH_LENGTH: usize = 8;
const MAX_HUMAN_LENGTH: usize = 240;
const MAX_ID_LENGTH: usize = 255;

/// The id of `components` (a path below a stack, or below the root): human-readable part followed by eight hex digits,
/// or the single component itself. Matches `^[A-Za-z0-9]{1,255}$`; empty when every component is hidden or symbols only.
pub fn unique_id(components: &[&str]) -> String {
    let visible = visible(components);
    if let [only] = visible.as_slice() {
        let candidate = alphanumeric(only);
        if candidate.len() <= MAX_ID_LENGTH {
            return candidate;
        }
    }
    if visible.is_empty() {
        return String::new();
    }
    let mut id: String = human_components(&visible).map(alphanumeric).collect();
    id.truncate(MAX_HUMAN_LENGTH);
    id.push_str(&path_hash(&visible));
    id
}

/// A physical name from `components`: like [`unique_id`], but with a prefix, and shortened in its middle so that both
/// ends of a long path stay readable.
pub fn unique_resource_name(components: &[&str], prefix: &str, max_length: usize) -> String {
    unique_resource_name_with(components, prefix, Style::default(), max_length)
}

/// How a physical name is written.
#[derive(Clone, Copy, Default)]
pub struct Style {
    /// After each component.
    pub separator: &'static str,
    /// Characters that stay beside letters and digits.
    pub special: &'static str,
}

/// As [`unique_resource_name`], in another style.
pub fn unique_resource_name_with(components: &[&str], prefix: &str, style: Style, max_length: usize) -> String {
    let alphanumeric = |text: &str| -> String {
        let stays = |c: &char| c.is_ascii_alphanumeric() || style.special.contains(*c);
        text.chars().filter(stays).collect()
    };
    let visible = visible(components);
    if let [only] = visible.as_slice() {
        let candidate = format!("{prefix}{}", alphanumeric(only));
        if candidate.len() <= max_length {
            return candidate;
        }
    }
    let human: String = std::iter::once(prefix.to_owned())
        .chain(
            human_components(&visible)
                .map(&alphanumeric)
                .filter(|component| !component.is_empty())
                .map(|component| component + style.separator),
        )
        .collect();
    let room = max_length.saturating_sub(HASH_LENGTH);
    let human = if human.len() > room {
        let half = room / 2;
        let tail: String = human
            .chars()
            .rev()
            .take(half)
            .collect::<Vec<_>>()
            .into_iter()
            .rev()
            .collect();
        human.chars().take(half).chain(tail.chars()).collect()
    } else {
        human
    };
    human + &path_hash(&visible)
}

/// Lower-case hex md5 of `text`.
pub fn md5_hex(text: &str) -> String {
    hex::encode(Md5::digest(text.as_bytes()))
}

/// A name of 42 characters for the construct at `components`, which begin with the root (`aws/constructs`,
/// `private/node-addr.js`).
pub fn address(components: &[&str]) -> String {
    let mut hash = Sha1::new();
    for component in visible(components) {
        hash.update(component.as_bytes());
        hash.update(b"\n");
    }
    format!("c8{}", hex::encode(hash.finalize()))
}

/// Base64 of the sha256 of `text`, with padding.
pub fn sha256_base64(text: &str) -> String {
    const ALPHABET: &[u8; 64] = b"ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/";
    let digest = sha2::Sha256::digest(text.as_bytes());
    let mut encoded = String::new();
    for chunk in digest.chunks(3) {
        let bits = chunk
            .iter()
            .enumerate()
            .fold(0_u32, |bits, (at, byte)| bits | u32::from(*byte) << (16 - 8 * at));
        for position in 0..4 {
            let index = (bits >> (18 - 6 * position)) & 63;
            let used = position <= chunk.len();
            encoded.push(if used {
                char::from(ALPHABET[index as usize])
            } else {
                '='
            });
        }
    }
    encoded
}

/// The last `length` characters of an ASCII name.
pub fn last_characters(name: &str, length: usize) -> &str {
    &name[name.len().saturating_sub(length)..]
}

fn visible<'a>(components: &[&'a str]) -> Vec<&'a str> {
    components
        .iter()
        .copied()
        .filter(|component| *component != HIDDEN_ID)
        .collect()
}

fn path_hash(components: &[&str]) -> String {
    let mut hash = md5_hex(&components.join("/")).to_uppercase();
    hash.truncate(HASH_LENGTH);
    hash
}

/// Drops a component that the one kept before it already ends with, then the hidden ones.
fn human_components<'a>(components: &[&'a str]) -> impl Iterator<Item = &'a str> {
    let mut kept: Vec<&str> = Vec::with_capacity(components.len());
    for component in components {
        if kept.last().is_none_or(|last| !last.ends_with(component)) {
            kept.push(component);
        }
    }
    kept.into_iter().filter(|component| *component != HIDDEN_FROM_HUMAN_ID)
}

pub(crate) fn alphanumeric(text: &str) -> String {
    text.chars().filter(char::is_ascii_alphanumeric).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn one_component_is_kept_without_a_hash() {
        assert_eq!(unique_id(&["RedisSubnetGroup"]), "RedisSubnetGroup");
        assert_eq!(unique_id(&["a-b.c"]), "abc");
        assert_eq!(unique_id(&["One", "Default"]), "One");
    }

    #[test]
    fn the_hash_counts_resource_but_the_human_part_does_not() {
        assert_eq!(unique_id(&["Phase2VPC", "Resource"]), "Phase2VPC1482039F");
        assert_eq!(unique_id(&["Pair", "Queue", "Resource"]), "PairQueue65767172");
        assert_eq!(unique_id(&["Pair", "Default", "Resource"]), "Pair3F85D4FA");
    }

    #[test]
    fn a_component_that_repeats_the_end_is_dropped() {
        assert_eq!(
            unique_id(&["Phase2VPC", "PublicSubnet1", "Subnet"]),
            "Phase2VPCPublicSubnet1SubnetD2B4055F"
        );
        assert_eq!(
            unique_id(&["One", "Two With Space", "Three.Slash", "Q", "Resource"]),
            "OneTwoWithSpaceThreeSlashQ8F8D947F"
        );
    }

    #[test]
    fn base64_has_its_padding() {
        assert_eq!(sha256_base64(""), "47DEQpj8HBSa+/TImW+5JCeuQeRkm5NMpJWZG3hSuFU=");
    }

    #[test]
    fn a_nested_stack_gets_a_unique_resource_name() {
        assert_eq!(
            unique_resource_name(&["Prod", "Service"], "", 128),
            "ProdServiceC810982D"
        );
        assert_eq!(unique_resource_name(&["Service"], "Prod-", 128), "Prod-Service");
    }
}

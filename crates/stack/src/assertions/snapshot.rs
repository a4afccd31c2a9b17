//! A template as text that stays the same as long as the infrastructure does: fingerprints of assets, and ids that hold
//! a hash of content, give way to placeholders.

use serde_json::Value as Json;

/// Fingerprints of assets are sha256 in hex.
const FINGERPRINT: usize = 64;
/// Behind the ids of function versions and API deployments stands an md5 in hex.
const CONTENT_HASH: usize = 32;

pub(super) fn text(template: &Json) -> String {
    // Indented JSON of JSON cannot fail to be written.
    let text = serde_json::to_string_pretty(template).unwrap_or_default();
    let mut fingerprints: Vec<String> = Vec::new();
    let mut stable = String::with_capacity(text.len() + 1);
    let mut rest = text.as_str();
    while let Some(begin) = rest.find(|c: char| c.is_ascii_alphanumeric()) {
        stable.push_str(&rest[..begin]);
        rest = &rest[begin..];
        let end = rest.find(|c: char| !c.is_ascii_alphanumeric()).unwrap_or(rest.len());
        let (word, behind) = rest.split_at(end);
        rest = behind;
        if word.len() == FINGERPRINT && is_hex(word) {
            let known = fingerprints.iter().position(|seen| seen == word);
            let number = known.unwrap_or_else(|| {
                fingerprints.push(word.to_owned());
                fingerprints.len() - 1
            });
            stable.push_str(&format!("<asset {}>", number + 1));
            continue;
        }
        match word.len().checked_sub(CONTENT_HASH) {
            Some(at) if at > 0 && word.len() != FINGERPRINT && is_hex(&word[at..]) => {
                stable.push_str(&word[..at]);
                stable.push_str("<content>");
            }
            _ => stable.push_str(word),
        }
    }
    stable.push_str(rest);
    stable.push('\n');
    stable
}

fn is_hex(text: &str) -> bool {
    text.bytes().all(|byte| matches!(byte, b'0'..=b'9' | b'a'..=b'f'))
}

//! `llama-deploy synth --explain-hash NAME`: which files and options went into an asset's hash.
//!
//! It hashes the staged copy again, as aws-cdk-lib does without further options, so it works for assemblies of every
//! language. Where the app hashed something else, too, it says so: that stands in no assembly.

use std::path::PathBuf;

use serde_json::{Value, json};
use stack::asset::AssetOptions;
use stack::asset::fingerprint::{Fingerprint, fingerprint};

use crate::assembly::Stack;
use crate::console::Console;
use crate::failure::{Code, Failure, Outcome};

struct Asset {
    hash: String,
    /// The construct's path, stack first.
    name: String,
    path: PathBuf,
    packaging: String,
}

pub fn run(wanted: &str, stacks: &[Stack], console: &Console) -> Outcome<u8> {
    let assets = assets(stacks)?;
    let found: Vec<&Asset> = assets.iter().filter(|asset| asset.is(wanted)).collect();
    if found.is_empty() {
        let mut known: Vec<&str> = assets.iter().map(|asset| asset.name.as_str()).collect();
        known.dedup();
        let known = match known.is_empty() {
            true => "the app has no assets".to_owned(),
            false => format!("it has: {}", known.join(", ")),
        };
        return Err(Failure::new(Code::AssetUnknown, format!("no asset of the app is called '{wanted}'")).hint(known));
    }
    let mut documents = Vec::new();
    for asset in found {
        let computed = fingerprint(&asset.path, &AssetOptions::new()).map_err(|error| {
            Failure::new(
                Code::ArtifactMissing,
                format!("the asset {} cannot be read from {}", asset.name, asset.path.display()),
            )
            .because(error)
        })?;
        show(asset, &computed, console);
        documents.push(json!({
            "asset": asset.hash, "name": asset.name, "path": asset.path, "packaging": asset.packaging,
            "computed": computed.hash,
            "fields": computed.fields.iter().map(|(key, value)| json!([key, value])).collect::<Vec<_>>(),
        }));
    }
    console.print_json(&json!({ "assets": documents }));
    Ok(0)
}

fn show(asset: &Asset, computed: &Fingerprint, console: &Console) {
    console.print(&asset.hash);
    console.print(&format!(
        "  {} ({}), {}",
        asset.name,
        asset.packaging,
        asset.path.display()
    ));
    for (key, value) in &computed.fields {
        console.print(&format!("  {key} = {value}"));
    }
    if computed.hash != asset.hash {
        console.print(&format!(
            "  these make {}: the app hashed something else, too (an extra or custom hash, a salt, an option of links or \
             patterns, or what a build made)",
            computed.hash
        ));
    }
}

impl Asset {
    /// By the beginning of the hash, or by the construct: its own path or one above it, with or without the stack.
    fn is(&self, wanted: &str) -> bool {
        let below = |name: &str| {
            name.strip_prefix(wanted)
                .is_some_and(|rest| rest.is_empty() || rest.starts_with('/'))
        };
        let within = self.name.split_once('/').is_some_and(|(_, within)| below(within));
        (wanted.len() >= 6 && self.hash.starts_with(wanted)) || below(&self.name) || within
    }
}

fn assets(stacks: &[Stack]) -> Outcome<Vec<Asset>> {
    let mut assets = Vec::new();
    for stack in stacks {
        let Some(file) = &stack.assets_file else { continue };
        let unreadable = |error: std::io::Error| {
            Failure::new(Code::AssemblyInvalid, format!("cannot read {}", file.display())).because(error)
        };
        let document: Value = serde_json::from_slice(&std::fs::read(file).map_err(unreadable)?)
            .map_err(|error| unreadable(std::io::Error::other(error)))?;
        let folder = file.parent().unwrap_or(file);
        for (hash, entry) in document["files"].as_object().into_iter().flatten() {
            // What a command makes has no path; templates are hashed as texts.
            let Some(path) = entry["source"]["path"].as_str() else {
                continue;
            };
            if path.ends_with(".template.json") {
                continue;
            }
            let name = entry["displayName"].as_str().unwrap_or(hash);
            assets.push(Asset {
                hash: hash.clone(),
                // aws-cdk-lib begins some names with the stack and some within it.
                name: match name.starts_with(&format!("{}/", stack.path)) {
                    true => name.to_owned(),
                    false => format!("{}/{name}", stack.path),
                },
                path: folder.join(path),
                packaging: entry["source"]["packaging"].as_str().unwrap_or("file").to_owned(),
            });
        }
    }
    Ok(assets)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_asset_is_found_by_hash_and_by_construct() {
        let asset = Asset {
            hash: "19e21a616ed7a033".to_owned(),
            name: "Service/Hello/Code".to_owned(),
            path: PathBuf::new(),
            packaging: "zip".to_owned(),
        };
        for name in [
            "19e21a",
            "Service",
            "Service/Hello",
            "Hello",
            "Hello/Code",
            "Service/Hello/Code",
        ] {
            assert!(asset.is(name), "{name}");
        }
        for name in ["19e2", "Hell", "Code", "Service/Hello/Code/More"] {
            assert!(!asset.is(name), "{name}");
        }
    }
}

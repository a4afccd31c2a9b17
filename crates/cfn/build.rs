//! Generates one module per enabled service from the snapshot in `schema/`, and with feature `schema-data` packs the
//! snapshot for run time. Everything goes to `OUT_DIR`; nothing is read but the snapshot and the enabled features.

#[path = "build/generate.rs"]
mod generate;
#[path = "build/identifiers.rs"]
mod identifiers;
#[path = "src/schema/model.rs"]
#[allow(dead_code)]
mod model;
#[path = "build/names.rs"]
mod names;
#[path = "build/pack.rs"]
mod pack;

use std::collections::{BTreeMap, BTreeSet};
use std::path::{Path, PathBuf};
use std::{env, fs};

use model::ServiceSchema;

type Failure = Box<dyn std::error::Error>;

fn main() -> Result<(), Failure> {
    let folder = |variable: &str| {
        env::var_os(variable)
            .map(PathBuf::from)
            .ok_or(format!("cargo sets {variable}"))
    };
    let (root, out) = (folder("CARGO_MANIFEST_DIR")?, folder("OUT_DIR")?);
    for path in ["build.rs", "build", "features.json", "src/schema/model.rs"] {
        println!("cargo::rerun-if-changed={path}");
    }

    let features = folded_features(&root)?;
    let enabled = |feature: &str| {
        let variable = format!("CARGO_FEATURE_{}", feature.to_uppercase());
        env::var_os(variable).is_some()
    };
    let embed = enabled("schema_data");
    if embed {
        println!("cargo::rerun-if-changed=schema");
    }

    let mut services = BTreeMap::new();
    let mut packed = pack::Packer::new(&out);
    for path in snapshot(&root)? {
        let module = path
            .file_stem()
            .and_then(|stem| stem.to_str())
            .unwrap_or_default()
            .to_owned();
        let wanted = enabled(features.get(&module).map_or(module.as_str(), String::as_str));
        if !wanted && !embed {
            continue;
        }
        println!("cargo::rerun-if-changed={}", path.display());
        let service: ServiceSchema =
            serde_json::from_slice(&fs::read(&path)?).map_err(|error| format!("{}: {error}", path.display()))?;
        if embed {
            packed.add(&module, &service)?;
        }
        if wanted {
            services.insert(module, service);
        }
    }

    let mut root_module = String::new();
    let mut required = BTreeSet::new();
    for (module, service) in &services {
        generate::service(module, service, &mut required).write(&out.join(format!("{module}.rs")))?;
        generate::declare(module, service, &mut root_module);
    }
    generate::missing(&required, &mut root_module);
    identifiers::generate(&services, &mut root_module)?;
    fs::write(out.join("services.rs"), root_module)?;
    if embed {
        packed.finish()?;
    }
    Ok(())
}

/// The services that have no feature of their own, with the feature that enables them.
fn folded_features(root: &Path) -> Result<BTreeMap<String, String>, Failure> {
    Ok(serde_json::from_slice(&fs::read(root.join("features.json"))?)?)
}

fn snapshot(root: &Path) -> Result<Vec<PathBuf>, Failure> {
    let mut paths = Vec::new();
    for entry in fs::read_dir(root.join("schema"))? {
        let path = entry?.path();
        if path.extension().is_some_and(|extension| extension == "json") {
            paths.push(path);
        }
    }
    paths.sort();
    Ok(paths)
}

//! The table that aws-cdk-lib made (`tests/parity/oracle/fingerprints.ts`), and what a staged copy is.

use std::fs;
use std::path::Path;

use serde_json::Value as Json;

use super::fingerprint::fingerprint;
use super::walk::copy;
use super::{AssetOptions, IgnoreMode, SymlinkFollow};

fn witness() -> Json {
    serde_json::from_str(include_str!("witness.json")).unwrap()
}

/// The table's tree below `folder`, as `tree`.
fn plant(witness: &Json, folder: &Path) -> std::path::PathBuf {
    let tree = folder.join("tree");
    fs::create_dir(&tree).unwrap();
    let entries = |key: &str| witness[key].as_object().unwrap().clone();
    for (name, content) in entries("files") {
        let path = tree.join(name);
        fs::create_dir_all(path.parent().unwrap()).unwrap();
        fs::write(path, content.as_str().unwrap()).unwrap();
    }
    for (name, target) in entries("links") {
        std::os::unix::fs::symlink(target.as_str().unwrap(), tree.join(name)).unwrap();
    }
    tree
}

fn options(case: &Json) -> AssetOptions {
    let exclude = case["exclude"].as_array().into_iter().flatten();
    AssetOptions::new()
        .exclude(exclude.map(|pattern| pattern.as_str().unwrap()))
        .ignore_mode(match case["ignoreMode"].as_str() {
            Some("git") => IgnoreMode::Git,
            Some("docker") => IgnoreMode::Docker,
            _ => IgnoreMode::Glob,
        })
        .follow_symlinks(match case["follow"].as_str() {
            Some("never") => SymlinkFollow::Never,
            Some("always") => SymlinkFollow::Always,
            Some("internal-only") => SymlinkFollow::BlockExternal,
            _ => SymlinkFollow::External,
        })
        .extra_hash(case["extraHash"].as_str().unwrap_or_default())
}

#[test]
fn fingerprints_are_those_of_aws_cdk_lib() {
    let witness = witness();
    let folder = tempfile::tempdir().unwrap();
    let tree = plant(&witness, folder.path());
    let mut wrong = Vec::new();
    for case in witness["cases"].as_array().unwrap() {
        let found = fingerprint(&tree, &options(case));
        if found.as_ref().ok().map(|found| found.hash.as_str()) != case["hash"].as_str() {
            let kept = found.map(|found| found.fields.into_iter().map(|(key, _)| key).collect::<Vec<_>>());
            wrong.push(format!("{case}\n    {kept:?}"));
        }
    }
    for case in witness["single"].as_array().unwrap() {
        let found = fingerprint(&tree.join(case["file"].as_str().unwrap()), &AssetOptions::new()).unwrap();
        if found.hash != case["hash"].as_str().unwrap() {
            wrong.push(case.to_string());
        }
    }
    assert!(wrong.is_empty(), "{} differ:\n{}", wrong.len(), wrong.join("\n"));
}

#[test]
fn a_staged_copy_has_the_fingerprint_of_its_source() {
    let witness = witness();
    let folder = tempfile::tempdir().unwrap();
    let tree = plant(&witness, folder.path());
    std::os::unix::fs::symlink(tree.join("src/main.rs"), tree.join("data/absolute")).unwrap();
    let staged = folder.path().join("staged");
    for patterns in [vec![], vec!["**/*.js", "!index.js"], vec!["src"], vec![".git"]] {
        let options = AssetOptions::new().exclude(patterns.clone());
        copy(&tree, &staged, &options).unwrap();
        assert!(staged.join("data/absolute").symlink_metadata().unwrap().is_symlink());
        assert_eq!(
            fs::read_link(staged.join("data/absolute")).unwrap(),
            Path::new("../src/main.rs")
        );
        assert!(
            staged
                .join("outside-folder/a/b.txt")
                .symlink_metadata()
                .unwrap()
                .is_file()
        );
        // A link that was absolute is relative now, which its field tells.
        fs::remove_file(staged.join("data/absolute")).unwrap();
        let without = options.clone().exclude(["data/absolute"]);
        let fields = |path: &Path, options: &AssetOptions| fingerprint(path, options).unwrap().fields;
        assert_eq!(
            fields(&tree, &without),
            fields(&staged, &AssetOptions::new()),
            "{patterns:?}"
        );
    }
}

#[test]
fn a_link_that_leaves_is_refused_where_that_is_asked_for() {
    let witness = witness();
    let folder = tempfile::tempdir().unwrap();
    let tree = plant(&witness, folder.path());
    let options = AssetOptions::new().follow_symlinks(SymlinkFollow::BlockExternal);
    let refused = fingerprint(&tree, &options).unwrap_err().to_string();
    assert!(refused.contains("outside"), "{refused}");
    let unknown = fingerprint(&tree, &AssetOptions::new().exclude(["x!(a|b)"])).unwrap_err();
    assert!(unknown.to_string().contains("x!(a|b)"), "{unknown}");
}

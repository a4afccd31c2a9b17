//! The simulator itself is tested: with a bug planted in the orchestrator it breaks an invariant within a stated number
//! of seeds, and without one it does not.
//!
//! Each bug is an edit of the sources ([`bugs`]). The test writes a workspace of its own below `target/planted` with one
//! copy of the orchestrator and of the simulator that holds all of them, each behind a switch, builds it, and runs it once
//! for each bug. An edit whose text is gone fails at once: then the bug has to be planted anew.

#![allow(
    clippy::unwrap_used,
    reason = "a test ends at the first thing that is not as it should be"
)]

mod bugs;

use std::path::{Path, PathBuf};
use std::process::{Command, Output};

use bugs::{BUGS, Edit};

/// Which bug is on, by its name, in the environment of the copy.
const SWITCH: &str = "PLANTED_BUG";
/// The copy without any bug holds the invariants for as many seeds.
const SOUND: u32 = 60;

fn root() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR"))
        .join("../..")
        .canonicalize()
        .unwrap()
}

/// Copies a folder of sources; what is the same already stays as it is, so that nothing is built twice.
fn copy(from: &Path, to: &Path, change: &mut dyn FnMut(&Path, String) -> String) {
    for entry in std::fs::read_dir(from).unwrap() {
        let (path, name) = entry.map(|entry| (entry.path(), entry.file_name())).unwrap();
        if path.is_dir() {
            copy(&path, &to.join(name), change);
        } else {
            let text = change(&path, std::fs::read_to_string(&path).unwrap());
            write(&to.join(name), &text);
        }
    }
}

fn write(path: &Path, text: &str) {
    if std::fs::read_to_string(path).is_ok_and(|there| there == text) {
        return;
    }
    std::fs::create_dir_all(path.parent().unwrap()).unwrap();
    std::fs::write(path, text).unwrap();
}

/// The text with the edit made; `PLANTED` in it becomes the question whether the bug is on.
fn planted(text: &str, bug: &str, edit: &Edit) -> String {
    let count = text.matches(edit.from).count();
    let (file, from) = (edit.file, edit.from);
    assert_eq!(count, 1, "{bug} cannot be planted: {file} holds {count} times\n{from}");
    let to = edit.to.replace("PLANTED", &format!("crate::planted({bug:?})"));
    text.replacen(from, &to, 1)
}

/// The crate's manifest without what only its tests need.
fn manifest(folder: &Path) -> String {
    let text = std::fs::read_to_string(folder.join("Cargo.toml")).unwrap();
    text.split("[dev-dependencies]").next().unwrap().to_owned()
}

fn copy_orchestrator(workspace: &Path) {
    let from = root().join("crates/orchestrator");
    let edits = || {
        BUGS.iter()
            .flat_map(|bug| bug.edits.iter().map(move |edit| (bug, edit)))
    };
    let mut made = 0;
    copy(
        &from.join("src"),
        &workspace.join("orchestrator/src"),
        &mut |path, text| {
            let file = path.strip_prefix(from.join("src")).unwrap().to_str().unwrap();
            let here = edits().filter(|(_, edit)| edit.file == file);
            let text = here.fold(text, |text, (bug, edit)| {
                made += 1;
                planted(&text, bug.name, edit)
            });
            if file == "lib.rs" {
                format!(
                    "{text}\npub(crate) fn planted(bug: &str) -> bool {{\n    \
                 static ON: std::sync::OnceLock<String> = std::sync::OnceLock::new();\n    \
                 ON.get_or_init(|| std::env::var({SWITCH:?}).unwrap_or_default()) == bug\n}}\n"
                )
            } else {
                text
            }
        },
    );
    assert_eq!(made, edits().count(), "a file that an edit names is gone");
    write(&workspace.join("orchestrator/Cargo.toml"), &manifest(&from));
}

fn copy_simulator(workspace: &Path) {
    let from = root().join("tests/simulation");
    copy(&from.join("src"), &workspace.join("simulation/src"), &mut |_, text| {
        text
    });
    write(&workspace.join("simulation/Cargo.toml"), &manifest(&from));
}

/// What the copies inherit, from the repository's own workspace.
fn workspace_manifest() -> String {
    let text = std::fs::read_to_string(root().join("Cargo.toml")).unwrap();
    let inherited = text.split_once("[workspace.package]").unwrap().1;
    let inherited: String = inherited
        .lines()
        .take_while(|line| !line.starts_with("[profile"))
        .filter(|line| !line.contains("{ path = "))
        .map(|line| format!("{line}\n"))
        .collect();
    let inherited = inherited.replace(
        "[workspace.dependencies]\n",
        "[workspace.dependencies]\norchestrator = { path = \"orchestrator\" }\n",
    );
    format!(
        "[workspace]\nresolver = \"3\"\nmembers = [\"orchestrator\", \"simulation\"]\n\n[workspace.package]{inherited}\n\
         [profile.dev]\nopt-level = 1\ndebug = false\nincremental = false\n"
    )
}

/// The simulator's copy, built.
fn build() -> PathBuf {
    let workspace = root().join("target/planted");
    copy_orchestrator(&workspace);
    copy_simulator(&workspace);
    write(&workspace.join("Cargo.toml"), &workspace_manifest());
    // The same versions as everywhere; what the copies do not need is left out by cargo.
    std::fs::copy(root().join("Cargo.lock"), workspace.join("Cargo.lock")).unwrap();
    let target = workspace.join("target");
    let built = Command::new(env!("CARGO"))
        .args(["build", "--quiet", "--offline", "--ignore-rust-version"])
        .env("CARGO_TARGET_DIR", &target)
        .env("RUSTFLAGS", "--cap-lints=allow")
        .current_dir(&workspace)
        .status()
        .unwrap();
    assert!(built.success(), "the copy with the planted bugs does not build");
    target.join("debug/simulate")
}

fn run(simulator: &Path, bug: &str, seeds: u32) -> Output {
    Command::new(simulator)
        .args(["--quiet", "--seed", "1", "--seeds", &seeds.to_string()])
        .env(SWITCH, bug)
        .output()
        .unwrap()
}

#[test]
fn every_planted_bug_is_found() {
    let simulator = build();
    let sound = run(&simulator, "", SOUND);
    let said = String::from_utf8_lossy(&sound.stdout);
    assert!(sound.status.success(), "without a bug: {said}");
    let mut survived = Vec::new();
    for bug in BUGS {
        let ended = run(&simulator, bug.name, bug.seeds);
        let said = String::from_utf8_lossy(&ended.stdout);
        println!(
            "{} ({}): {}",
            bug.name,
            bug.mistake,
            said.lines().next().unwrap_or_default()
        );
        match ended.status.code() {
            Some(1) => {}
            Some(0) => survived.push(bug.name),
            other => panic!(
                "{} ended with {other:?}: {}",
                bug.name,
                String::from_utf8_lossy(&ended.stderr)
            ),
        }
    }
    assert!(survived.is_empty(), "not found: {survived:?}");
    assert_a_failing_seed_is_told(&simulator);
}

/// A seed that fails names itself and the command that runs it again, is made as short as it gets, and fails the same way
/// each time. Not a test of its own, because it needs the same copy.
fn assert_a_failing_seed_is_told(simulator: &Path) {
    let told = |arguments: &[&str]| {
        let mut command = Command::new(simulator);
        let ended = command.args(arguments).env(SWITCH, BUGS[0].name).output().unwrap();
        assert_eq!(ended.status.code(), Some(1), "{arguments:?}");
        String::from_utf8(ended.stdout).unwrap()
    };
    let many = told(&["--seed", "1", "--seeds", "20"]);
    assert_eq!(many, told(&["--seed", "1", "--seeds", "20"]), "it replays exactly");
    let (first, rest) = many.split_once('\n').unwrap();
    let seed = first.strip_prefix("seed ").and_then(|rest| rest.split(' ').next());
    let again = format!("cargo xtask simulate --seed {}", seed.unwrap());
    assert!(rest.lines().next().is_some_and(|line| line.ends_with(&again)), "{rest}");
    let violated = |text: &str| {
        let (_, said) = text.split_once("invariant ").unwrap();
        said.split(' ').next().unwrap().to_owned()
    };
    let (short, trace) = rest.split_once("\nits trace:\n").unwrap();
    assert!(short.contains("as short as it gets:\n"), "{short}");
    assert_eq!(
        violated(first),
        violated(trace),
        "the shorter one breaks the same invariant"
    );
    let alone = told(&["--seed", seed.unwrap()]);
    assert_eq!(violated(first), violated(&alone), "and so does the seed alone");
    assert!(short.lines().count() < alone.lines().filter(|line| line.contains(" call ")).count());
}

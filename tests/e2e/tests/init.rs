//! A new project works at once: what `init` writes is formatted, synthesizes, passes its own tests, and is released on
//! the embedded cloud.

use std::path::PathBuf;
use std::process::{Command, Output};

use e2e::{Ended, Project, get};

/// Third-party crates are built once for all runs of these tests.
fn target() -> PathBuf {
    let test = std::env::current_exe().expect("a test knows where it is");
    test.ancestors()
        .nth(3)
        .expect("tests stand in target/PROFILE/deps")
        .join("e2e/init")
}

fn run(project: &Project, arguments: &[&str]) -> Ended {
    let output: Output = project
        .command(arguments)
        .env("CARGO_TARGET_DIR", target())
        .output()
        .expect("the binary starts");
    output.into()
}

fn new_project() -> Project {
    let project = Project::empty();
    let checkout = concat!(env!("CARGO_MANIFEST_DIR"), "/../..");
    let said = project
        .run(&["init", "--name", "my-shop", "--crates", checkout])
        .expect(0)
        .stdout;
    assert!(said.contains("synth"), "{said}");
    project
}

#[test]
fn it_synthesizes_passes_its_tests_and_is_released() {
    let project = new_project();
    let template = run(&project, &["synth"]).expect(0).stdout;
    assert!(template.contains("my-shop-local-errors"), "{template}");
    assert!(project.path().join("cdk.out/MyShop.template.json").is_file());

    let tests: Ended = Command::new("cargo")
        .args(["test", "--quiet", "--ignore-rust-version"])
        .current_dir(project.path())
        .env("CARGO_TARGET_DIR", target())
        .output()
        .unwrap()
        .into();
    let tests = tests.expect(0);
    assert!(tests.stdout.contains("test result: ok"), "{}", tests.stdout);

    run(&project, &["deploy", "--env", "local", "--blue-green"]).expect(0);
    let (status, body) = get(&format!("{}/hello?name=you", project.live_url().trim_end_matches('/'))).unwrap();
    assert_eq!((status, body.as_str()), (200, "hello, you\n"));
}

#[test]
fn what_it_writes_is_formatted() {
    let project = new_project();
    let sources = [
        "stacks/src/main.rs",
        "stacks/src/service/tests.rs",
        "functions/hello/src/main.rs",
    ];
    let formatted: Ended = Command::new("rustfmt")
        .args(["--check", "--edition", "2024"])
        .args(sources)
        .current_dir(project.path())
        .output()
        .unwrap()
        .into();
    formatted.expect(0);
}

#[test]
fn what_cannot_become_a_project_is_refused() {
    let project = Project::empty();
    for (arguments, code, word) in [
        (["init", "2024", "--json"], "LD0105", "--name"),
        (["init", "shop", "--name=Shop_1"], "LD0105", "--name"),
        (["init", "shop", "--crates=nowhere"], "LD0106", "crates/stack"),
    ] {
        let ended = project.run(&arguments).expect(2);
        assert!(ended.stderr.contains(&format!("error[{code}]")), "{}", ended.stderr);
        assert!(ended.stderr.contains(word), "{}", ended.stderr);
    }
    let ended = project.run(&["init", "shop", "--region", "mars"]).expect(2);
    assert!(ended.stderr.contains("eu-west-1"), "{}", ended.stderr);
    assert_eq!(std::fs::read_dir(project.path()).unwrap().count(), 0);
}

#[test]
fn nothing_is_overwritten() {
    let project = Project::empty();
    project.write("shop/notes.txt", "mine");
    let ended = project.run(&["init", "shop"]).expect(2);
    assert!(ended.stderr.contains("error[LD0105]"), "{}", ended.stderr);
    assert!(ended.stderr.contains("notes.txt"), "{}", ended.stderr);
    let left: Vec<_> = std::fs::read_dir(project.path().join("shop")).unwrap().collect();
    assert_eq!(left.len(), 1);
}

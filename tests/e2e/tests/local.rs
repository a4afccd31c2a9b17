//! The embedded cloud between commands: it comes back where it was, with what it had.

use std::net::TcpStream;

use e2e::{Project, get};

fn endpoint(project: &Project) -> String {
    let up = project.run(&["local", "up", "--json"]).expect(0).json().remove(0);
    up["endpoint"].as_str().expect("an endpoint").to_owned()
}

#[test]
fn it_comes_back_on_its_port() {
    let project = Project::service();
    let first = endpoint(&project);
    assert_eq!(endpoint(&project), first, "it runs already");
    project.run(&["local", "down"]).expect(0);
    assert_eq!(project.run(&["local", "status"]).status, Some(1));
    assert_eq!(endpoint(&project), first);
    // Where somebody else has taken the port, any other will do.
    project.run(&["local", "down"]).expect(0);
    let _taken = std::net::TcpListener::bind(first.trim_start_matches("http://")).expect("the port is free");
    assert_ne!(endpoint(&project), first);
}

#[test]
fn what_it_had_survives_its_kill() {
    let project = Project::service();
    project.run(&["deploy", "--blue-green"]).expect(0);
    let url = format!("{}/hello", project.live_url());
    let address = endpoint(&project).trim_start_matches("http://").to_owned();
    let status = project.run(&["local", "status", "--json"]).expect(0).json().remove(0);
    let pid = status["health"]["pid"].as_u64().expect("a process id").to_string();
    assert!(
        std::process::Command::new("kill")
            .args(["-9", &pid])
            .status()
            .expect("kill runs")
            .success()
    );
    // A process that was killed dies when its turn comes; then nobody listens any more.
    while TcpStream::connect(&address).is_ok() {}
    let diff = project.run(&["diff"]).expect(0);
    assert!(diff.stdout.contains("0 of 1 stacks differ"), "{}", diff.stdout);
    assert_eq!(get(&url).unwrap(), (200, "hello from release one".to_owned()));
    project.run(&["rollback", "local"]).expect(0);
}

#[test]
fn reset_asks_and_then_leaves_nothing() {
    let project = Project::service();
    project.run(&["deploy"]).expect(0);
    let asked = project.run(&["local", "reset"]).expect(2);
    assert!(asked.stderr.contains("error[LD0404]"), "{}", asked.stderr);
    project.run(&["local", "reset", "--yes"]).expect(0);
    assert!(!project.path().join(".llama/local").exists());
}

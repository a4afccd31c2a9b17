//! `monitor --rollback-on-breach` as a whole: a release that was good while it was rolled out, and fails later.

use e2e::{Poller, Project, get, settings};
use serde_json::json;

/// The function `soak` with a name for its answers; with `fails`, it fails the requests whose id ends with 3, which nobody
/// sends during a rollout.
fn release(project: &Project, tag: &str, fails: bool) {
    let failures = project.path().join("failures");
    let text = json!({ "tag": tag, "fails": fails, "broken": false, "failures": failures });
    project.write("function/release.json", &text.to_string());
}

#[test]
fn a_release_that_fails_while_it_is_watched_is_rolled_back() {
    let project = Project::empty();
    let text = settings("", "")
        .replace("contains = 'hello'", "")
        .replace("bake = '3s'", "bake = '1s'");
    project.write("llama-deploy.toml", &text);
    project.function("soak");
    release(&project, "one", false);
    project.run(&["deploy", "--blue-green"]).expect(0);
    release(&project, "two", true);
    project.run(&["deploy", "--blue-green"]).expect(0);
    let url = format!("{}/hello", project.live_url());
    assert_eq!(get(&url).unwrap(), (200, "two".to_owned()));

    // Whoever only watches is told, and nothing is changed.
    let failing = Poller::start(&format!("{url}?id=3"));
    let told = project.run(&["monitor", "local", "--duration", "10m"]).expect(1);
    assert!(
        told.stderr.contains("error[LD0509]") && told.stderr.contains("llama-deploy rollback local"),
        "{}",
        told.stderr
    );
    assert_eq!(get(&url).unwrap(), (200, "two".to_owned()));

    let watched = project
        .run(&["monitor", "local", "--duration", "10m", "--rollback-on-breach"])
        .expect(3);
    failing.stop();
    for part in ["BREACH", "in one switch", "release 1 serves"] {
        assert!(watched.stderr.contains(part), "no '{part}' in\n{}", watched.stderr);
    }
    assert_eq!(get(&url).unwrap(), (200, "one".to_owned()));
    let status = project.run(&["status", "--json"]).expect(0).json().remove(0);
    assert_eq!(status["live"]["number"], 1, "{status:#}");
    assert_eq!(status["open"], json!(null), "{status:#}");
    assert_eq!(status["lock"], json!(null), "{status:#}");
    assert_eq!(status["apis"][0]["as_recorded"], true, "{status:#}");
}

//! What an operator types while a deploy runs somewhere else, and afterwards: one service, led through its day. Every
//! verb is another process than the deploy; nothing waits for a clock, only for what the deploy or the journal says.

#![expect(
    clippy::unwrap_used,
    reason = "a test ends at the first thing that is not as it should be"
)]

use e2e::{Background, Ended, Poller, Project, get, settings};
use serde_json::Value;

/// Ends with this status and this code, and says what to do.
#[track_caller]
fn refused(ended: Ended, status: i32, code: &str) -> String {
    let ended = ended.expect(status);
    assert!(
        ended.stderr.contains(&format!("error[{code}]")),
        "not {code}:\n{}",
        ended.stderr
    );
    ended.stderr
}

#[track_caller]
fn said(ended: Ended, what: &str) -> String {
    let ended = ended.expect(0);
    assert!(ended.stdout.contains(what), "no '{what}' in:\n{}", ended.stdout);
    ended.stdout
}

fn status(project: &Project) -> Value {
    project.run(&["status", "--json"]).expect(0).json().remove(0)
}

/// The lease of a deploy that lives, also where it stands still for a while. Who wants the lock waits for a sign of its
/// life, which comes after a third of it.
const LIVES: &str = "1m";
/// The lease of a deploy that is killed: the test breaks it, however long that takes.
const DIES: &str = "1h";

/// Bakes of this length from now on, and such a lease. A long bake leaves it to the operator when the rollout goes on.
fn bake_for(project: &Project, bake: &str, lease: &str) {
    project.write(
        "llama-deploy.toml",
        &settings(&format!("lock-lease = '{lease}'"), "").replace("bake = '3s'", &format!("bake = '{bake}'")),
    );
}

fn deploy_until(project: &Project, arguments: &[&str], marker: &str) -> Background {
    let deploy = ["deploy", "--blue-green"].into_iter().chain(arguments.iter().copied());
    project.start(&deploy.collect::<Vec<_>>()).wait_for(marker)
}

#[test]
fn a_service_is_led_through_its_day() {
    let project = Project::service();
    nothing_stands_yet(&project);

    bake_for(&project, "1s", LIVES);
    let first = project
        .run(&[
            "deploy",
            "--blue-green",
            "--tag",
            "v1",
            "--hotfix",
            "the first is a hotfix",
        ])
        .expect(0);
    assert!(
        first.stderr.contains("HOTFIX: the first is a hotfix"),
        "a hotfix is said loudly:\n{}",
        first.stderr
    );
    let printed = first.stderr.lines().find(|line| line.contains("the journal ends with"));
    let head = printed
        .and_then(|line| line.rsplit(' ').next())
        .expect("a deploy prints the hash of its journal")
        .to_owned();
    let url = format!("{}/hello", project.live_url());

    held_then_switched_to(&project);
    assert_eq!(get(&url).unwrap().1, "hello from release two");
    audited(&project, &head);
    switched_back(&project, &url);
    aborted(&project);
    killed_unlocked_and_promoted(&project);
    watched(&project, &url);
    cleaned_up(&project);
    tampered_with(&project, &head);
}

fn nothing_stands_yet(project: &Project) {
    for verb in ["pause", "resume", "approve", "promote", "abort"] {
        let said = refused(project.run(&[verb, "local"]), 2, "LD0513");
        assert!(said.contains(verb), "{said}");
    }
    refused(project.run(&["smoke"]), 2, "LD0506");
    refused(project.run(&["monitor", "--duration", "1s"]), 2, "LD0506");
    refused(project.run(&["traffic", "switch", "--target", "idle"]), 2, "LD0515");
    refused(project.run(&["audit", "show", "local", "7"]), 2, "LD0506");
    refused(project.run(&["rollback"]), 2, "LD0107");
    refused(project.run(&["rollback", "--env", "local", "seven"]), 2, "LD0107");
    said(
        project.run(&["traffic", "show", "--env", "local"]),
        "nothing was released yet",
    );
    said(project.run(&["audit", "show"]), "nothing was rolled out");
    said(project.run(&["audit", "verify"]), "0 rollouts");
    said(project.run(&["unlock", "local"]), "nobody holds the lock");
    said(project.run(&["cleanup"]), "no release");
    // The grammar's own refusals change nothing either.
    for wrong in [
        &["unlock", "local", "--force"][..],
        &["monitor", "local"],
        &["traffic", "switch", "local"],
        &["traffic", "switch", "local", "--target", "red"],
        &["audit", "verify", "--head", "nohash"],
        &["deploy", "--hold"],
        &["cleanup", "--confirm", "local"],
        &["status", "local", "--env", "local"],
    ] {
        project.run(wrong).expect(2);
    }
    for verb in ["pause", "smoke", "cleanup", "unlock", "status", "history"] {
        refused(project.run(&[verb, "prd"]), 2, "LD0103");
    }
}

/// `--hold` stops after the smoke test; the guide's `traffic switch` lets it go on; pause, resume and promote lead it.
fn held_then_switched_to(project: &Project) {
    project.function("changed");
    bake_for(project, "1h", LIVES);
    let deploy = deploy_until(project, &["--hold", "--tag", "v2"], "WAITING FOR APPROVAL of step 1");
    let held = status(project);
    assert_eq!(held["open"]["state"], "awaiting_approval", "{held:#}");
    assert_eq!(held["open"]["approval_of"], 0, "{held:#}");
    assert_eq!(held["live"]["tag"], "v1", "{held:#}");
    assert_eq!(held["apis"][0]["traffic"]["canary"], Value::Null, "{held:#}");
    let (live, idle) = (
        held["live"]["slot"].as_str().unwrap().to_owned(),
        held["open"]["slot"].as_str().unwrap().to_owned(),
    );
    assert_eq!(held["slots"][&idle]["tag"], "v2", "{held:#}");
    said(project.run(&["status"]), "WAITS FOR APPROVAL of step 1 of 3");

    let smoked = project
        .run(&["smoke", "--env", "local", "--target", &idle, "--json"])
        .expect(0)
        .json();
    assert_eq!((smoked.len(), &smoked[0]["tag"]), (1, &Value::from("v2")), "{smoked:?}");
    said(
        project.run(&["smoke", "local", "--target", "live"]),
        "release 1 (v1): 2 checks passed",
    );
    refused(project.run(&["traffic", "switch", "--target", &live]), 2, "LD0515");
    refused(project.run(&["cleanup"]), 4, "LD0501");

    said(
        project.run(&["traffic", "switch", "--env", "local", "--target", &idle]),
        "approved",
    );
    let deploy = deploy.wait_for("has 10 % of the live traffic");
    said(project.run(&["pause"]), "paused");
    let said_again = refused(project.run(&["pause"]), 2, "LD0512");
    assert!(said_again.contains("it is paused already"), "{said_again}");
    let paused = said(project.run(&["status"]), "PAUSED by");
    assert!(paused.contains("baking at 10 %, step 1 of 3"), "{paused}");
    said(project.run(&["resume", "--env", "local"]), "goes on");
    refused(project.run(&["resume"]), 2, "LD0512");
    refused(project.run(&["approve"]), 2, "LD0512");
    said(
        project.run(&["promote", "local", "--reason", "seen enough"]),
        "goes live at the next look",
    );
    deploy.expect(0);
    let live = status(project);
    assert_eq!(
        (&live["live"]["tag"], &live["open"]),
        (&Value::from("v2"), &Value::Null)
    );
    assert!(live["live_actor"]["name"].is_string(), "{live:#}");
}

fn audited(project: &Project, head: &str) {
    let sound = said(project.run(&["audit", "verify", "--head", head]), "as it was written");
    assert!(
        sound.contains("of rollout 1; ") && sound.contains("came after it"),
        "{sound}"
    );
    let shown = said(project.run(&["audit", "show"]), "promote (seen enough)");
    for part in [
        "opened: release 2 (v2)",
        "ASKED by",
        "JUDGED step 1: pass",
        "expected: no canary",
    ] {
        assert!(shown.contains(part), "no '{part}' in\n{shown}");
    }
    let first = project
        .run(&["audit", "show", "--env", "local", "1", "--json"])
        .expect(0)
        .json();
    assert_eq!(first[0]["head"], head);
    assert!(
        first[0]["records"].as_array().unwrap().iter().any(|record| {
            record["event"]["kind"] == "judged" && record["event"]["judgement"]["samples"].is_object()
        }),
        "a decision stands in the journal with its samples"
    );
}

/// The guide's way back and forth.
fn switched_back(project: &Project, url: &str) {
    let live = status(project)["live"]["slot"].as_str().unwrap().to_owned();
    said(
        project.run(&["traffic", "switch", "--target", &live]),
        "is live already",
    );
    let back = project
        .run(&["traffic", "switch", "local", "--target", "idle"])
        .expect(0);
    assert!(back.stderr.contains("in one switch"), "{}", back.stderr);
    assert_eq!(get(url).unwrap().1, "hello from release one");
    said(project.run(&["traffic", "show"]), "release 1 (v1) in slot");
    project.run(&["traffic", "switch", "--target", &live]).expect(0);
    assert_eq!(get(url).unwrap().1, "hello from release two");
}

fn aborted(project: &Project) {
    let deploy = deploy_until(project, &["--hold"], "WAITING FOR APPROVAL");
    said(project.run(&["abort", "--reason", "the wrong ticket"]), "turns back");
    // Turned back, and no interrupt.
    deploy.expect(3);
    let screen = said(project.run(&["status"]), "was turned back: aborted: the wrong ticket");
    assert!(screen.contains("nothing is going on"), "{screen}");
    said(project.run(&["history"]), "aborted: the wrong ticket");
}

/// The runner is gone: whoever says what is to become of the rollout carries it on.
fn killed_unlocked_and_promoted(project: &Project) {
    project.function("good");
    bake_for(project, "1h", DIES);
    deploy_until(project, &["--tag", "v4"], "has 10 % of the live traffic").kill();
    let held = refused(project.run(&["unlock"]), 4, "LD0501");
    assert!(held.contains("is held by") && held.contains("--force"), "{held}");
    let unlock = ["unlock", "local", "--force", "--reason", "the runner was cancelled"];
    said(project.run(&unlock), "is broken");
    said(project.run(&["status"]), "NOBODY IS AT WORK on rollout");
    let nobody = refused(project.run(&["pause"]), 2, "LD0512");
    assert!(nobody.contains("resume"), "{nobody}");
    let promoted = project.run(&["promote", "--reason", "it was fine"]).expect(0);
    assert!(promoted.stderr.contains("Carrying it on"), "{}", promoted.stderr);
    assert_eq!(status(project)["live"]["tag"], "v4");
}

fn watched(project: &Project, url: &str) {
    let undecided = refused(
        project.run(&["monitor", "--env", "local", "--duration", "1s"]),
        1,
        "LD0510",
    );
    assert!(undecided.contains("calls"), "{undecided}");
    let poller = Poller::start(url);
    // On a slow machine it takes longer until there are enough calls to decide.
    let watched = ["3s", "30s", "5m"]
        .iter()
        .map(|duration| project.run(&["monitor", "local", "--duration", duration]))
        .find(|watched| !watched.stderr.contains("error[LD0510]"));
    poller.stop();
    said(watched.expect("one of them decides"), "nothing to object");
}

fn cleaned_up(project: &Project) {
    let kept = said(project.run(&["cleanup"]), "no release of local is past its retention");
    assert!(kept.contains("the next way back stays until"), "{kept}");
    refused(project.run(&["cleanup", "--now"]), 2, "LD0107");
    refused(project.run(&["cleanup", "--now", "--confirm", "prod"]), 2, "LD0107");
    let gone = said(
        project.run(&["cleanup", "--now", "--confirm", "local"]),
        "given up: release",
    );
    assert!(gone.contains("deleted version"), "{gone}");
    refused(project.run(&["traffic", "switch", "--target", "idle"]), 2, "LD0515");
    refused(project.run(&["rollback", "local"]), 2, "LD0506");
    said(project.run(&["smoke"]), "checks passed");
}

fn tampered_with(project: &Project, head: &str) {
    said(project.run(&["audit", "verify", "--head", head]), "as it was written");
    let ledger = project.path().join(".llama/local/ledger/local");
    let record = ledger.join("rollouts/000002/000007.json");
    let text = std::fs::read_to_string(&record).unwrap();
    std::fs::write(&record, text.replacen("\"name\": \"", "\"name\": \"not ", 1)).unwrap();
    let found = project.run(&["audit", "verify", "--json"]).expect(5).json();
    assert_eq!(found[0]["sound"], false, "{found:?}");
    assert_eq!(
        found[0]["report"]["problems"][0]["object"], "local/rollouts/000002/000008.json",
        "the one after it does not follow: {found:?}"
    );
    refused(project.run(&["audit", "verify"]), 5, "LD0511");
    std::fs::write(&record, text).unwrap();
    project.run(&["audit", "verify"]).expect(0);

    // The newest rollouts cut off: sound in itself, and found by the hash that a log has kept.
    let newest = project.run(&["audit", "verify", "--json"]).expect(0).json();
    let newest = newest[0]["report"]["head"]["hash"].as_str().unwrap().to_owned();
    std::fs::rename(ledger.join("standings"), project.path().join("standings")).unwrap();
    for rollout in 2.. {
        let journal = ledger.join(format!("rollouts/{rollout:06}"));
        if std::fs::rename(&journal, project.path().join(format!("journal-{rollout}"))).is_err() {
            break;
        }
    }
    project.run(&["audit", "verify"]).expect(0);
    let cut = refused(project.run(&["audit", "verify", "--head", &newest]), 5, "LD0511");
    assert!(cut.contains("cut off"), "{cut}");
}

//! What is wrong is said clearly, with a stable code and a stable exit status, and nothing is half done.

use e2e::{Ended, Project, settings};

/// Ends with this status and this code, and says where to read on.
#[track_caller]
fn refused(ended: Ended, status: i32, code: &str) -> String {
    let ended = ended.expect(status);
    assert!(
        ended.stderr.contains(&format!("error[{code}]")),
        "not {code}:\n{}",
        ended.stderr
    );
    assert!(
        ended.stderr.contains(&format!("llama-deploy explain {code}")),
        "{}",
        ended.stderr
    );
    assert!(!ended.stderr.contains("stack backtrace"), "{}", ended.stderr);
    ended.stderr
}

fn scenario(name: &str) -> Project {
    let project = Project::service();
    project.write(
        "llama-deploy.toml",
        &settings("", &format!("context = {{ scenario = '{name}' }}")),
    );
    project
}

/// No stack stands.
fn assert_nothing_deployed(project: &Project) {
    let diff = project
        .run(&["diff", "--json", "--context", "scenario="])
        .expect(0)
        .json();
    let resources = diff[0]["stacks"][0]["diff"]["resources"]
        .as_array()
        .expect("a list of resources")
        .clone();
    assert!(
        !resources.is_empty() && resources.iter().all(|resource| resource["change"] == "add"),
        "{resources:#?}"
    );
}

#[test]
fn no_settings_file() {
    let project = Project::empty();
    let said = refused(project.run(&["synth"]), 2, "LD0101");
    assert!(said.contains("llama-deploy.toml"), "{said}");
}

#[test]
fn settings_that_are_not_valid() {
    let project = Project::service();
    project.write("llama-deploy.toml", &settings("gatez = 1", ""));
    let said = refused(project.run(&["synth"]), 2, "LD0102");
    assert!(said.contains("gatez"), "{said}");
}

#[test]
fn an_unknown_environment() {
    let project = Project::service();
    let said = refused(project.run(&["deploy", "--env", "prd"]), 2, "LD0103");
    assert!(said.contains("it has: local"), "{said}");
    refused(project.run(&["rollback", "prd"]), 2, "LD0103");
}

#[test]
fn an_app_that_does_not_compile() {
    let project = Project::empty();
    project.write(
        "Cargo.toml",
        "[package]\nname = \"broken\"\nversion = \"0.1.0\"\nedition = \"2024\"\n",
    );
    project.write("src/main.rs", "fn main() { let x: u32 = \"text\"; }\n");
    project.write(
        "llama-deploy.toml",
        "[app]\npackage = 'broken'\n[environments.local]\nport = 0\n",
    );
    let said = refused(project.run(&["synth"]), 2, "LD0201");
    assert!(
        said.contains("src/main.rs:1") && said.contains("mismatched types"),
        "{said}"
    );
}

#[test]
fn an_app_that_panics() {
    let said = refused(scenario("panic").run(&["synth"]), 2, "LD0202");
    assert!(said.contains("this app panics") && said.contains("app.rs:"), "{said}");
}

#[test]
fn an_app_that_does_not_exist() {
    let project = Project::empty();
    project.write(
        "llama-deploy.toml",
        "[app]\ncommand = ['./no-such-app']\n[environments.local]\nport = 0\n",
    );
    let said = refused(project.run(&["synth"]), 2, "LD0202");
    assert!(said.contains("no-such-app"), "{said}");
}

#[test]
fn a_duplicate_id() {
    let said = refused(scenario("twice").run(&["synth"]), 2, "LD0202");
    assert!(said.contains("Queue") && said.contains("app.rs:"), "{said}");
}

#[test]
fn a_template_that_refers_to_nothing() {
    let project = scenario("unresolved");
    let said = refused(project.run(&["deploy"]), 2, "LD0403");
    assert!(said.contains("Nothing"), "{said}");
    assert_nothing_deployed(&project);
}

#[test]
fn a_stack_that_the_app_does_not_have() {
    let said = refused(Project::service().run(&["deploy", "Servce"]), 2, "LD0204");
    assert!(said.contains("it has: Service"), "{said}");
}

#[test]
fn a_function_without_its_code() {
    let project = Project::service();
    std::fs::remove_dir_all(project.path().join("function")).unwrap();
    let said = refused(project.run(&["deploy"]), 2, "LD0205");
    assert!(said.contains("function"), "{said}");
}

#[test]
fn a_port_that_is_taken() {
    let other = std::net::TcpListener::bind("127.0.0.1:0").unwrap();
    let port = other.local_addr().unwrap().port();
    let project = Project::service();
    let said = refused(project.run(&["local", "up", "--port", &port.to_string()]), 1, "LD0301");
    assert!(said.contains(&port.to_string()), "{said}");
}

#[test]
fn nothing_to_go_back_to() {
    let project = Project::service();
    refused(project.run(&["rollback", "local"]), 2, "LD0506");
    project.run(&["deploy", "--blue-green"]).expect(0);
    let said = refused(project.run(&["rollback", "local", "7"]), 2, "LD0506");
    assert!(said.contains('7'), "{said}");
}

#[test]
fn a_journal_that_is_damaged() {
    let project = Project::service();
    project.run(&["deploy", "--blue-green"]).expect(0);
    let journal = project.path().join(".llama/local/ledger/local/rollouts/000001");
    let mut records: Vec<_> = std::fs::read_dir(&journal)
        .unwrap()
        .map(|entry| entry.unwrap().path())
        .collect();
    records.sort();
    let record = &records[records.len() / 2];
    let text = std::fs::read_to_string(record).unwrap();
    std::fs::write(record, text.replacen("succe", "suxxe", 1).replacen(':', ": ", 1)).unwrap();
    let said = refused(project.run(&["deploy", "--blue-green"]), 5, "LD0502");
    assert!(said.contains("damaged"), "{said}");
    let status = project.run(&["status"]).expect(0);
    assert!(status.stdout.contains("JOURNAL"), "{}", status.stdout);
}

#[test]
fn a_database_that_the_environment_does_not_have() {
    refused(Project::service().run(&["migrate", "status"]), 2, "LD0104");
}

#[test]
fn failures_are_documents_too() {
    let project = Project::service();
    let failure = project
        .run(&["deploy", "--env", "prd", "--json"])
        .expect(2)
        .json()
        .remove(0);
    assert_eq!(failure["error"]["code"], "LD0103");
    assert!(failure["error"]["hints"][0].as_str().unwrap().contains("local"));
}

#[test]
fn a_change_that_nobody_can_approve() {
    let project = Project::service();
    project.write("llama-deploy.toml", &settings("", "approval = 'any'"));
    let said = refused(project.run(&["deploy", "--blue-green"]), 2, "LD0404");
    assert!(said.contains("Add") && said.contains("AWS::Lambda::Function"), "{said}");
    assert_nothing_deployed(&project);
    project.run(&["deploy", "--yes"]).expect(0);
}

#[test]
fn nothing_to_compare_with() {
    let project = Project::service();
    let said = refused(project.run(&["diff", "--against", "nowhere"]), 2, "LD0207");
    assert!(
        said.contains("nowhere") && said.contains("the folder of an assembly"),
        "{said}"
    );
    project.write("notes.json", "[1, 2]");
    let said = refused(project.run(&["diff", "--against", "notes.json"]), 2, "LD0403");
    assert!(said.contains("notes.json is no CloudFormation template"), "{said}");
    project.write("broken.yaml", "Resources: [");
    refused(project.run(&["diff", "--against", "broken.yaml"]), 2, "LD0403");
    project.write("empty/readme", "");
    refused(project.run(&["diff", "--against", "empty"]), 2, "LD0203");
    project.write("other/manifest.json", r#"{ "version": "41.0.0", "artifacts": {} }"#);
    let said = refused(project.run(&["diff", "Service", "--against", "other"]), 2, "LD0204");
    assert!(said.contains("other has no stack 'Service'"), "{said}");
    refused(project.run(&["diff", "Nothing", "--against", "other"]), 2, "LD0204");
}

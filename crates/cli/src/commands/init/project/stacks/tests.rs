use std::fs;

use stack::App;

use super::{STACK, build};

/// The template as JSON; it needs no account, no network and no built function.
fn template(environment: &str) -> String {
    let folder = tempfile::tempdir().unwrap();
    let functions = folder.path().join("functions");
    fs::create_dir_all(functions.join("hello")).unwrap();
    fs::write(functions.join("hello/bootstrap"), "any executable").unwrap();
    let app = App::new(folder.path().join("out"));
    build(&app, environment, &functions);
    let assembly = app.synth().unwrap();
    let template = &assembly.stack(STACK).unwrap().template;
    template.to_json().unwrap().to_string()
}

#[test]
fn the_function_is_released_by_slots() {
    assert!(template("prod").contains("LlamaDeploy::BlueGreen"));
}

#[test]
fn the_gate_of_each_environment_has_its_alarm() {
    for environment in ["local", "staging", "prod"] {
        let name = format!("\"{{name}}-{environment}-errors\"");
        assert!(template(environment).contains(&name), "no alarm {name}");
    }
}

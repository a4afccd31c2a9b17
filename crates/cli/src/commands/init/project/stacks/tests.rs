use std::fs;

use serde_json::json;
use stack::App;
use stack::assertions::Template;

use super::build;

/// It needs no account, no network and no built function.
fn template(environment: &str) -> Template {
    let folder = tempfile::tempdir().unwrap();
    let functions = folder.path().join("functions");
    fs::create_dir_all(functions.join("hello")).unwrap();
    fs::write(functions.join("hello/bootstrap"), "any executable").unwrap();
    let app = App::new(folder.path().join("out"));
    Template::of(&build(&app, environment, &functions))
}

#[test]
fn the_function_is_released_by_slots() {
    let template = template("prod");
    template.resource_count_is("AWS::Lambda::Alias", 2);
    template.has_resource_properties("AWS::Lambda::Function", json!({ "Timeout": 10 }));
    template.has_resource_properties("AWS::ApiGateway::Stage", json!({ "StageName": "prod" }));
}

#[test]
fn the_gate_of_each_environment_has_its_alarm() {
    for environment in ["local", "staging", "prod"] {
        let name = format!("{{name}}-{environment}-errors");
        let alarm = json!({ "AlarmName": name, "Threshold": 5 });
        template(environment).has_resource_properties("AWS::CloudWatch::Alarm", alarm);
    }
}

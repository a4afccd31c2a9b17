//! Slots: CloudFormation makes them once, and nothing that a rollout moves ever differs between two templates.

#![expect(clippy::unwrap_used, reason = "a test fails by it")]

use serde_json::{Value as Json, json};
use stack::apigateway::{MethodOptions, RestApi, StageOptions};
use stack::lambda::{Code, Function, Runtime};
use stack::units::mib;
use stack::{App, BlueGreen, METADATA_KEY, Stack};

/// Resources that a rollout moves, or that decide what it moves to.
const MOVED: [&str; 4] = [
    "AWS::Lambda::Version",
    "AWS::Lambda::Alias",
    "AWS::ApiGateway::Deployment",
    "AWS::ApiGateway::Stage",
];

/// The platform in small, as it is now and as it is after a change of code, size and paths.
fn template(changed: bool) -> Json {
    let folder = tempfile::tempdir().unwrap();
    let app = App::new(folder.path());
    let stack = Stack::new(&app, "S").build();
    let code = if changed { "new" } else { "old" };
    let function = Function::new(&stack, "F", Runtime::nodejs_24(), Code::inline(code))
        .memory(mib(if changed { 2048 } else { 1024 }))
        .build();
    let api = RestApi::new(&stack, "Api").deploy(false).build();
    let slots = BlueGreen::new(&stack, "Slots", &api)
        .live_stage(StageOptions::new().named("prod").tracing(true))
        .function(&function)
        .build();
    api.root()
        .add_method("GET", slots.integration(&function), MethodOptions::new());
    if changed {
        api.root()
            .add_resource("more")
            .add_method("GET", slots.integration(&function), MethodOptions::new());
    }
    app.synth().unwrap().stack("S").unwrap().template.to_json().unwrap()
}

fn moved(template: &Json) -> Vec<(String, Json)> {
    let resources = template["Resources"].as_object().unwrap();
    let is_moved = |resource: &Json| MOVED.contains(&resource["Type"].as_str().unwrap());
    resources
        .iter()
        .filter(|(_, resource)| is_moved(resource))
        .map(|(id, resource)| (id.clone(), resource["Properties"].clone()))
        .collect()
}

#[test]
fn a_change_of_the_app_changes_nothing_that_a_rollout_moves() {
    let (before, after) = (template(false), template(true));
    assert_ne!(before, after);
    let moved_before = moved(&before);
    assert_eq!(moved_before.len(), 1 + 2 + 1 + 3, "{moved_before:?}");
    assert_eq!(moved_before, moved(&after));
}

#[test]
fn the_metadata_names_what_the_template_holds() {
    let template = template(false);
    let slots = &template["Metadata"][METADATA_KEY];
    let of_type = |id: &Json| template["Resources"][id.as_str().unwrap()]["Type"].clone();
    assert_eq!(of_type(&slots["Functions"][0]), "AWS::Lambda::Function");
    let api = &slots["Apis"][0];
    assert_eq!(of_type(&api["RestApi"]), "AWS::ApiGateway::RestApi");
    let stage = |id: &Json| template["Resources"][id.as_str().unwrap()]["Properties"].clone();
    assert_eq!(stage(&api["LiveStage"])["StageName"], "prod");
    assert_eq!(stage(&api["LiveStage"])["Variables"], json!({ "color": "blue" }));
    for color in ["blue", "green"] {
        let preview = stage(&api["PreviewStages"][color]);
        assert_eq!(preview["StageName"], color);
        assert_eq!(preview["Variables"], json!({ "color": color }));
        assert_eq!(
            preview["TracingEnabled"], true,
            "the settings are those of the live stage"
        );
    }
}

#[test]
fn each_slot_may_be_invoked_and_integrations_go_through_the_color() {
    let template = template(false);
    let resources = template["Resources"].as_object().unwrap();
    let of_type = |name: &str| {
        resources
            .iter()
            .filter(|(_, resource)| resource["Type"] == name)
            .collect::<Vec<_>>()
    };
    let aliases: Vec<&String> = of_type("AWS::Lambda::Alias").into_iter().map(|(id, _)| id).collect();
    let permitted: Vec<&str> = of_type("AWS::Lambda::Permission")
        .into_iter()
        .map(|(_, permission)| permission["Properties"]["FunctionName"]["Ref"].as_str().unwrap())
        .collect();
    assert_eq!(permitted, aliases);
    let (_, method) = of_type("AWS::ApiGateway::Method")[0];
    let uri = method["Properties"]["Integration"]["Uri"]["Fn::Join"][1]
        .as_array()
        .unwrap();
    assert_eq!(uri.last().unwrap(), ":${stageVariables.color}/invocations");
}

#[test]
fn a_function_without_slots_is_refused() {
    let folder = tempfile::tempdir().unwrap();
    let app = App::new(folder.path());
    let stack = Stack::new(&app, "S").build();
    let function = Function::new(&stack, "F", Runtime::nodejs_24(), Code::inline("x")).build();
    let api = RestApi::new(&stack, "Api").deploy(false).build();
    let slots = BlueGreen::new(&stack, "Slots", &api).build();
    api.root()
        .add_method("GET", slots.integration(&function), MethodOptions::new());
    let errors = app.synth().unwrap_err();
    assert!(errors.to_string().contains("`S/F` has no slots"), "{errors}");
}

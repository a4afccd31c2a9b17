//! One function behind an API, in two slots: a release is tested in the idle one before it gets traffic.

use std::path::Path;

use stack::apigateway::{MethodOptions, RestApi, StageOptions};
use stack::cloudwatch::Alarm;
use stack::lambda::{Code, Function, Runtime};
use stack::units::{mib, minutes, seconds};
use stack::{App, BlueGreen, CfnOutput, Stack};

/// `functions` is the folder in which each function has a folder with its executable `bootstrap`.
pub fn build(app: &App, environment: &str, functions: &Path) -> Stack {
    let stack = Stack::new(app, "{{stack}}")
        .description("{{name}}, made by llama-deploy init")
        .termination_protection(environment == "prod")
        .build();
    let hello = Function::new(
        &stack,
        "Hello",
        Runtime::provided_al2023(),
        Code::asset(functions.join("hello")),
    )
    .timeout(seconds(10))
    .memory(mib(256))
    .build();
    let api = RestApi::new(&stack, "Api")
        .rest_api_name(format!("{{name}}-{environment}"))
        .deploy(false)
        .cloud_watch_role(false)
        .build();
    let slots = BlueGreen::new(&stack, "Slots", &api)
        .function(&hello)
        .live_stage(StageOptions::new().named("prod").throttling(100.0, 200))
        .build();
    let resource = api.root().add_resource("hello");
    resource.add_method("GET", slots.integration(&hello), MethodOptions::new());

    // The gates of a rollout in llama-deploy.toml name this alarm: while it is on, no release gets more traffic.
    Alarm::new(&stack, "Errors", hello.metric_errors().period(minutes(1)))
        .alarm_name(format!("{{name}}-{environment}-errors"))
        .description("The function fails")
        .at_least(5.0)
        .for_periods(1)
        .build();
    CfnOutput::new(&stack, "Url", api.url())
        .description("Where the API answers")
        .build();
    stack
}

#[cfg(test)]
mod tests;

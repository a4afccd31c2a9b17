//! The app of the end-to-end tests: one function behind an API, in slots. The context value `scenario` breaks it in a
//! way that a user's app can be broken.

use std::process::ExitCode;

use cfn::id::secretsmanager::SecretId;
use cfn::sqs::Queue;
use cfn::{Expr, Target, Value};
use stack::apigateway::{MethodOptions, RestApi, StageOptions};
use stack::ec2::{SubnetSelection, SubnetType, Vpc};
use stack::lambda::{Code, Function, Runtime};
use stack::rds::{DatabaseInstance, postgres};
use stack::{App, BlueGreen, CfnOutput, CfnResource, Scope, Stack};

fn main() -> ExitCode {
    stack::run(|app| {
        let scenario = scenario(app);
        let service = Stack::new(app, "Service").build();
        let mut hello = Function::new(&service, "Hello", Runtime::provided_al2023(), Code::asset("function"))
            .handler("bootstrap")
            // A slow machine is no reason to fail.
            .timeout(std::time::Duration::from_secs(60));
        if scenario == "database" {
            hello = hello.environment("DB_SECRET_ARN", database(&service));
        }
        let hello = hello.build();
        let api = RestApi::new(&service, "Api")
            .deploy(false)
            .cloud_watch_role(false)
            .build();
        let slots = BlueGreen::new(&service, "Slots", &api)
            .function(&hello)
            .live_stage(StageOptions::new().named("prod"))
            .build();
        api.root()
            .add_resource("hello")
            .add_method("GET", slots.integration(&hello), MethodOptions::new());
        CfnOutput::new(&service, "Url", api.url()).build();
        match scenario.as_str() {
            "panic" => panic!("this app panics"),
            "twice" => {
                CfnResource::new(&service, "Queue", Queue::new());
                CfnResource::new(&service, "Queue", Queue::new());
            }
            "unresolved" => {
                let nothing = Value::<String>::from_expr(Expr::Ref(Target::Logical("Nothing".into())));
                CfnResource::new(&service, "Queue", Queue::new().queue_name(nothing));
            }
            "queue" => {
                CfnResource::new(&service, "Queue", Queue::new());
            }
            "refused" => {
                CfnResource::new(&service, "Queue", Queue::new().delay_seconds(-7));
            }
            _ => {}
        }
    })
}

/// A server with a database; the ARN of its secret, which is an output too.
fn database(service: &Stack) -> Value<SecretId> {
    let vpc = Vpc::new(service, "Network").nat_gateways(0).build();
    let inside = SubnetSelection::of_type(SubnetType::PrivateIsolated);
    let database = DatabaseInstance::new(service, "Database", postgres("15.17"), &vpc)
        .vpc_subnets(inside)
        .database_name("items")
        .build();
    let arn = database.secret().secret_arn();
    CfnOutput::new(service, "DatabaseSecretArn", arn.clone()).build();
    arn
}

fn scenario(app: &App) -> String {
    app.construct()
        .context("scenario")
        .and_then(|value| value.as_str().map(str::to_owned))
        .unwrap_or_default()
}

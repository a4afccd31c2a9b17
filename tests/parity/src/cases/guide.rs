//! The example of `docs/from-cdk.md`, which shows both sides of it.

use stack::apigateway::{LambdaIntegration, MethodOptions, RestApi};
use stack::cloudwatch::Alarm;
use stack::dynamodb::{Attribute, Capacity, Table};
use stack::lambda::{Architecture, Code, Function, Runtime, SqsEventSource};
use stack::sqs::Queue;
use stack::units::seconds;
use stack::{App, Stack, Tags};

// begin example
pub fn build(app: &App) {
    let stack = Stack::new(app, "Orders").region("eu-west-1").build();
    let table = Table::new(&stack, "Table", Attribute::string("id"))
        .capacity(Capacity::on_demand())
        .build();
    let failed = Queue::new(&stack, "Failed").build();
    let placed = Queue::new(&stack, "Placed").dead_letter_queue(&failed, 3).build();
    let code = Code::asset(super::asset("alerts"));
    let worker = Function::new(&stack, "Worker", Runtime::provided_al2023(), code)
        .architecture(Architecture::Arm64)
        .timeout(seconds(10))
        .environment("TABLE", table.table_name())
        .build();
    table.grant_read_write_data(&worker);
    worker.add_event_source(SqsEventSource::new(&placed).batch_size(5).report_batch_item_failures());
    let api = RestApi::new(&stack, "Api").build();
    let orders = api.root().add_resource("orders");
    orders.add_method("POST", LambdaIntegration::new(&worker), MethodOptions::new());
    Alarm::new(&stack, "Failures", worker.metric_errors())
        .at_least(5.0)
        .for_periods(2)
        .build();
    Tags::of(&stack).add("team", "orders");
}
// end example

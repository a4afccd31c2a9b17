//! Databases, schedules and state machines that AWS would refuse are refused here, each mistake in words of its own.

#![expect(clippy::unwrap_used, reason = "a test fails by it")]

use serde_json::json;
use stack::ec2::{InstanceClass, InstanceSize, InstanceType, SubnetSelection, SubnetType, Vpc};
use stack::lambda::{Code, Function, Runtime};
use stack::rds::{
    ClusterInstance, Credentials, DatabaseCluster, DatabaseInsightsMode, DatabaseInstance, ParameterGroup, StorageType,
    aurora_postgres, mysql, postgres,
};
use stack::s3::Bucket;
use stack::scheduler::{Moment, Schedule, ScheduleExpression, Target, TimeWindow};
use stack::sqs::Queue;
use stack::stepfunctions::{
    Choice, Condition, Fail, Input, LambdaInvoke, Parallel, Pass, Retry, SdkCall, SendMessage, StartExecution,
    StateMachine, Succeed, Task,
};
use stack::units::{days, hours, minutes, seconds};
use stack::{App, Stack};

/// What synthesis says of an app, beside codes and places.
fn mistakes(build: impl FnOnce(&Stack)) -> String {
    let folder = tempfile::tempdir().unwrap();
    let app = App::new(folder.path().join("out"));
    build(&Stack::new(&app, "S").build());
    let errors = app.synth().unwrap_err();
    for error in errors.iter() {
        assert!(
            error.location().unwrap().file().ends_with("mistakes.rs"),
            "{error}: {:?}",
            error.location()
        );
    }
    errors.to_string()
}

fn assert_all(text: &str, expected: &[&str]) {
    for part in expected {
        assert!(text.contains(part), "`{part}` is not in:\n{text}");
    }
    assert_eq!(text.matches("error[").count(), expected.len(), "{text}");
}

#[test]
fn of_instances() {
    let text = mistakes(|stack| {
        let vpc = Vpc::new(stack, "Vpc").build();
        let engine = postgres("16.13");
        let group = ParameterGroup::new(stack, "Group", &engine).build();
        DatabaseInstance::new(stack, "Db", engine, &vpc)
            .multi_az(true)
            .availability_zone("a")
            .storage_throughput(500)
            .parameter_group(&group)
            .parameter("a", "1")
            .performance_insights(false)
            .performance_insights_retention_days(31)
            .credentials(Credentials::password("me", "secret"))
            .build()
            .secret();
        let mysql = DatabaseInstance::new(stack, "Mysql", mysql("8.4.5"), &vpc)
            .storage_type(StorageType::Gp3)
            .iops(1000)
            .storage_throughput(500)
            .s3_import(&Bucket::new(stack, "Bucket").build())
            .database_insights_mode(DatabaseInsightsMode::Advanced)
            .iam_authentication(false)
            .build();
        let function = Function::new(stack, "Fn", Runtime::nodejs_24(), Code::inline("x")).build();
        mysql.grant_connect(&function, "me");
    });
    assert_all(
        &text,
        &[
            "stands in two zones",
            "only GP3 storage takes a throughput",
            "parameters belong into the parameter group",
            "performance insights are off",
            "a password would stand in the template",
            "this instance has no secret of its own",
            "500 MiB a second need 2000 operations a second at least, not 1000",
            "mysql loads and unloads no data from S3",
            "keeps for 465 days",
            "authentication with IAM is turned off",
        ],
    );
    assert!(!text.contains("\"secret\""), "{text}");
}

#[test]
fn of_clusters() {
    let text = mistakes(|stack| {
        let vpc = Vpc::new(stack, "Vpc").max_azs(1).build();
        let medium = InstanceType::new(InstanceClass::T4G, InstanceSize::Medium);
        let reader = ClusterInstance::provisioned("reader", &medium).promotion_tier(16);
        let writer = ClusterInstance::serverless_v2("writer");
        DatabaseCluster::new(stack, "Db", aurora_postgres("16.13"), writer, &vpc)
            .reader(reader)
            .vpc_subnets(SubnetSelection::of_type(SubnetType::Public))
            .serverless_v2_capacity(0.7, 300.0)
            .serverless_v2_auto_pause(seconds(10))
            .cluster_level_enhanced_monitoring()
            .replication_source("arn")
            .credentials(Credentials::username("me"))
            .enable_data_api(false)
            .build()
            .grant_data_api_access(stack::iam::Principal::account_root());
    });
    assert_all(
        &text,
        &[
            "a cluster needs two subnets at least, and there are 1",
            "the tier of a reader is from 0 to 15, not 16",
            "steps of a half, unlike 0.7 to 300",
            "from 0 up to between 1 and 256 units, unlike 0.7 to 300",
            "pauses after five minutes at the soonest",
            "measuring by the cluster needs `monitoring_interval`",
            "takes no credentials",
            "because it is turned off",
        ],
    );
}

#[test]
fn of_schedules() {
    let text = mistakes(|stack| {
        let queue = Queue::new(stack, "Queue").build();
        let target = Target::queue(&queue).retry_attempts(186).max_event_age(days(2));
        Schedule::new(stack, "Rate", ScheduleExpression::rate(seconds(5)), target)
            .schedule_name("n".repeat(65))
            .time_window(TimeWindow::Flexible(days(2)))
            .start(Moment::on(2027, 1, 1))
            .end(Moment::on(2026, 2, 30))
            .build();
        let once = ScheduleExpression::at(Moment::on(2026, 13, 1));
        Schedule::new(stack, "Once", once, Target::sdk_call("RDS", "describeDBInstances")).build();
        let hourly = ScheduleExpression::rate(hours(1));
        Schedule::new(stack, "Hourly", hourly, Target::sdk_call("rds", "StopDBInstance")).build();
    });
    assert_all(
        &text,
        &[
            "tries 185 times again at most",
            "for a minute at least and a day at most",
            "a rate is a minute at least",
            "has 64 characters at most",
            "is late by a minute at least",
            "there is no 2026-02-30T00:00:00",
            "before it starts at 2027-01-01T00:00:00",
            "there is no 2026-13-01T00:00:00",
            "written in small letters, not `RDS`",
            "makes no call that only reads, such as RDS:describeDBInstances",
            "as in `stopDBInstance`, not `StopDBInstance`",
        ],
    );
}

#[test]
fn of_state_machines() {
    let text = mistakes(|stack| {
        let first = Pass::new(stack, "First").input_path("order").build();
        let end = Succeed::new(stack, "End").build();
        let twice = first.next(&end);
        first.next(&Pass::new(stack, "Second").build());
        twice.next(&Pass::new(stack, "Third").state_name("First").build());
        StateMachine::new(stack, "Machine", &first)
            .state_machine_name("a b")
            .build();
        StateMachine::new(stack, "Other", &end).build();
        Parallel::new(stack, "None").build();
        Fail::new(stack, "Fail").cause_path("States.MathAdd(1, 2)").build();
        let choice = Choice::new(stack, "Choice").build();
        choice
            .when(Condition::is_null("x"), &end)
            .when(Condition::any([]), &end)
            .otherwise(&end)
            .otherwise(&end);
    });
    assert_all(
        &text,
        &[
            "`order` is no path",
            "another state follows `First` already",
            "nothing can follow `First`",
            "`End` belongs to another state machine or branch already",
            "letters, digits and of `+!@.()-=_'`",
            "needs a branch at least",
            "neither a path nor one of",
            "`x` is no path",
            "all or any of no conditions",
            "follows already where no condition holds",
        ],
    );
}

#[test]
fn of_tasks() {
    let text = mistakes(|stack| {
        let queue = Queue::new(stack, "Queue").build();
        let send = SendMessage::new(&queue, json!({ "token": "$$.Task.Token" })).wait_for_task_token();
        let errors = Retry::on(["States.ALL", "Mine"]).interval(minutes(1));
        let send = Task::new(stack, "Send", send).retry(errors).build();
        send.metric_failed();
        let function = Function::new(stack, "Fn", Runtime::nodejs_24(), Code::inline("x")).build();
        let invoke = LambdaInvoke::new(&function).payload_response_only().qualifier("live");
        Task::new(stack, "Invoke", invoke).build();
        let call = SdkCall::new("s3", "GetObject", ["*"]).parameters(json!({ "bucket": "b" }));
        Task::new(stack, "Call", call).build();
        let machine = StateMachine::new(stack, "Machine", &send).build();
        let start = StartExecution::new(&machine)
            .input(Input::path("$.x"))
            .associate_with_parent();
        Task::new(stack, "Start", start).build();
        let same = Pass::new(stack, "Same").state_name("Twin").build();
        let twin = Pass::new(stack, "Twin").build();
        StateMachine::new(stack, "Twins", &same.next(&twin)).build();
    });
    assert_all(
        &text,
        &[
            "nobody can call back",
            "States.ALL says all, and stands alone",
            "measures tasks of functions only",
            "nothing but the payload can be said",
            "not `GetObject`",
            "parameters begin with a capital, unlike `bucket`",
            "its input must be an object",
            "the state `Twin` has the name of S/Same",
        ],
    );
}

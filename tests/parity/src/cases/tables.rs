//! DynamoDB tables in their variants: capacity, scaling, indexes, encryption, streams, grants, imports.

use stack::cloudwatch::{Alarm, Dashboard, GraphWidget, Series};
use stack::dynamodb::{
    Attribute, Capacity, ContributorInsights, GlobalSecondaryIndex, GlobalTable, GlobalTableEncryption,
    LocalSecondaryIndex, Operation, Projection, Replica, ScheduledCapacity, StreamPrecision, StreamView, Table,
    TableClass, TableEncryption, TableReference, Utilization, WarmThroughput,
};
use stack::events::Schedule;
use stack::iam::{PolicyStatement, Principal, Role};
use stack::kinesis::{Stream, StreamEncryption};
use stack::kms::Key;
use stack::units::{days, minutes, seconds};
use stack::{App, CfnOutput, RemovalPolicy, Stack};

pub fn build(app: &App) {
    provisioned(app);
    grants(app);
    encrypted(app);
    global(app);
}

fn provisioned(app: &App) {
    let stack = Stack::new(app, "Provisioned").env("123456789012", "eu-west-1").build();
    Table::new(&stack, "Plain", Attribute::string("id")).build();
    let by_owner = GlobalSecondaryIndex::new("byOwner", Attribute::string("owner"))
        .capacity(Capacity::provisioned(3, 5))
        .projection(Projection::include(["a", "b"]));
    let by_both = GlobalSecondaryIndex::new("byHashAndOwner", Attribute::binary("hash"))
        .and_partition_key(Attribute::string("owner"))
        .sort_key(Attribute::number("at"))
        .sort_key(Attribute::number("rank"))
        .contributor_insights(ContributorInsights::Off)
        .warm_throughput(WarmThroughput::new().read_units_per_second(12_000));
    let warm = WarmThroughput::new()
        .read_units_per_second(13_000)
        .write_units_per_second(5_000);
    let changes = "arn:aws:kinesis:eu-west-1:123456789012:stream/changes";
    let table = Table::new(&stack, "Scaled", Attribute::string("id"))
        .table_name("scaled")
        .sort_key(Attribute::number("at"))
        .capacity(Capacity::provisioned(10, 2))
        .table_class(TableClass::StandardInfrequentAccess)
        .deletion_protection(true)
        .encryption(TableEncryption::AwsOwned)
        .contributor_insights(ContributorInsights::ThrottledKeys)
        .point_in_time_recovery_for(days(7))
        .kinesis_stream_with(changes, StreamPrecision::Millisecond)
        .warm_throughput(warm)
        .global_secondary_index(by_owner)
        .local_secondary_index(
            LocalSecondaryIndex::new("byHash", Attribute::binary("hash")).projection(Projection::KeysOnly),
        )
        .global_secondary_index(by_both)
        .build();
    table
        .auto_scale_read_capacity(5, 50)
        .scale_on_utilization(&Utilization::percent(70.0));
    let writes = table.auto_scale_write_capacity(1, 20);
    writes.scale_on_utilization(
        &Utilization::percent(55.5)
            .scale_in_cooldown(minutes(5))
            .scale_out_cooldown(seconds(30))
            .disable_scale_in(true)
            .policy_name("writes"),
    );
    writes.scale_on_schedule("Morning", &ScheduledCapacity::at(Schedule::daily(8, 0)).min(10));
    let evening = ScheduledCapacity::at(Schedule::expression("cron(0 20 * * ? *)"))
        .min(1)
        .max(5)
        .time_zone("Europe/Berlin");
    writes.scale_on_schedule("Evening", &evening);
    let most = Utilization::percent(75.0);
    table
        .auto_scale_index_read_capacity("byOwner", 1, 4)
        .scale_on_utilization(&most);
    table
        .auto_scale_index_write_capacity("byOwner", 1, 4)
        .scale_on_utilization(&most);
}

fn grants(app: &App) {
    let stack = Stack::new(app, "Grants").build();
    let role = Role::new(&stack, "Role", Principal::service("ec2.amazonaws.com")).build();
    let plain = Table::new(&stack, "Plain", Attribute::string("id"))
        .capacity(Capacity::on_demand_up_to(100, 50))
        .stream(StreamView::KeysOnly)
        .removal_policy(RemovalPolicy::Destroy)
        .point_in_time_recovery(false)
        .build();
    plain.grant_read_data(&role);
    plain.grant_write_data(&role);
    plain.grant_stream(&role, ["dynamodb:DescribeStream"]);
    plain.grant_list_streams(&role);
    plain.grant_stream_read(&role);
    let other = Role::new(&stack, "Other", Principal::service("ec2.amazonaws.com")).build();
    let by_id = GlobalSecondaryIndex::new("byId", Attribute::string("id")).capacity(Capacity::OnDemand {
        max_read: Some(7),
        max_write: None,
    });
    let indexed = Table::new(&stack, "Indexed", Attribute::string("id"))
        .capacity(Capacity::on_demand())
        .global_secondary_index(by_id)
        .build();
    indexed.grant_read_data(&other);
    indexed.grant_write_data(&other);
    indexed.grant_full_access(&other);
    indexed.grant(&other, ["dynamodb:DescribeTable", "dynamodb:Scan"]);
    indexed.grant_read_write_data(Principal::account("111111111111"));
    indexed.add_to_resource_policy(
        PolicyStatement::allow(["dynamodb:GetItem"])
            .by(Principal::arn("arn:aws:iam::111111111111:role/x"))
            .on_all(),
    );
    let theirs = "arn:aws:dynamodb:eu-west-1:123456789012:table/theirs";
    let imported = TableReference::from_arn(&stack, "ByArn", theirs).build();
    imported.grant_read_write_data(&role);
    let named = TableReference::from_name(&stack, "ByName", "named").build();
    named.grant_read_data(&role);
    let attributed = TableReference::from_name(&stack, "ByAttributes", "attributed")
        .stream_arn("arn:aws:dynamodb:eu-west-1:123456789012:table/attributed/stream/1")
        .with_indexes()
        .build();
    attributed.grant_read_data(&role);
    attributed.grant_stream_read(&role);
    metrics(&stack, &plain);
    CfnOutput::new(&stack, "StreamArn", plain.stream_arn()).build();
    CfnOutput::new(&stack, "ImportedName", imported.table_name()).build();
    CfnOutput::new(&stack, "NamedArn", named.table_arn()).build();
}

fn metrics(stack: &Stack, table: &Table) {
    let errors = table.metric_system_errors_for_operations([Operation::Scan, Operation::TransactWriteItems]);
    let alarms: [(&str, Series); 8] = [
        ("Consumed", table.metric_consumed_read_capacity_units().into()),
        (
            "Written",
            table.metric_consumed_write_capacity_units().period(minutes(1)).into(),
        ),
        ("Checks", table.metric_conditional_check_failed_requests().into()),
        ("User", table.metric_user_errors().into()),
        ("System", errors.into()),
        (
            "Throttled",
            table.metric_throttled_requests_for(Operation::Query).into(),
        ),
        (
            "Slow",
            table.metric_successful_request_latency(Operation::GetItem).into(),
        ),
        ("Any", table.metric("ReturnedItemCount").into()),
    ];
    for (id, series) in alarms {
        Alarm::new(stack, id, series).at_least(1.0).build();
    }
    let throttled = table.metric_throttled_requests_for_operations(Operation::ALL);
    Dashboard::new(stack, "Board")
        .build()
        .add_widgets([GraphWidget::new().left([throttled]).into()]);
}

fn encrypted(app: &App) {
    let stack = Stack::new(app, "Encrypted").build();
    let role = |id: &str| Role::new(&stack, id, Principal::service("ec2.amazonaws.com")).build();
    let own = Table::new(&stack, "Own", Attribute::string("id"))
        .encryption(TableEncryption::CustomerManaged)
        .stream(StreamView::NewImage)
        .build();
    let reader = role("Reader");
    own.grant_read_data(&reader);
    own.grant_stream_read(&reader);
    let key = Key::new(&stack, "Shared").enable_key_rotation(true).build();
    let shared = Table::new(&stack, "SharedKey", Attribute::string("id"))
        .encryption(TableEncryption::Key(key.clone()))
        .build();
    let writer = role("Writer");
    shared.grant_write_data(&writer);
    shared.grant_read_write_data(&writer);
    shared.grant_full_access(&role("Owner"));
    let stream = Stream::new(&stack, "Stream")
        .encryption(StreamEncryption::Key(key))
        .build();
    stream.grant_read(&role("StreamReader"));
    stream.grant_write(&role("StreamWriter"));
    Stream::new(&stack, "OwnStream")
        .encryption(StreamEncryption::CustomerManaged)
        .build()
        .grant_read_write(&role("Both"));
}

fn global(app: &App) {
    let open = Stack::new(app, "Single").build();
    GlobalTable::new(&open, "Plain", Attribute::string("id")).build();
    let stack = Stack::new(app, "Global").env("123456789012", "eu-west-1").build();
    let role = |id: &str| Role::new(&stack, id, Principal::service("ec2.amazonaws.com")).build();
    let by_owner = GlobalSecondaryIndex::new("byOwner", Attribute::string("owner"));
    let by_rank = GlobalSecondaryIndex::new("byRank", Attribute::number("rank"));
    let frankfurt = Replica::new("eu-central-1")
        .deletion_protection(false)
        .max_read_request_units(20)
        .table_class(TableClass::StandardInfrequentAccess)
        .point_in_time_recovery(false);
    let table = GlobalTable::new(&stack, "Table", Attribute::string("id"))
        .table_name("everywhere")
        .sort_key(Attribute::number("at"))
        .max_read_request_units(100)
        .max_write_request_units(50)
        .encryption(GlobalTableEncryption::AwsManaged)
        .time_to_live_attribute("gone")
        .point_in_time_recovery_for(days(5))
        .deletion_protection(true)
        .table_class(TableClass::Standard)
        .contributor_insights(ContributorInsights::AccessedAndThrottledKeys)
        .removal_policy(RemovalPolicy::Destroy)
        .global_secondary_index(by_owner.capacity(Capacity::on_demand_up_to(9, 8)))
        .global_secondary_index(by_rank.projection(Projection::KeysOnly))
        .local_secondary_index(LocalSecondaryIndex::new("byHash", Attribute::binary("hash")))
        .replica(frankfurt)
        .replica(Replica::new("us-east-1").contributor_insights(ContributorInsights::Off))
        .build();
    table.grant_read_data(&role("Reader"));
    table.grant_read_write_data(Principal::account("222222222222"));
    table.grant_stream_read(&role("Streams"));
    let owned = GlobalTable::new(&stack, "Owned", Attribute::string("id"))
        .encryption(GlobalTableEncryption::AwsOwned)
        .stream(StreamView::KeysOnly)
        .warm_throughput(WarmThroughput::new().read_units_per_second(13_000))
        .build();
    let writer = role("Writer");
    owned.grant_write_data(&writer);
    owned.grant_stream_read(&writer);
    let key = Key::new(&stack, "Key").build();
    let there = "arn:aws:kms:eu-central-1:123456789012:key/there";
    let keys = vec![("eu-central-1".to_owned(), cfn::Value::from_expr(there.into()))];
    let keyed = GlobalTable::new(&stack, "Keyed", Attribute::string("id"))
        .replica(Replica::new("eu-central-1"))
        .multi_region_consistency("EVENTUAL")
        .encryption(GlobalTableEncryption::CustomerManaged(key, keys))
        .build();
    keyed.grant_full_access(&role("Owner"));
    CfnOutput::new(&stack, "Stream", owned.stream_arn()).build();
}

//! Options of instances, clusters and secrets that `database`, `phase2` and `options` leave out.

use stack::cloudwatch::Alarm;
use stack::ec2::{InstanceClass, InstanceSize, InstanceType, Peer, SecurityGroup, SubnetSelection, SubnetType, Vpc};
use stack::iam::{Principal, Role};
use stack::kms::Key;
use stack::lambda::{Code, Function, Runtime};
use stack::rds::{
    ClusterInstance, ClusterStorageType, Credentials, DatabaseCluster, DatabaseInsightsMode, DatabaseInstance,
    DatabaseOption, DatabaseSecret, OptionGroup, ParameterGroup, Snapshot, StorageType, SubnetGroup, aurora_mysql,
    aurora_postgres, mariadb, mysql, oracle_se2, postgres, sql_server_ex,
};
use stack::s3::Bucket;
use stack::secretsmanager::Secret;
use stack::units::{days, gib, hours, minutes, seconds};
use stack::{App, CfnOutput, RemovalPolicy, Stack};

const KEY: &str = "arn:aws:kms:eu-west-1:123456789012:key/01234567-89ab-cdef-0123-456789abcdef";

pub fn build(app: &App) {
    instances(&Shared::new(app, "Instances"));
    clusters(&Shared::new(app, "Clusters"));
}

struct Shared {
    stack: Stack,
    vpc: Vpc,
    key: Key,
    bucket: Bucket,
    function: Function,
}

impl Shared {
    fn new(app: &App, id: &str) -> Self {
        let stack = Stack::new(app, id).build();
        Self {
            vpc: Vpc::new(&stack, "Vpc").max_azs(2).nat_gateways(1).build(),
            key: Key::from_arn(&stack, "Key", KEY),
            bucket: Bucket::new(&stack, "Bucket").build(),
            function: Function::new(&stack, "Fn", Runtime::nodejs_22(), Code::inline("x"))
                .handler("index.handler")
                .build(),
            stack,
        }
    }
}

fn instances(shared: &Shared) {
    let Shared {
        stack, vpc, function, ..
    } = shared;
    let large = InstanceType::new(InstanceClass::M6G, InstanceSize::Large);
    let primary = maria(shared);
    let replica = DatabaseInstance::read_replica(stack, "Replica", &primary, vpc, large.clone())
        .vpc_subnets(SubnetSelection::of_type(SubnetType::Public))
        .storage_encryption_key(KEY)
        .storage_type(StorageType::Gp3)
        .allocated_storage(gib(200))
        .performance_insights(false)
        .removal_policy(RemovalPolicy::Retain)
        .deletion_protection(false)
        .backup_retention(days(1))
        .iam_authentication(true)
        .port(3307)
        .instance_identifier("replica")
        .domain("d-1")
        .build();
    replica.grant_connect(function, "reader");
    Alarm::new(stack, "Memory", replica.metric_freeable_memory())
        .at_least(1.0)
        .for_periods(1)
        .build();
    primary.grant_connect_as_first_user(function);
    primary.secret().grant_write(function);
    CfnOutput::new(stack, "Address", primary.socket_address()).build();
    CfnOutput::new(stack, "Arn", replica.instance_arn()).build();
    engines(shared);

    let found = Secret::from_name(stack, "Found", "db/found");
    let arn = "arn:aws:secretsmanager:eu-west-1:123456789012:secret:db-AbCdEf";
    let complete = Secret::from_arn(stack, "Complete", arn);
    found.grant_read(function);
    complete.grant_read(function);
    let engine = mysql("8.4.5");
    DatabaseInstance::new(stack, "Mysql", engine.clone(), vpc)
        .credentials(Credentials::secret(&complete))
        .build();
    let snapshot = Snapshot::of_instance("snap");
    DatabaseInstance::from_snapshot(stack, "Plain", engine.clone(), vpc, snapshot)
        .instance_type(large)
        .build();
    let snapshot = Snapshot::of_cluster("cluster-snap");
    DatabaseInstance::from_snapshot(stack, "Generated", engine, vpc, snapshot)
        .credentials(Credentials::generated_secret("admin"))
        .build();
    sealed(shared);
    let user = DatabaseSecret::new(stack, "User", "app")
        .database_name("llama")
        .master_secret(primary.secret())
        .replace_on_password_criteria_changes()
        .exclude_characters("!")
        .build();
    let user = user.attach(primary.resource().handle(), "AWS::RDS::DBInstance");
    CfnOutput::new(stack, "UserSecret", user.secret_arn()).build();
}

fn sealed(
    Shared {
        stack, vpc, function, ..
    }: &Shared,
) {
    let own = Key::new(stack, "OwnKey").build();
    let sealed = Secret::new(stack, "Sealed")
        .encryption_key(&own)
        .replica_region_with_key("eu-central-1", KEY)
        .build();
    sealed.grant_read_stages(function, ["AWSCURRENT"]);
    sealed.grant_write(function);
    sealed.deny_account_root_delete();
    DatabaseInstance::new(stack, "Locked", mysql("8.4.5"), vpc)
        .credentials(Credentials::generated_secret("me").encryption_key(&own))
        .storage_encryption_key(&own)
        .build()
        .secret()
        .grant_read(function);
}

fn maria(Shared { stack, vpc, key, .. }: &Shared) -> DatabaseInstance {
    let monitor = Role::new(stack, "Monitor", Principal::service("monitoring.rds.amazonaws.com")).build();
    let engine = mariadb("11.4.5");
    let audit = OptionGroup::new(stack, "Audit", &engine)
        .description("audit")
        .option_group_name("audit")
        .option(DatabaseOption::new("MARIADB_AUDIT_PLUGIN").setting("SERVER_AUDIT_EVENTS", "CONNECT"))
        .build();
    let both = ParameterGroup::new(stack, "Both", &engine)
        .parameter_group_name("both")
        .description("d")
        .parameter("a", "1")
        .removal_policy(RemovalPolicy::Retain)
        .build();
    let subnets = SubnetGroup::new(stack, "Subnets", vpc, "shared")
        .subnet_group_name("Shared-Subnets")
        .vpc_subnets(SubnetSelection::of_type(SubnetType::Public))
        .removal_policy(RemovalPolicy::Destroy)
        .build();
    let credentials = Credentials::username("me")
        .secret_name("maria")
        .encryption_key(key)
        .exclude_characters("\"@/")
        .replica_region("eu-central-1");
    let primary = DatabaseInstance::new(stack, "Maria", engine, vpc)
        .option_group(&audit)
        .parameter_group(&both)
        .subnet_group(&subnets)
        .publicly_accessible(true)
        .credentials(credentials)
        .storage_encryption_key(KEY)
        .storage_type(StorageType::Io2)
        .multi_az(true)
        .backup_retention(days(0))
        .monitoring_interval(seconds(15))
        .monitoring_role(&monitor)
        .performance_insights_encryption_key(KEY)
        .ca_certificate("rds-ca-rsa2048-g1")
        .network_type("DUAL")
        .apply_immediately(true)
        .processor_features(2, 1)
        .removal_policy(RemovalPolicy::RetainOnUpdateOrDelete)
        .build();
    both.add_parameter("b", "2");
    both.for_clusters();
    primary
}

fn engines(shared: &Shared) {
    let Shared {
        stack,
        vpc,
        key,
        bucket,
        function,
    } = shared;
    DatabaseInstance::new(stack, "Postgres", postgres("17.5"), vpc)
        .vpc_subnets(SubnetSelection::preferred().one_per_az())
        .availability_zone("eu-west-1a")
        .s3_import(bucket)
        .s3_export(bucket)
        .credentials(Credentials::managed("root").encryption_key(key))
        .domain("d-1234567890")
        .monitoring_interval(seconds(0))
        .database_insights_mode(DatabaseInsightsMode::Advanced)
        .performance_insights_retention_days(465)
        .engine_lifecycle_support("open-source-rds-extended-support-disabled")
        .storage_type(StorageType::Standard)
        .iops(5)
        .build()
        .secret()
        .grant_read(function);
    let oracle = oracle_se2("19.0.0.0.ru-2024-01.rur-2024-01.r1");
    let manager = OptionGroup::new(stack, "Manager", &oracle)
        .option(DatabaseOption::new("OEM").port(1158, vpc))
        .option(DatabaseOption::new("S3_OTHER").version("2.0"))
        .build();
    if let Some(listener) = manager.connections("OEM") {
        listener.allow_default_port_from(&Peer::any_ipv4());
    }
    DatabaseInstance::new(stack, "Oracle", oracle, vpc)
        .option_group(&manager)
        .license_model("bring-your-own-license")
        .character_set_name("AL32UTF8")
        .s3_import(bucket)
        .s3_export(bucket)
        .parameter("open_cursors", "300")
        .credentials(Credentials::password("sys", "{{resolve:ssm-secure:oracle:1}}"))
        .build();
    DatabaseInstance::new(stack, "SqlServer", sql_server_ex("15.00.4236.7.v1"), vpc)
        .timezone("UTC")
        .s3_export(bucket)
        .parameter("x", "1")
        .license_model("license-included")
        .auto_minor_version_upgrade(true)
        .build();
}

fn clusters(shared: &Shared) {
    let Shared {
        stack,
        vpc,
        bucket,
        function,
        ..
    } = shared;
    let main = main_cluster(shared);
    main.grant_connect(function, "app");
    main.grant_data_api_access(function);
    main.connections().allow_default_port_internally();
    Alarm::new(stack, "Capacity", main.metric_serverless_database_capacity())
        .at_least(10.0)
        .for_periods(2)
        .build();
    let read = cfn::text![main.read_endpoint_address(), ":", main.endpoint_port()];
    CfnOutput::new(stack, "Read", read).build();
    CfnOutput::new(stack, "ClusterArn", main.cluster_arn()).build();
    let identifiers = cfn::intrinsics::join(",", main.instance_identifiers());
    CfnOutput::new(stack, "Identifiers", identifiers).build();

    let engine = aurora_mysql("8.0.mysql_aurora.3.08.0");
    let serverless = || ClusterInstance::serverless_v2("writer");
    DatabaseCluster::new(stack, "Mysql", engine.clone(), serverless(), vpc)
        .credentials(Credentials::managed("admin"))
        .backtrack_window(hours(24))
        .s3_import(bucket)
        .s3_export(bucket)
        .monitoring_interval(seconds(60))
        .cluster_level_enhanced_monitoring()
        .performance_insights(true)
        .database_insights_mode(DatabaseInsightsMode::Standard)
        .enable_data_api(true)
        .enable_local_write_forwarding(true)
        .deletion_protection(true)
        .removal_policy(RemovalPolicy::Destroy)
        .vpc_subnets(SubnetSelection::of_type(SubnetType::Public))
        .build();
    let medium = InstanceType::new(InstanceClass::T3, InstanceSize::Medium);
    let writer = ClusterInstance::provisioned("writer", &medium);
    DatabaseCluster::new(stack, "Follower", engine, writer, vpc)
        .parameter("binlog_format", "ROW")
        .replication_source("arn:aws:rds:eu-west-1:123456789012:cluster:source")
        .storage_type(ClusterStorageType::Aurora)
        .performance_insights(false)
        .engine_lifecycle_support("open-source-rds-extended-support")
        .build();
    let engine = aurora_postgres("16.6");
    DatabaseCluster::from_snapshot(stack, "Restored", engine.clone(), serverless(), vpc, "snap")
        .subnet_group(&SubnetGroup::named("known"))
        .credentials(Credentials::username("root"))
        .security_groups([SecurityGroup::new(stack, "Group", vpc).build()])
        .build();
    DatabaseCluster::from_snapshot(stack, "Same", engine, serverless(), vpc, "snap").build();
}

fn main_cluster(Shared { stack, vpc, bucket, .. }: &Shared) -> DatabaseCluster {
    let engine = aurora_postgres("16.6");
    let parameters = ParameterGroup::new(stack, "Params", &engine)
        .parameter("p", "1")
        .build();
    let large = InstanceType::new(InstanceClass::R7G, InstanceSize::XLarge2);
    let writer = ClusterInstance::provisioned("writer", &large)
        .parameter_group(&parameters)
        .performance_insights(true)
        .publicly_accessible(true)
        .performance_insights_encryption_key(KEY);
    let follows = ClusterInstance::serverless_v2("follows")
        .scale_with_writer(true)
        .instance_identifier("follows")
        .ca_certificate("rds-ca-rsa2048-g1")
        .parameter("q", "2");
    let medium = InstanceType::new(InstanceClass::T4G, InstanceSize::Medium);
    let last = ClusterInstance::provisioned("last", &medium)
        .promotion_tier(15)
        .auto_minor_version_upgrade(false)
        .allow_major_version_upgrade(true)
        .availability_zone("x")
        .apply_immediately(true)
        .preferred_maintenance_window("sun:05:00-sun:06:00")
        .performance_insights_retention_days(31);
    DatabaseCluster::new(stack, "Main", engine, writer, vpc)
        .vpc_subnets(SubnetSelection::of_type(SubnetType::PrivateWithEgress))
        .parameter_group(&parameters)
        .reader(follows)
        .reader(last)
        .serverless_v2_capacity(0.0, 12.5)
        .serverless_v2_auto_pause(minutes(10))
        .credentials(Credentials::generated_secret("root").secret_name("main"))
        .backup_retention(days(7))
        .preferred_backup_window("01:00-02:00")
        .preferred_maintenance_window("sun:05:00-sun:06:00")
        .cluster_identifier("main")
        .port(6432)
        .copy_tags_to_snapshot(false)
        .cloudwatch_logs_exports(["postgresql"])
        .storage_type(ClusterStorageType::AuroraIoOptimized)
        .storage_encryption_key(KEY)
        .iam_authentication(true)
        .monitoring_interval(seconds(30))
        .removal_policy(RemovalPolicy::Retain)
        .network_type("DUAL")
        .auto_minor_version_upgrade(true)
        .delete_automated_backups(true)
        .s3_import(bucket)
        .s3_export(bucket)
        .domain("d-1234567890")
        .build()
}

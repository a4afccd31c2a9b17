"""Every RDS, ElastiCache and DynamoDB operation that the embedded cloud serves, with a real Postgres and Redis behind."""

import datetime
import json
import shutil
import socket

from witnessed import assert_all_called, client, refused

rds = client("rds")
rds.create_db_subnet_group(DBSubnetGroupName="Subnets", DBSubnetGroupDescription="d", SubnetIds=["subnet-1", "subnet-2"])
assert rds.describe_db_subnet_groups(DBSubnetGroupName="subnets")["DBSubnetGroups"][0]["Subnets"][1]["SubnetIdentifier"] == "subnet-2"
rds.create_db_parameter_group(DBParameterGroupName="params", DBParameterGroupFamily="postgres15", Description="d")
assert rds.describe_db_parameter_groups()["DBParameterGroups"][0]["DBParameterGroupFamily"] == "postgres15"
assert rds.describe_db_parameters(DBParameterGroupName="params")["Parameters"] == []
assert rds.describe_db_engine_versions(Engine="postgres")["DBEngineVersions"][0]["Engine"] == "postgres"

refused("InvalidParameterValue", 400, rds.create_db_instance, DBInstanceIdentifier="x", DBInstanceClass="db.t4g.micro",
        Engine="mysql", MasterUsername="u", MasterUserPassword="password")
rds.create_db_instance(DBInstanceIdentifier="Main", DBInstanceClass="db.t4g.micro", Engine="postgres", MasterUsername="llama",
                       MasterUserPassword="p'ass word", DBName="app", AllocatedStorage=20, DBSubnetGroupName="subnets",
                       DeletionProtection=True, Tags=[{"Key": "k", "Value": "v"}])
rds.get_waiter("db_instance_available").wait(DBInstanceIdentifier="main")
refused("DBInstanceAlreadyExists", 400, rds.create_db_instance, DBInstanceIdentifier="main", DBInstanceClass="c",
        Engine="postgres", MasterUsername="llama", MasterUserPassword="password")
main = rds.describe_db_instances(DBInstanceIdentifier="main")["DBInstances"][0]
assert (main["MasterUsername"], main["DBName"], main["DeletionProtection"]) == ("llama", "app", True)


def answers(endpoint):
    """Whether a Postgres answers: it replies to an SSL request with one letter."""
    try:
        with socket.create_connection((endpoint["Address"], endpoint["Port"]), 2) as connection:
            connection.sendall(b"\x00\x00\x00\x08\x04\xd2\x16\x2f")
            return connection.recv(1) in (b"S", b"N")
    except OSError:
        return False


def restored_of(instance):
    """What a restored instance has of its original without being told."""
    return [instance[name] for name in ("DBInstanceClass", "AllocatedStorage", "StorageType", "MasterUsername", "DBName")]


assert main["Endpoint"]["Address"] == "127.0.0.1" and answers(main["Endpoint"])
refused("DBInstanceNotFound", 404, rds.describe_db_instances, DBInstanceIdentifier="absent")
assert rds.list_tags_for_resource(ResourceName=main["DBInstanceArn"])["TagList"] == [{"Key": "k", "Value": "v"}]
rds.add_tags_to_resource(ResourceName=main["DBInstanceArn"], Tags=[{"Key": "a", "Value": "b"}])
rds.remove_tags_from_resource(ResourceName=main["DBInstanceArn"], TagKeys=["k"])
rds.stop_db_instance(DBInstanceIdentifier="main")
assert not answers(main["Endpoint"])
rds.start_db_instance(DBInstanceIdentifier="main")
rds.reboot_db_instance(DBInstanceIdentifier="main")
assert answers(main["Endpoint"])
rds.create_db_snapshot(DBInstanceIdentifier="main", DBSnapshotIdentifier="Before")
rds.get_waiter("db_snapshot_available").wait(DBSnapshotIdentifier="before", WaiterConfig={"Delay": 1, "MaxAttempts": 600})
snapshots = rds.describe_db_snapshots(DBInstanceIdentifier="main")["DBSnapshots"]
assert [(entry["DBSnapshotIdentifier"], entry["SnapshotType"]) for entry in snapshots] == [("before", "manual")]
rds.restore_db_instance_from_db_snapshot(DBInstanceIdentifier="copy", DBSnapshotIdentifier="before")
copy = rds.describe_db_instances(Filters=[{"Name": "db-instance-id", "Values": ["copy"]}])["DBInstances"][0]
assert answers(copy["Endpoint"]) and copy["Endpoint"]["Port"] != main["Endpoint"]["Port"]
assert restored_of(copy) == restored_of(main) and not copy["DeletionProtection"], copy

# An endpoint belongs to its name: two renames put the copy in the place of the original.
refused("DBInstanceAlreadyExists", 400, rds.modify_db_instance, DBInstanceIdentifier="main", NewDBInstanceIdentifier="copy",
        ApplyImmediately=True)
waits = rds.modify_db_instance(DBInstanceIdentifier="copy", NewDBInstanceIdentifier="later")["DBInstance"]
assert (waits["DBInstanceStatus"], waits["PendingModifiedValues"]) == ("available", {"DBInstanceIdentifier": "later"})


def rename(old, new):
    answer = rds.modify_db_instance(DBInstanceIdentifier=old, NewDBInstanceIdentifier=new, ApplyImmediately=True)["DBInstance"]
    assert (answer["DBInstanceIdentifier"], answer["DBInstanceStatus"]) == (old, "modifying"), answer
    while True:
        found = {entry["DBInstanceIdentifier"]: entry for entry in rds.describe_db_instances()["DBInstances"]}
        if new in found and found[new]["DBInstanceStatus"] == "available":
            refused("DBInstanceNotFound", 404, rds.describe_db_instances, DBInstanceIdentifier=old)
            return found[new]
        assert found.get(new, found.get(old))["DBInstanceStatus"] in ("modifying", "renaming"), found


old = rename("main", "main-old")
assert old["Endpoint"]["Port"] != main["Endpoint"]["Port"] and old["DbiResourceId"] == main["DbiResourceId"]
assert not answers(main["Endpoint"]) and answers(old["Endpoint"])
new = rename("copy", "main")
assert new["Endpoint"] == main["Endpoint"] and answers(new["Endpoint"]) and new["DbiResourceId"] == copy["DbiResourceId"]
rename("main", "copy")
assert rename("main-old", "main")["Endpoint"] == main["Endpoint"]

# A restore to a time goes on from a snapshot; the copy has none.
assert "LatestRestorableTime" not in rds.describe_db_instances(DBInstanceIdentifier="copy")["DBInstances"][0]
refused("InvalidRestoreFault", 400, rds.restore_db_instance_to_point_in_time, SourceDBInstanceIdentifier="copy",
        TargetDBInstanceIdentifier="then", UseLatestRestorableTime=True)
latest = rds.describe_db_instances(DBInstanceIdentifier="main")["DBInstances"][0]["LatestRestorableTime"]
for wrong in (datetime.timedelta(days=1), datetime.timedelta(days=-1)):
    refused("InvalidRestoreFault", 400, rds.restore_db_instance_to_point_in_time, SourceDBInstanceIdentifier="main",
            TargetDBInstanceIdentifier="then", RestoreTime=latest + wrong)
refused("InvalidParameterCombination", 400, rds.restore_db_instance_to_point_in_time, SourceDBInstanceIdentifier="main",
        TargetDBInstanceIdentifier="then")
refused("DBInstanceAlreadyExists", 400, rds.restore_db_instance_to_point_in_time, SourceDBInstanceIdentifier="main",
        TargetDBInstanceIdentifier="copy", UseLatestRestorableTime=True)
rds.restore_db_instance_to_point_in_time(SourceDBInstanceIdentifier="main", TargetDBInstanceIdentifier="then",
                                         UseLatestRestorableTime=True)
then = rds.describe_db_instances(DBInstanceIdentifier="then")["DBInstances"][0]
assert answers(then["Endpoint"]) and restored_of(then) == restored_of(main)
rds.delete_db_instance(DBInstanceIdentifier="then", SkipFinalSnapshot=True)
rds.delete_db_instance(DBInstanceIdentifier="copy", SkipFinalSnapshot=True)
rds.modify_db_instance(DBInstanceIdentifier="main", BackupRetentionPeriod=0, ApplyImmediately=True)
refused("PointInTimeRestoreNotEnabled", 400, rds.restore_db_instance_to_point_in_time, SourceDBInstanceIdentifier="main",
        TargetDBInstanceIdentifier="then", UseLatestRestorableTime=True)
refused("InvalidParameterCombination", 400, rds.delete_db_instance, DBInstanceIdentifier="main", SkipFinalSnapshot=True)
rds.modify_db_instance(DBInstanceIdentifier="main", DeletionProtection=False, MasterUserPassword="another one", ApplyImmediately=True)
rds.delete_db_instance(DBInstanceIdentifier="main", FinalDBSnapshotIdentifier="last")
assert not answers(main["Endpoint"])
for snapshot in ("before", "last"):
    rds.delete_db_snapshot(DBSnapshotIdentifier=snapshot)
refused("DBSnapshotNotFound", 404, rds.describe_db_snapshots, DBSnapshotIdentifier="last")
assert rds.describe_db_clusters()["DBClusters"] == [] and rds.describe_events()["Events"] == []
rds.delete_db_subnet_group(DBSubnetGroupName="subnets")
rds.delete_db_parameter_group(DBParameterGroupName="params")
# Those of clusters are called in clusters.py.
assert_all_called("rds", "CreateDBClusterSnapshot DeleteDBClusterSnapshot DescribeDBClusterSnapshots")

caches = client("elasticache")
expected = "available" if shutil.which("redis-server") else "redis-server is not installed"
caches.create_cache_subnet_group(CacheSubnetGroupName="Subnets", CacheSubnetGroupDescription="d", SubnetIds=["subnet-1"])
assert caches.describe_cache_subnet_groups()["CacheSubnetGroups"][0]["CacheSubnetGroupName"] == "subnets"
caches.create_cache_cluster(CacheClusterId="One", Engine="redis", CacheNodeType="cache.t4g.micro", NumCacheNodes=1)
refused("CacheClusterAlreadyExists", 400, caches.create_cache_cluster, CacheClusterId="one", Engine="redis", NumCacheNodes=1)
refused("InvalidParameterCombination", 400, caches.create_cache_cluster, CacheClusterId="two", Engine="redis", NumCacheNodes=2)
one = caches.describe_cache_clusters(CacheClusterId="one", ShowCacheNodeInfo=True)["CacheClusters"][0]
assert one["CacheClusterStatus"] == expected, one
endpoint = one["CacheNodes"][0]["Endpoint"]
if expected == "available":
    with socket.create_connection((endpoint["Address"], endpoint["Port"])) as connection:
        connection.sendall(b"PING\r\n")
        assert connection.recv(16) == b"+PONG\r\n"
caches.create_replication_group(ReplicationGroupId="group", ReplicationGroupDescription="d", CacheNodeType="cache.t4g.micro")
group = caches.describe_replication_groups(ReplicationGroupId="group")["ReplicationGroups"][0]
assert group["Status"] == expected and group["NodeGroups"][0]["PrimaryEndpoint"]["Address"] == "127.0.0.1"
caches.modify_cache_cluster(CacheClusterId="one", CacheNodeType="cache.r6g.large")
caches.modify_replication_group(ReplicationGroupId="group", CacheNodeType="cache.r6g.large")
assert caches.describe_cache_clusters(CacheClusterId="one")["CacheClusters"][0]["CacheNodeType"] == "cache.r6g.large"
caches.add_tags_to_resource(ResourceName=one["ARN"], Tags=[{"Key": "k", "Value": "v"}])
assert caches.list_tags_for_resource(ResourceName=one["ARN"])["TagList"] == [{"Key": "k", "Value": "v"}]
caches.remove_tags_from_resource(ResourceName=one["ARN"], TagKeys=["k"])
if expected == "available":
    def redis(endpoint, command):
        with socket.create_connection((endpoint["Address"], endpoint["Port"])) as connection:
            connection.sendall(command)
            return connection.recv(64)

    assert redis(endpoint, b"SET k saved\r\n") == b"+OK\r\n"
    caches.create_snapshot(CacheClusterId="one", SnapshotName="Saved", Tags=[{"Key": "k", "Value": "v"}])
    saved = caches.describe_snapshots(SnapshotName="saved")["Snapshots"][0]
    assert (saved["SnapshotStatus"], saved["CacheClusterId"], saved["SnapshotSource"]) == ("available", "one", "manual")
    assert caches.list_tags_for_resource(ResourceName=saved["ARN"])["TagList"] == [{"Key": "k", "Value": "v"}]
    refused("SnapshotAlreadyExistsFault", 400, caches.create_snapshot, CacheClusterId="one", SnapshotName="saved")
    caches.create_cache_cluster(CacheClusterId="again", Engine="redis", NumCacheNodes=1, SnapshotName="saved")
    again = caches.describe_cache_clusters(CacheClusterId="again", ShowCacheNodeInfo=True)["CacheClusters"][0]
    assert redis(again["CacheNodes"][0]["Endpoint"], b"GET k\r\n") == b"$5\r\nsaved\r\n"
    caches.delete_cache_cluster(CacheClusterId="again")
    caches.create_snapshot(ReplicationGroupId="group", SnapshotName="of-group")
    of_group = caches.describe_snapshots(ReplicationGroupId="group")["Snapshots"]
    assert [entry["SnapshotName"] for entry in of_group] == ["of-group"]
    for name in ("saved", "of-group"):
        caches.delete_snapshot(SnapshotName=name)
else:
    refused("InvalidCacheClusterState", 400, caches.create_snapshot, CacheClusterId="one", SnapshotName="saved")
    refused("SnapshotNotFoundFault", 404, caches.delete_snapshot, SnapshotName="saved")
refused("InvalidParameterCombination", 400, caches.create_snapshot, SnapshotName="saved")
refused("ReplicationGroupNotFoundFault", 404, caches.create_snapshot, SnapshotName="saved", ReplicationGroupId="absent")
refused("SnapshotNotFoundFault", 404, caches.describe_snapshots, SnapshotName="saved")
caches.describe_cache_engine_versions()
caches.describe_cache_parameter_groups()
caches.delete_replication_group(ReplicationGroupId="group")
caches.delete_cache_cluster(CacheClusterId="one")
refused("CacheClusterNotFound", 404, caches.describe_cache_clusters, CacheClusterId="one")
caches.delete_cache_subnet_group(CacheSubnetGroupName="subnets")
assert_all_called("elasticache")

# Tables come from stacks; there is no operation on items.
stacks, tables = client("cloudformation"), client("dynamodb")
template = {"Resources": {"Table": {"Type": "AWS::DynamoDB::Table", "Properties": {
    "TableName": "events", "BillingMode": "PAY_PER_REQUEST", "KeySchema": [{"AttributeName": "id", "KeyType": "HASH"}],
    "AttributeDefinitions": [{"AttributeName": "id", "AttributeType": "S"}]}}}}
stacks.create_stack(StackName="tables", TemplateBody=json.dumps(template))
stacks.get_waiter("stack_create_complete").wait(StackName="tables", WaiterConfig={"Delay": 1, "MaxAttempts": 600})
assert tables.list_tables()["TableNames"] == ["events"]
table = tables.describe_table(TableName="events")["Table"]
assert (table["TableStatus"], table["KeySchema"][0]["AttributeName"]) == ("ACTIVE", "id")
backup = tables.create_backup(TableName="events", BackupName="before")["BackupDetails"]
assert backup["BackupArn"].startswith(table["TableArn"] + "/backup/")
described = tables.describe_backup(BackupArn=backup["BackupArn"])["BackupDescription"]
assert (described["BackupDetails"]["BackupStatus"], described["SourceTableDetails"]["TableId"]) == ("AVAILABLE", table["TableId"])
assert [entry["BackupName"] for entry in tables.list_backups(TableName="events")["BackupSummaries"]] == ["before"]
refused("ResourceNotFoundException", 400, tables.describe_table, TableName="absent")
refused("TableNotFoundException", 400, tables.create_backup, TableName="absent", BackupName="before")
stacks.delete_stack(StackName="tables")
stacks.get_waiter("stack_delete_complete").wait(StackName="tables", WaiterConfig={"Delay": 1, "MaxAttempts": 600})
refused("ResourceNotFoundException", 400, tables.describe_table, TableName="events")
tables.delete_backup(BackupArn=backup["BackupArn"])
refused("BackupNotFoundException", 400, tables.describe_backup, BackupArn=backup["BackupArn"])
refused("BackupNotFoundException", 400, tables.delete_backup, BackupArn=backup["BackupArn"])
assert_all_called("dynamodb")

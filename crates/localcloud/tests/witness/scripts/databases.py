"""Every RDS and ElastiCache operation that the embedded cloud serves, with a real Postgres and a real Redis behind."""

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
rds.get_waiter("db_snapshot_available").wait(DBSnapshotIdentifier="before", WaiterConfig={"Delay": 1})
snapshots = rds.describe_db_snapshots(DBInstanceIdentifier="main")["DBSnapshots"]
assert [(entry["DBSnapshotIdentifier"], entry["SnapshotType"]) for entry in snapshots] == [("before", "manual")]
rds.restore_db_instance_from_db_snapshot(DBInstanceIdentifier="copy", DBSnapshotIdentifier="before")
copy = rds.describe_db_instances(Filters=[{"Name": "db-instance-id", "Values": ["copy"]}])["DBInstances"][0]
assert answers(copy["Endpoint"]) and copy["Endpoint"]["Port"] != main["Endpoint"]["Port"]
rds.delete_db_instance(DBInstanceIdentifier="copy", SkipFinalSnapshot=True)
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
assert_all_called("rds")

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
caches.describe_cache_engine_versions()
caches.describe_cache_parameter_groups()
caches.delete_replication_group(ReplicationGroupId="group")
caches.delete_cache_cluster(CacheClusterId="one")
refused("CacheClusterNotFound", 404, caches.describe_cache_clusters, CacheClusterId="one")
caches.delete_cache_subnet_group(CacheSubnetGroupName="subnets")
assert_all_called("elasticache")

"""An Aurora cluster of a stack: described, copied by snapshots, and its last one when the stack goes."""

import json

from witnessed import client, refused

rds, stacks = client("rds"), client("cloudformation")
template = {"Resources": {
    "Cluster": {"Type": "AWS::RDS::DBCluster", "DeletionPolicy": "Snapshot", "Properties": {
        "DBClusterIdentifier": "Aurora", "Engine": "aurora-postgresql", "DatabaseName": "app", "MasterUsername": "llama",
        "MasterUserPassword": "p'ass word", "StorageEncrypted": True}},
    "Writer": {"Type": "AWS::RDS::DBInstance", "Properties": {
        "DBInstanceIdentifier": "writer", "Engine": "aurora-postgresql", "DBInstanceClass": "db.serverless",
        "DBClusterIdentifier": {"Ref": "Cluster"}}}}}
stacks.create_stack(StackName="data", TemplateBody=json.dumps(template))
stacks.get_waiter("stack_create_complete").wait(StackName="data", WaiterConfig={"Delay": 1, "MaxAttempts": 600})

cluster = rds.describe_db_clusters(DBClusterIdentifier="aurora")["DBClusters"][0]
assert (cluster["DBClusterIdentifier"], cluster["Status"], cluster["DatabaseName"]) == ("aurora", "available", "app"), cluster
assert [(one["DBInstanceIdentifier"], one["IsClusterWriter"]) for one in cluster["DBClusterMembers"]] == [("writer", True)]
writer = rds.describe_db_instances(DBInstanceIdentifier="writer")["DBInstances"][0]
assert (cluster["Endpoint"], cluster["Port"]) == (writer["Endpoint"]["Address"], writer["Endpoint"]["Port"])
filters = [{"Name": "db-cluster-id", "Values": [cluster["DBClusterArn"]]}]
assert rds.describe_db_clusters(Filters=filters)["DBClusters"] == [cluster] == rds.describe_db_clusters()["DBClusters"]
refused("DBClusterNotFoundFault", 404, rds.describe_db_clusters, DBClusterIdentifier="absent")
rds.add_tags_to_resource(ResourceName=cluster["DBClusterArn"], Tags=[{"Key": "a", "Value": "b"}])
assert {"Key": "a", "Value": "b"} in rds.list_tags_for_resource(ResourceName=cluster["DBClusterArn"])["TagList"]

tags = [{"Key": "k", "Value": "v"}]
begun = rds.create_db_cluster_snapshot(DBClusterIdentifier="aurora", DBClusterSnapshotIdentifier="Before", Tags=tags)
assert begun["DBClusterSnapshot"]["Status"] == "creating", begun
rds.get_waiter("db_cluster_snapshot_available").wait(DBClusterSnapshotIdentifier="before", WaiterConfig={"Delay": 1, "MaxAttempts": 600})
snapshot = rds.describe_db_cluster_snapshots(DBClusterIdentifier="aurora")["DBClusterSnapshots"][0]
assert (snapshot["DBClusterSnapshotIdentifier"], snapshot["DBClusterIdentifier"]) == ("before", "aurora"), snapshot
assert (snapshot["PercentProgress"], snapshot["SnapshotType"], snapshot["Engine"]) == (100, "manual", "aurora-postgresql")
assert snapshot["DbClusterResourceId"] == cluster["DbClusterResourceId"] and snapshot["StorageEncrypted"]
assert snapshot["DBClusterSnapshotArn"].endswith(":cluster-snapshot:before") and snapshot["TagList"] == tags
by_arn = rds.describe_db_cluster_snapshots(DBClusterSnapshotIdentifier=snapshot["DBClusterSnapshotArn"])
assert by_arn["DBClusterSnapshots"] == [snapshot]
assert rds.list_tags_for_resource(ResourceName=snapshot["DBClusterSnapshotArn"])["TagList"] == tags
assert rds.describe_db_cluster_snapshots(DBClusterIdentifier="other")["DBClusterSnapshots"] == []
assert rds.describe_db_cluster_snapshots(SnapshotType="automated")["DBClusterSnapshots"] == []
# One of an instance may have the same name, and neither is listed with the other.
assert rds.describe_db_snapshots()["DBSnapshots"] == []
refused("DBSnapshotNotFound", 404, rds.describe_db_snapshots, DBSnapshotIdentifier="before")
refused("DBClusterSnapshotAlreadyExistsFault", 400, rds.create_db_cluster_snapshot, DBClusterIdentifier="aurora",
        DBClusterSnapshotIdentifier="before")
refused("DBClusterNotFoundFault", 404, rds.create_db_cluster_snapshot, DBClusterIdentifier="absent",
        DBClusterSnapshotIdentifier="other")
refused("InvalidDBInstanceState", 400, rds.create_db_snapshot, DBInstanceIdentifier="writer", DBSnapshotIdentifier="other")
rds.delete_db_cluster_snapshot(DBClusterSnapshotIdentifier="before")
refused("DBClusterSnapshotNotFoundFault", 404, rds.delete_db_cluster_snapshot, DBClusterSnapshotIdentifier="before")

# The last one is CloudFormation's, and one of a cluster, too.
stacks.delete_stack(StackName="data")
stacks.get_waiter("stack_delete_complete").wait(StackName="data", WaiterConfig={"Delay": 1, "MaxAttempts": 600})
assert rds.describe_db_clusters()["DBClusters"] == []
last = rds.describe_db_cluster_snapshots()["DBClusterSnapshots"]
assert [one["DBClusterIdentifier"] for one in last] == ["aurora"], last
assert last[0]["DBClusterSnapshotIdentifier"].startswith("data-snapshot-cluster-"), last

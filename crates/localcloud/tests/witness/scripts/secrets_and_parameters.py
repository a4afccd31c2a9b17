"""Every operation of Secrets Manager, SSM and STS that the embedded cloud serves."""

from witnessed import assert_all_called, client, refused

secrets = client("secretsmanager")
made = secrets.create_secret(Name="app/key", SecretString="one", Description="d", Tags=[{"Key": "a", "Value": "1"}])
assert made["ARN"].startswith("arn:aws:secretsmanager:us-east-1:000000000000:secret:app/key-")
refused("ResourceExistsException", 400, secrets.create_secret, Name="app/key", SecretString="x")
secrets.put_secret_value(SecretId="app/key", SecretString="two")
secrets.update_secret(SecretId=made["ARN"], SecretString="three", Description="e")
assert secrets.get_secret_value(SecretId="app/key")["SecretString"] == "three"
assert secrets.get_secret_value(SecretId="app/key", VersionStage="AWSPREVIOUS")["SecretString"] == "two"
described = secrets.describe_secret(SecretId="app/key")
assert described["Description"] == "e" and described["Tags"] == [{"Key": "a", "Value": "1"}]
stages = {stage: version for version, stages in described["VersionIdsToStages"].items() for stage in stages}
assert secrets.get_secret_value(SecretId="app/key", VersionId=stages["AWSPREVIOUS"])["SecretString"] == "two"
secrets.update_secret_version_stage(SecretId="app/key", VersionStage="AWSCURRENT",
                                    MoveToVersionId=stages["AWSPREVIOUS"], RemoveFromVersionId=stages["AWSCURRENT"])
assert secrets.get_secret_value(SecretId="app/key")["SecretString"] == "two"
assert len(secrets.list_secret_version_ids(SecretId="app/key")["Versions"]) == 2
secrets.create_secret(Name="binary", SecretBinary=b"\x00\xff")
assert secrets.get_secret_value(SecretId="binary")["SecretBinary"] == b"\x00\xff"
assert [secret["Name"] for secret in secrets.list_secrets()["SecretList"]] == ["app/key", "binary"]
assert [secret["Name"] for secret in secrets.list_secrets(Filters=[{"Key": "name", "Values": ["app"]}])["SecretList"]] == ["app/key"]
many = secrets.batch_get_secret_value(SecretIdList=["app/key", "absent"])
assert [value["SecretString"] for value in many["SecretValues"]] == ["two"] and many["Errors"][0]["SecretId"] == "absent"
secrets.tag_resource(SecretId="binary", Tags=[{"Key": "b", "Value": "2"}])
secrets.untag_resource(SecretId="app/key", TagKeys=["a"])
assert secrets.describe_secret(SecretId="binary")["Tags"] == [{"Key": "b", "Value": "2"}]
secrets.put_resource_policy(SecretId="binary", ResourcePolicy="{}")
assert secrets.get_resource_policy(SecretId="binary")["ResourcePolicy"] == "{}"
secrets.delete_resource_policy(SecretId="binary")
secrets.delete_secret(SecretId="binary", RecoveryWindowInDays=7)
refused("InvalidRequestException", 400, secrets.get_secret_value, SecretId="binary")
secrets.restore_secret(SecretId="binary")
secrets.delete_secret(SecretId="binary", ForceDeleteWithoutRecovery=True)
refused("ResourceNotFoundException", 400, secrets.describe_secret, SecretId="binary")
password = secrets.get_random_password(PasswordLength=20, ExcludePunctuation=True)["RandomPassword"]
assert len(password) == 20 and password.isalnum()
assert_all_called("secretsmanager", "CancelRotateSecret RotateSecret")

ssm = client("ssm")
assert int(ssm.get_parameter(Name="/cdk-bootstrap/hnb659fds/version")["Parameter"]["Value"]) >= 6
assert ssm.put_parameter(Name="/app/a", Value="1", Type="String")["Version"] == 1
refused("ParameterAlreadyExists", 400, ssm.put_parameter, Name="/app/a", Value="1", Type="String")
assert ssm.put_parameter(Name="/app/a", Value="2", Overwrite=True)["Version"] == 2
ssm.put_parameter(Name="/app/deep/b", Value="s3cret", Type="SecureString")
assert ssm.get_parameter(Name="/app/deep/b")["Parameter"]["Value"] != "s3cret"
assert ssm.get_parameter(Name="/app/deep/b", WithDecryption=True)["Parameter"]["Value"] == "s3cret"
found = ssm.get_parameters(Names=["/app/a", "/absent"])
assert found["InvalidParameters"] == ["/absent"] and found["Parameters"][0]["Version"] == 2
pages = ssm.get_paginator("get_parameters_by_path").paginate(Path="/app", Recursive=True, PaginationConfig={"PageSize": 1})
assert [entry["Name"] for page in pages for entry in page["Parameters"]] == ["/app/a", "/app/deep/b"]
named = ssm.describe_parameters(ParameterFilters=[{"Key": "Name", "Option": "BeginsWith", "Values": ["/app/d"]}])
assert [entry["Name"] for entry in named["Parameters"]] == ["/app/deep/b"]
ssm.add_tags_to_resource(ResourceType="Parameter", ResourceId="/app/a", Tags=[{"Key": "k", "Value": "v"}])
assert ssm.list_tags_for_resource(ResourceType="Parameter", ResourceId="/app/a")["TagList"] == [{"Key": "k", "Value": "v"}]
ssm.remove_tags_from_resource(ResourceType="Parameter", ResourceId="/app/a", TagKeys=["k"])
ssm.delete_parameter(Name="/app/a")
refused("ParameterNotFound", 400, ssm.get_parameter, Name="/app/a")
assert ssm.delete_parameters(Names=["/app/deep/b", "/absent"])["InvalidParameters"] == ["/absent"]
assert_all_called("ssm", "GetParameterHistory LabelParameterVersion")

sts = client("sts")
assert sts.get_caller_identity()["Arn"] == "arn:aws:iam::000000000000:root"
role = sts.assume_role(RoleArn="arn:aws:iam::000000000000:role/path/deploy", RoleSessionName="me", DurationSeconds=900)
assert role["AssumedRoleUser"]["Arn"] == "arn:aws:sts::000000000000:assumed-role/deploy/me"
assert role["Credentials"]["AccessKeyId"].startswith("ASIA")
assert sts.get_session_token()["Credentials"]["SessionToken"]
assert sts.get_access_key_info(AccessKeyId="AKIAIOSFODNN7EXAMPLE")["Account"] == "000000000000"
assert_all_called("sts")

"""The plainest calls of each protocol: query, JSON 1.1, and what the cloud does not know."""

import boto3
from botocore.exceptions import ClientError

identity = boto3.client("sts").get_caller_identity()
assert identity["Account"] == "000000000000", identity

secrets = boto3.client("secretsmanager")
secrets.create_secret(Name="db/password", SecretString="s3cret")
assert secrets.get_secret_value(SecretId="db/password")["SecretString"] == "s3cret"
try:
    secrets.get_secret_value(SecretId="absent")
    raise SystemExit("an absent secret was found")
except secrets.exceptions.ResourceNotFoundException as error:
    assert error.response["ResponseMetadata"]["HTTPStatusCode"] == 400, error.response

ssm = boto3.client("ssm")
ssm.put_parameter(Name="/a/b", Value="1", Type="String")
assert ssm.get_parameter(Name="/a/b")["Parameter"]["Value"] == "1"


def refused(call, code):
    try:
        call()
    except ClientError as error:
        assert error.response["Error"]["Code"] == code, error.response
    else:
        raise SystemExit(f"{call} should be refused with {code}")


refused(lambda: boto3.client("sts").get_federation_token(Name="someone"), "InvalidAction")
refused(lambda: boto3.client("ssm").list_documents(), "UnknownOperationException")
refused(lambda: boto3.client("kinesis").list_streams(), "NotImplemented")
refused(lambda: ssm.put_parameter(Name="/a/c", Value="1", Type="Bad"), "ValidationException")

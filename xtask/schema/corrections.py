"""Corrections to the public schema data, one named function each.

Every function asserts that the fault it corrects is still there, so that a new version of the sources that mends it
fails `cargo xtask schema` until the correction is deleted. merge.py calls `apply`.
"""

# Attributes that identify something else than the resource they belong to, or the same thing as another attribute.
SAME_AS = {
    "AWS::EC2::SecurityGroup.GroupId": "AWS::EC2::SecurityGroup.Id",
    "AWS::EC2::VPC.DefaultSecurityGroup": "AWS::EC2::SecurityGroup.Id",
    # https://docs.aws.amazon.com/AWSCloudFormation/latest/UserGuide/aws-resource-apigateway-restapi.html: the root is
    # a resource like any other, and ParentId and ResourceId take it.
    "AWS::ApiGateway::RestApi.RootResourceId": "AWS::ApiGateway::Resource.ResourceId",
}

# Types as cfn-lint's formats name them, where that is not the name of a resource type.
FORMAT_TYPES = {"AWS::ACM::Certificate": "AWS::CertificateManager::Certificate"}


def _relate(resources, resource_type, key, target, type_name=None):
    """Adds a relation that both sources lack."""
    resource = resources[resource_type]
    holder = resource["types"][type_name] if type_name else resource
    field = holder["properties"][key]
    assert "refers" not in field, f"{resource_type}.{key} has a relation now: delete this correction"
    field["refers"] = [target]


def _unrelate(resources, resource_type, key, type_name=None):
    """Takes a wrong relation away."""
    resource = resources[resource_type]
    holder = resource["types"][type_name] if type_name else resource
    field = holder["properties"][key]
    assert "refers" in field, f"{resource_type}.{key} has no relation any more: delete this correction"
    del field["refers"]


def cache_clusters_name_their_subnet_group(resources):
    _relate(resources, "AWS::ElastiCache::CacheCluster", "CacheSubnetGroupName", "AWS::ElastiCache::SubnetGroup.CacheSubnetGroupName")
    _relate(resources, "AWS::ElastiCache::ReplicationGroup", "CacheSubnetGroupName", "AWS::ElastiCache::SubnetGroup.CacheSubnetGroupName")


def http_api_stages_belong_to_an_api(resources):
    _relate(resources, "AWS::ApiGatewayV2::Stage", "ApiId", "AWS::ApiGatewayV2::Api.ApiId")


def policies_name_what_they_are_for(resources):
    _relate(resources, "AWS::SNS::TopicPolicy", "Topics", "AWS::SNS::Topic.TopicArn")
    _relate(resources, "AWS::SQS::QueuePolicy", "Queues", "AWS::SQS::Queue.QueueUrl")
    _relate(resources, "AWS::IAM::Policy", "Roles", "AWS::IAM::Role.RoleName")


def secret_attachments_name_the_secret(resources):
    _relate(resources, "AWS::SecretsManager::SecretTargetAttachment", "SecretId", "AWS::SecretsManager::Secret.Id")


def an_integration_uri_is_not_a_bare_function_arn(resources):
    _unrelate(resources, "AWS::ApiGateway::Method", "Uri", "Integration")


def a_route_target_is_not_a_bare_integration_id(resources):
    _unrelate(resources, "AWS::ApiGatewayV2::Route", "Target")


def an_http_integration_takes_any_uri(resources):
    _unrelate(resources, "AWS::ApiGatewayV2::Integration", "IntegrationUri")
    _unrelate(resources, "AWS::ApiGatewayV2::Api", "Target")


def alarms_act_on_more_than_topics(resources):
    # https://docs.aws.amazon.com/AmazonCloudWatch/latest/APIReference/API_PutMetricAlarm.html, AlarmActions: functions,
    # scaling policies, instances, incidents.
    for key in ["InsufficientDataActions", "OKActions"]:
        _unrelate(resources, "AWS::CloudWatch::Alarm", key)
    for key in ["AlarmActions", "OKActions"]:
        _unrelate(resources, "AWS::CloudWatch::CompositeAlarm", key)


def access_logs_also_go_to_delivery_streams(resources):
    _unrelate(resources, "AWS::ApiGateway::Stage", "DestinationArn", "AccessLogSetting")


def a_group_name_is_not_a_group_id(resources):
    _unrelate(resources, "AWS::EC2::SecurityGroupIngress", "GroupName")


def run_command_values_may_be_tags(resources):
    _unrelate(resources, "AWS::Events::Rule", "Values", "RunCommandTarget")


def publishers_are_versions_of_profiles(resources):
    _unrelate(resources, "AWS::Lambda::CodeSigningConfig", "SigningProfileVersionArns", "AllowedPublishers")


CORRECTIONS = [
    cache_clusters_name_their_subnet_group,
    http_api_stages_belong_to_an_api,
    policies_name_what_they_are_for,
    secret_attachments_name_the_secret,
    an_integration_uri_is_not_a_bare_function_arn,
    a_route_target_is_not_a_bare_integration_id,
    an_http_integration_takes_any_uri,
    alarms_act_on_more_than_topics,
    access_logs_also_go_to_delivery_streams,
    a_group_name_is_not_a_group_id,
    run_command_values_may_be_tags,
    publishers_are_versions_of_profiles,
]


def apply(resources):
    for correction in CORRECTIONS:
        correction(resources)

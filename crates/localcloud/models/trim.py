#!/usr/bin/env python3
"""Makes the service models in this folder again from the PyPI package botocore (Apache-2.0, see NOTICE).

    pip install botocore==1.43.11 && python3 crates/localcloud/models/trim.py

The embedded cloud's codec reads them. A model keeps the operations named in SERVED with every shape that they reach,
without documentation; the other operations keep their name and route only, so that a call to one of them is refused
by name. To serve another operation, add its name here and run the script.
"""

import gzip
import json
import pathlib

import botocore

VERSION = "1.43.11"

SERVED = {
    "cloudformation": """
        CancelUpdateStack ContinueUpdateRollback CreateChangeSet CreateStack DeleteChangeSet DeleteStack
        DescribeChangeSet DescribeStackEvents DescribeStackResource DescribeStackResources DescribeStacks
        ExecuteChangeSet GetTemplate GetTemplateSummary ListChangeSets ListExports ListImports ListStackResources
        ListStacks UpdateStack UpdateTerminationProtection ValidateTemplate
    """,
    "sts": "AssumeRole GetAccessKeyInfo GetCallerIdentity GetSessionToken",
    "s3": """
        AbortMultipartUpload CompleteMultipartUpload CopyObject CreateBucket CreateMultipartUpload DeleteBucket
        DeleteBucketEncryption DeleteBucketLifecycle DeleteBucketPolicy DeleteBucketTagging DeleteObject DeleteObjectTagging
        DeleteObjects DeletePublicAccessBlock GetBucketAcl GetBucketEncryption GetBucketLifecycleConfiguration
        GetBucketLocation GetBucketPolicy GetBucketTagging GetBucketVersioning GetObject GetObjectAttributes GetObjectTagging
        GetPublicAccessBlock HeadBucket HeadObject ListBuckets ListMultipartUploads ListObjectVersions ListObjects
        ListObjectsV2 ListParts PutBucketEncryption PutBucketLifecycleConfiguration PutBucketPolicy PutBucketTagging
        PutBucketVersioning PutObject PutObjectTagging PutPublicAccessBlock UploadPart UploadPartCopy
    """,
    "lambda": """
        AddPermission CreateAlias CreateEventSourceMapping CreateFunction DeleteAlias DeleteEventSourceMapping DeleteFunction DeleteFunctionConcurrency
        DeleteFunctionEventInvokeConfig DeleteLayerVersion GetAccountSettings GetAlias GetEventSourceMapping
        GetFunction GetFunctionConcurrency GetFunctionConfiguration GetFunctionEventInvokeConfig GetLayerVersion GetPolicy Invoke
        ListAliases ListEventSourceMappings ListFunctionEventInvokeConfigs ListFunctions ListLayerVersions ListTags ListVersionsByFunction
        PublishLayerVersion PublishVersion PutFunctionConcurrency PutFunctionEventInvokeConfig RemovePermission
        TagResource UntagResource UpdateAlias UpdateEventSourceMapping UpdateFunctionCode
        UpdateFunctionConfiguration UpdateFunctionEventInvokeConfig
    """,
    "apigateway": """
        CreateApiKey CreateAuthorizer CreateDeployment CreateModel CreateRequestValidator CreateResource CreateRestApi
        CreateStage CreateUsagePlan CreateUsagePlanKey DeleteApiKey DeleteAuthorizer DeleteDeployment
        DeleteGatewayResponse DeleteIntegration DeleteIntegrationResponse DeleteMethod DeleteMethodResponse DeleteModel
        DeleteRequestValidator DeleteResource DeleteRestApi DeleteStage DeleteUsagePlan DeleteUsagePlanKey
        FlushStageAuthorizersCache FlushStageCache GetAccount GetApiKey GetApiKeys GetAuthorizer GetAuthorizers
        GetDeployment GetDeployments GetGatewayResponse GetGatewayResponses GetIntegration GetIntegrationResponse
        GetMethod GetMethodResponse GetModel GetModels GetRequestValidator GetRequestValidators GetResource GetResources
        GetRestApi GetRestApis GetStage GetStages GetTags GetUsagePlan GetUsagePlanKey GetUsagePlanKeys GetUsagePlans
        PutGatewayResponse PutIntegration PutIntegrationResponse PutMethod PutMethodResponse TagResource UntagResource
        UpdateAccount UpdateApiKey UpdateAuthorizer UpdateDeployment UpdateGatewayResponse UpdateIntegration
        UpdateIntegrationResponse UpdateMethod UpdateMethodResponse UpdateModel UpdateRequestValidator UpdateResource
        UpdateRestApi UpdateStage UpdateUsagePlan
    """,
    "apigatewaymanagementapi": "DeleteConnection GetConnection PostToConnection",
    "apigatewayv2": """
        CreateApi CreateAuthorizer CreateDeployment CreateIntegration CreateIntegrationResponse CreateRoute
        CreateRouteResponse CreateStage DeleteApi DeleteAuthorizer DeleteCorsConfiguration DeleteDeployment
        DeleteIntegration DeleteIntegrationResponse DeleteRoute DeleteRouteResponse DeleteRouteSettings DeleteStage
        GetApi GetApis GetAuthorizer GetAuthorizers GetDeployment GetDeployments GetIntegration
        GetIntegrationResponse GetIntegrationResponses GetIntegrations GetRoute GetRouteResponse GetRouteResponses
        GetRoutes GetStage GetStages GetTags ResetAuthorizersCache TagResource UntagResource UpdateApi
        UpdateAuthorizer UpdateDeployment UpdateIntegration UpdateIntegrationResponse UpdateRoute
        UpdateRouteResponse UpdateStage
    """,
    "sqs": """
        AddPermission ChangeMessageVisibility ChangeMessageVisibilityBatch CreateQueue DeleteMessage
        DeleteMessageBatch DeleteQueue GetQueueAttributes GetQueueUrl ListDeadLetterSourceQueues ListQueueTags
        ListQueues PurgeQueue ReceiveMessage RemovePermission SendMessage SendMessageBatch SetQueueAttributes
        TagQueue UntagQueue
    """,
    "events": """
        DeleteRule DescribeRule DisableRule EnableRule ListRuleNamesByTarget ListRules ListTagsForResource
        ListTargetsByRule PutRule PutTargets RemoveTargets TagResource UntagResource
    """,
    "scheduler": """
        CreateSchedule CreateScheduleGroup DeleteSchedule DeleteScheduleGroup GetSchedule GetScheduleGroup
        ListScheduleGroups ListSchedules UpdateSchedule
    """,
    "cloudwatch": """
        DeleteAlarms DeleteDashboards DescribeAlarmHistory DescribeAlarms DescribeAlarmsForMetric DisableAlarmActions
        EnableAlarmActions GetDashboard GetMetricData GetMetricStatistics ListDashboards ListMetrics ListTagsForResource
        PutCompositeAlarm PutDashboard PutMetricAlarm PutMetricData SetAlarmState TagResource UntagResource
    """,
    "logs": """
        CreateLogGroup CreateLogStream DeleteLogGroup DeleteLogStream DeleteMetricFilter DeleteRetentionPolicy
        DescribeLogGroups DescribeLogStreams DescribeMetricFilters FilterLogEvents GetLogEvents ListTagsForResource
        ListTagsLogGroup PutLogEvents PutMetricFilter PutRetentionPolicy TagLogGroup TagResource UntagLogGroup
        UntagResource
    """,
    "secretsmanager": """
        BatchGetSecretValue CancelRotateSecret CreateSecret DeleteResourcePolicy DeleteSecret DescribeSecret
        GetRandomPassword GetResourcePolicy GetSecretValue ListSecretVersionIds ListSecrets PutResourcePolicy
        PutSecretValue RestoreSecret RotateSecret TagResource UntagResource UpdateSecret UpdateSecretVersionStage
    """,
    "ssm": """
        AddTagsToResource DeleteParameter DeleteParameters DescribeParameters GetParameter GetParameterHistory
        GetParameters GetParametersByPath LabelParameterVersion ListTagsForResource PutParameter RemoveTagsFromResource
    """,
    "rds": """
        AddTagsToResource CreateDBClusterSnapshot CreateDBInstance CreateDBParameterGroup CreateDBSnapshot
        CreateDBSubnetGroup DeleteDBClusterSnapshot DeleteDBInstance DeleteDBParameterGroup DeleteDBSnapshot
        DeleteDBSubnetGroup DescribeDBClusterSnapshots DescribeDBClusters DescribeDBEngineVersions
        DescribeDBInstances DescribeDBParameterGroups DescribeDBParameters DescribeDBSnapshots DescribeDBSubnetGroups
        DescribeEvents ListTagsForResource ModifyDBInstance RebootDBInstance RemoveTagsFromResource
        RestoreDBInstanceFromDBSnapshot RestoreDBInstanceToPointInTime StartDBInstance StopDBInstance
    """,
    "elasticache": """
        AddTagsToResource CreateCacheCluster CreateCacheSubnetGroup CreateReplicationGroup CreateSnapshot
        DeleteCacheCluster DeleteCacheSubnetGroup DeleteReplicationGroup DeleteSnapshot DescribeCacheClusters
        DescribeCacheEngineVersions DescribeCacheParameterGroups DescribeCacheSubnetGroups
        DescribeReplicationGroups DescribeSnapshots ListTagsForResource
        ModifyCacheCluster ModifyReplicationGroup RemoveTagsFromResource
    """,
    "dynamodb": "CreateBackup DeleteBackup DescribeBackup DescribeTable ListBackups ListTables",
}

METADATA = ["apiVersion", "awsQueryCompatible", "endpointPrefix", "jsonVersion", "protocol", "protocols", "serviceId", "signingName",
            "targetPrefix", "xmlNamespace"]
DROPPED = {"documentation", "documentationUrl", "deprecated", "deprecatedMessage", "deprecatedSince", "pattern",
           "endpointdiscovery", "examples", "authtype", "auth", "unsignedPayload", "endpoint", "staticContextParams",
           "contextParam", "operationContextParams", "sensitive", "synthetic", "box", "fault", "exception",
           "retryable", "wrapper", "xmlOrder", "httpChecksum", "requestcompression", "streaming", "requiresLength", "idempotent", "idempotencyToken", "document", "readonly",
           "eventpayload", "eventheader", "httpChecksumRequired"}


def bare(node, names=False):
    """The node without what the codec does not read; `names` says that the keys are names of members."""
    if isinstance(node, dict):
        return {k: bare(v, k == "members") for k, v in node.items() if names or k not in DROPPED}
    return [bare(x) for x in node] if isinstance(node, list) else node


def reached(shapes, names):
    seen, todo = set(), list(names)
    while todo:
        name = todo.pop()
        if name in seen:
            continue
        seen.add(name)
        shape = shapes[name]
        todo += [m["shape"] for m in shape.get("members", {}).values()]
        todo += [shape[k]["shape"] for k in ("member", "key", "value") if k in shape]
    return seen


def trim(model, served):
    operations, shapes = model["operations"], model["shapes"]
    missing = served - operations.keys()
    assert not missing, f"{model['metadata']['serviceId']} has no {sorted(missing)}"
    roots = [operations[name][part]["shape"] for name in served for part in ("input", "output") if part in operations[name]]
    roots += [error["shape"] for name in served for error in operations[name].get("errors", [])]
    roots += [name for name, shape in shapes.items() if shape.get("exception")]
    return {
        "metadata": {k: model["metadata"][k] for k in METADATA if k in model["metadata"]},
        "operations": {name: bare(operations[name]) for name in sorted(served)},
        "unserved": {name: bare(operations[name]["http"]) for name in sorted(operations.keys() - served)},
        "shapes": {name: bare(shapes[name]) for name in sorted(reached(shapes, roots))},
    }


def write(path, model):
    """One operation or shape a line: small, and a difference shows what changed."""
    def compact(x):
        return json.dumps(x, separators=(",", ":"), ensure_ascii=False)

    def table(entries):
        return "{\n" + ",\n".join(f"{compact(k)}:{compact(v)}" for k, v in entries.items()) + "\n}"

    parts = [f'"metadata":{compact(model["metadata"])}']
    parts += [f'"{part}":{table(model[part])}' for part in ("operations", "unserved", "shapes")]
    path.write_text("{\n" + ",\n".join(parts) + "\n}\n")


def main():
    assert botocore.__version__ == VERSION, f"needs botocore {VERSION}, this is {botocore.__version__}"
    here = pathlib.Path(__file__).parent
    for service, served in SERVED.items():
        newest = sorted((pathlib.Path(botocore.__file__).parent / "data" / service).iterdir())[-1]
        model = json.loads(gzip.decompress((newest / "service-2.json.gz").read_bytes()))
        write(here / f"{service}.json", trim(model, set(served.split())))


if __name__ == "__main__":
    main()

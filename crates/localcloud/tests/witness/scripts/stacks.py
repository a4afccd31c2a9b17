"""CloudFormation as its clients drive it: change sets, replacement, rollback, exports, deletion."""

import json

import boto3
from botocore.exceptions import ClientError, WaiterError

cfn = boto3.client("cloudformation")
FAST = {"Delay": 0.1, "MaxAttempts": 6000}


def body(resources, **sections):
    return json.dumps({"Resources": resources, **sections})


def refused(call, code, words=""):
    try:
        call()
    except ClientError as error:
        found = error.response["Error"]
        assert found["Code"] == code and words in found["Message"], found
    else:
        raise SystemExit(f"should be refused with {code} {words}")


def wait(name, stack):
    cfn.get_waiter(name).wait(StackName=stack, WaiterConfig=FAST)


def deploy(stack, template, kind="UPDATE", name="deploy", **more):
    """Plans, executes and waits; gives the change list by logical id."""
    changes = plan(stack, template, kind, name, **more)
    cfn.execute_change_set(StackName=stack, ChangeSetName=name)
    wait("stack_create_complete" if kind == "CREATE" else "stack_update_complete", stack)
    described = cfn.describe_change_set(StackName=stack, ChangeSetName=name)
    assert described["ExecutionStatus"] == "EXECUTE_COMPLETE", described
    cfn.delete_change_set(StackName=stack, ChangeSetName=name)
    return changes


def plan(stack, template, kind="UPDATE", name="deploy", **more):
    cfn.create_change_set(StackName=stack, ChangeSetName=name, ChangeSetType=kind, TemplateBody=template, **more)
    cfn.get_waiter("change_set_create_complete").wait(StackName=stack, ChangeSetName=name, WaiterConfig=FAST)
    described = cfn.describe_change_set(StackName=stack, ChangeSetName=name)
    assert described["ExecutionStatus"] == "AVAILABLE", described
    return {c["ResourceChange"]["LogicalResourceId"]: c["ResourceChange"] for c in described["Changes"]}


def status(stack):
    return cfn.describe_stacks(StackName=stack)["Stacks"][0]["StackStatus"]


def physical(stack, logical):
    return cfn.describe_stack_resource(StackName=stack, LogicalResourceId=logical)["StackResourceDetail"]["PhysicalResourceId"]


def events(stack):
    pages = cfn.get_paginator("describe_stack_events").paginate(StackName=stack)
    newest_first = [event for page in pages for event in page["StackEvents"]]
    return [(e["LogicalResourceId"], e["ResourceStatus"], e.get("ResourceStatusReason", "")) for e in reversed(newest_first)]


queue = {"Type": "AWS::SQS::Queue", "Properties": {"DelaySeconds": {"Ref": "Delay"}}}
topic = {"Type": "AWS::SNS::Topic", "Properties": {"DisplayName": {"Fn::Sub": "${Queue.QueueName}-${!kept}"}}}
parameters = {"Delay": {"Type": "Number", "Default": 5}, "Secret": {"Type": "String", "NoEcho": True, "Default": "hush"}}
outputs = {"Url": {"Value": {"Ref": "Queue"}, "Export": {"Name": "queue-url"}},
           "Display": {"Value": {"Fn::Join": ["/", [{"Ref": "AWS::StackName"}, {"Fn::GetAtt": ["Queue", "Arn"]}]]}}}
first = body({"Queue": queue, "Topic": topic}, Parameters=parameters, Outputs=outputs)

# --- creation by change set
changes = deploy("app", first, "CREATE", Tags=[{"Key": "team", "Value": "data"}])
assert {k: v["Action"] for k, v in changes.items()} == {"Queue": "Add", "Topic": "Add"}, changes
assert status("app") == "CREATE_COMPLETE"
stack = cfn.describe_stacks(StackName="app")["Stacks"][0]
assert {p["ParameterKey"]: p["ParameterValue"] for p in stack["Parameters"]} == {"Delay": "5", "Secret": "****"}, stack
found = {o["OutputKey"]: o["OutputValue"] for o in stack["Outputs"]}
assert found["Display"].startswith("app/arn:aws:sqs:us-east-1:000000000000:app-Queue-"), found
assert stack["Tags"] == [{"Key": "team", "Value": "data"}]
story = [(logical, state) for logical, state, _ in events("app")]
assert story[:2] == [("app", "REVIEW_IN_PROGRESS"), ("app", "CREATE_IN_PROGRESS")], story
assert story[-1] == ("app", "CREATE_COMPLETE"), story
assert story.index(("Queue", "CREATE_COMPLETE")) < story.index(("Topic", "CREATE_IN_PROGRESS")), story
assert [e["Value"] for e in cfn.list_exports()["Exports"]] == [found["Url"]]
assert len(cfn.list_stack_resources(StackName="app")["StackResourceSummaries"]) == 2
assert len(cfn.describe_stack_resources(StackName="app")["StackResources"]) == 2
assert cfn.get_template(StackName="app")["TemplateBody"]["Resources"]["Queue"]["Type"] == "AWS::SQS::Queue"
assert [s["StackName"] for s in cfn.list_stacks(StackStatusFilter=["CREATE_COMPLETE"])["StackSummaries"]] == ["app"]

# --- nothing to do
cfn.create_change_set(StackName="app", ChangeSetName="empty", TemplateBody=first)
try:
    cfn.get_waiter("change_set_create_complete").wait(StackName="app", ChangeSetName="empty", WaiterConfig=FAST)
    raise SystemExit("an empty change set was created")
except WaiterError as error:
    assert "didn't contain changes" in error.last_response["StatusReason"], error.last_response
refused(lambda: cfn.execute_change_set(StackName="app", ChangeSetName="empty"), "InvalidChangeSetStatus")
refused(lambda: cfn.update_stack(StackName="app", TemplateBody=first), "ValidationError", "No updates are to be performed.")
assert [s["ChangeSetName"] for s in cfn.list_change_sets(StackName="app")["Summaries"]] == ["empty"]
cfn.delete_change_set(StackName="app", ChangeSetName="empty")

# --- a parameter changes in place, and reaches the topic through the attribute of the changed queue
changes = plan("app", first, name="param", Parameters=[{"ParameterKey": "Delay", "ParameterValue": "7"}])
detail = changes["Queue"]["Details"][0]
assert changes["Queue"]["Replacement"] == "False" and changes["Queue"]["Scope"] == ["Properties"], changes
assert detail["ChangeSource"] == "ParameterReference" and detail["CausingEntity"] == "Delay", detail
assert detail["Target"] == {"Attribute": "Properties", "Name": "DelaySeconds", "RequiresRecreation": "Never"}, detail
detail = changes["Topic"]["Details"][0]
assert (detail["Evaluation"], detail["ChangeSource"], detail["CausingEntity"]) == ("Dynamic", "ResourceAttribute", "Queue.QueueName"), detail
cfn.delete_change_set(StackName="app", ChangeSetName="param")

# --- a replacement, a removal, an addition
named = json.loads(first)
named["Resources"]["Queue"]["Properties"]["QueueName"] = "jobs"
named["Resources"]["Extra"] = {"Type": "AWS::SQS::Queue", "DependsOn": "Queue"}
named = json.dumps(named)
before = physical("app", "Queue")
changes = deploy("app", named)
assert changes["Queue"]["Replacement"] == "True" and changes["Queue"]["PolicyAction"] == "ReplaceAndDelete", changes
assert changes["Extra"]["Action"] == "Add" and changes["Topic"]["Action"] == "Modify", changes
after = physical("app", "Queue")
assert after.endswith("/jobs") and before != after
tail = events("app")
cleanup = tail.index(("app", "UPDATE_COMPLETE_CLEANUP_IN_PROGRESS", ""))
assert ("Queue", "DELETE_COMPLETE", "") in tail[cleanup:] and tail[-1][1] == "UPDATE_COMPLETE", tail
assert cfn.describe_stacks(StackName="app")["Stacks"][0]["Outputs"][0]["OutputValue"] == after
changes = deploy("app", first.replace('"DelaySeconds"', '"QueueName": "jobs2", "DelaySeconds"'))
assert changes["Extra"]["Action"] == "Remove" and changes["Extra"]["PolicyAction"] == "Delete", changes

# --- a removal by condition
conditional = body({"Always": {"Type": "AWS::SQS::Queue"}, "Sometimes": {"Type": "AWS::SQS::Queue", "Condition": "Wanted"}},
                   Parameters={"Want": {"Type": "String", "AllowedValues": ["yes", "no"]}},
                   Conditions={"Wanted": {"Fn::Equals": [{"Ref": "Want"}, "yes"]}})
yes, no = ([{"ParameterKey": "Want", "ParameterValue": value}] for value in ("yes", "no"))
cfn.create_stack(StackName="conditional", TemplateBody=conditional, Parameters=yes)
wait("stack_create_complete", "conditional")
changes = deploy("conditional", conditional, Parameters=no)
assert {k: v["Action"] for k, v in changes.items()} == {"Sometimes": "Remove"}, changes
refused(lambda: cfn.update_stack(StackName="conditional", UsePreviousTemplate=True, Parameters=[{"ParameterKey": "Want", "ParameterValue": "perhaps"}]),
        "ValidationError", "must be one of AllowedValues")

# --- a failed creation rolls back; a failed update, too
broken = {"Type": "AWS::IAM::Role", "Properties": {"Path": "/"}, "DependsOn": "Fine"}
template = body({"Fine": {"Type": "AWS::SQS::Queue"}, "Broken": broken})
refused(lambda: cfn.create_stack(StackName="broken", TemplateBody=template), "InsufficientCapabilitiesException", "CAPABILITY_IAM")
cfn.create_stack(StackName="broken", TemplateBody=template, Capabilities=["CAPABILITY_IAM"])
try:
    wait("stack_create_complete", "broken")
    raise SystemExit("a role without its document was created")
except WaiterError:
    pass
assert status("broken") == "ROLLBACK_COMPLETE", status("broken")
story = events("broken")
assert any(e[:2] == ("Broken", "CREATE_FAILED") and "required key [AssumeRolePolicyDocument] not found" in e[2] for e in story), story
assert any(e[:2] == ("broken", "ROLLBACK_IN_PROGRESS") and "[Broken]" in e[2] for e in story), story
assert ("Fine", "DELETE_COMPLETE", "") in story, story
refused(lambda: cfn.update_stack(StackName="broken", TemplateBody=template, Capabilities=["CAPABILITY_IAM"]),
        "ValidationError", "is in ROLLBACK_COMPLETE state and can not be updated")
cfn.delete_stack(StackName="broken")
wait("stack_delete_complete", "broken")

kept = physical("app", "Queue")
bad = json.loads(first)
bad["Resources"]["Queue"]["Properties"]["QueueName"] = "jobs3"
bad["Resources"]["New"] = {"Type": "AWS::SQS::Queue", "DependsOn": "Queue"}
bad["Resources"]["Broken"] = {**broken, "DependsOn": "New"}
bad["Outputs"] = outputs
cfn.create_change_set(StackName="app", ChangeSetName="bad", TemplateBody=json.dumps(bad), Capabilities=["CAPABILITY_NAMED_IAM"])
cfn.execute_change_set(StackName="app", ChangeSetName="bad")
wait("stack_rollback_complete", "app")
assert status("app") == "UPDATE_ROLLBACK_COMPLETE" and physical("app", "Queue") == kept
assert {r["LogicalResourceId"] for r in cfn.describe_stack_resources(StackName="app")["StackResources"]} == {"Queue", "Topic"}
story = [(logical, state) for logical, state, _ in events("app")]
assert ("app", "UPDATE_ROLLBACK_COMPLETE_CLEANUP_IN_PROGRESS") in story and ("New", "DELETE_COMPLETE") in story, story

# --- imports guard exports
importer = body({"Topic": {"Type": "AWS::SNS::Topic", "Properties": {"DisplayName": {"Fn::ImportValue": "queue-url"}}}})
cfn.create_stack(StackName="importer", TemplateBody=importer)
wait("stack_create_complete", "importer")
assert cfn.list_imports(ExportName="queue-url")["Imports"] == ["importer"]
refused(lambda: cfn.delete_stack(StackName="app"), "ValidationError", "in use by importer")
without = json.loads(first.replace('"DelaySeconds"', '"QueueName": "jobs2", "DelaySeconds"'))
without["Outputs"] = {}
cfn.update_stack(StackName="app", TemplateBody=json.dumps(without))
wait("stack_rollback_complete", "app")
assert any("Export queue-url cannot be deleted as it is in use by importer" in e[2] for e in events("app"))
cfn.delete_stack(StackName="importer")
wait("stack_delete_complete", "importer")
missing = importer.replace("queue-url", "absent")
cfn.create_stack(StackName="missing", TemplateBody=missing, OnFailure="DELETE")
wait("stack_delete_complete", "missing")

# --- what is refused before anything begins
refused(lambda: cfn.validate_template(TemplateBody=body({"A": {"Type": "AWS::SQS::Queue", "Properties": {"QueueName": {"Ref": "Absent"}}}})),
        "ValidationError", "Unresolved resource dependencies [Absent]")
refused(lambda: cfn.create_stack(StackName="circle", TemplateBody=body({
    "A": {"Type": "AWS::SQS::Queue", "DependsOn": "B"}, "B": {"Type": "AWS::SQS::Queue", "DependsOn": "A"}})),
    "ValidationError", "Circular dependency")
refused(lambda: cfn.create_stack(StackName="odd", TemplateBody=body({"A": {"Type": "AWS::Nothing::Here"}})),
        "ValidationError", "Unrecognized resource types: [AWS::Nothing::Here]")
refused(lambda: cfn.create_stack(StackName="-bad", TemplateBody=first), "ValidationError", "stackName")
refused(lambda: cfn.describe_stacks(StackName="absent"), "ValidationError", "Stack with id absent does not exist")
refused(lambda: cfn.create_change_set(StackName="absent", ChangeSetName="x", TemplateBody=first), "ValidationError", "does not exist")
refused(lambda: cfn.describe_change_set(StackName="app", ChangeSetName="absent"), "ChangeSetNotFound")
assert cfn.validate_template(TemplateBody=first)["Parameters"][0]["ParameterKey"] == "Delay"
assert cfn.get_template_summary(TemplateBody=template)["Capabilities"] == ["CAPABILITY_IAM"]

# --- a nested stack, its template in S3
s3 = boto3.client("s3")
s3.create_bucket(Bucket="templates")
inner = body({"Queue": {"Type": "AWS::SQS::Queue", "Properties": {"DelaySeconds": {"Ref": "Delay"}}}},
             Parameters={"Delay": {"Type": "Number"}}, Outputs={"Name": {"Value": {"Fn::GetAtt": ["Queue", "QueueName"]}}})
s3.put_object(Bucket="templates", Key="inner.json", Body=inner)


def outer(delay):
    properties = {"TemplateURL": "https://s3.us-east-1.amazonaws.com/templates/inner.json", "Parameters": {"Delay": delay}}
    return body({"Inner": {"Type": "AWS::CloudFormation::Stack", "Properties": properties}},
                Outputs={"Name": {"Value": {"Fn::GetAtt": ["Inner", "Outputs.Name"]}}})


cfn.create_stack(StackName="outer", TemplateBody=outer("3"))
wait("stack_create_complete", "outer")
nested = physical("outer", "Inner")
assert status(nested) == "CREATE_COMPLETE" and nested.startswith("arn:aws:cloudformation:"), nested
name = cfn.describe_stacks(StackName="outer")["Stacks"][0]["Outputs"][0]["OutputValue"]
assert physical(nested, "Queue").endswith(name), name
deploy("outer", outer("4"))
assert status(nested) == "UPDATE_COMPLETE"
cfn.update_stack(StackName="outer", TemplateBody=outer("many"))
wait("stack_rollback_complete", "outer")
assert any("Parameter 'Delay' must be a number" in reason for _, _, reason in events("outer")), events("outer")
cfn.delete_stack(StackName="outer")
wait("stack_delete_complete", "outer")
assert status(nested) == "DELETE_COMPLETE"

# --- protection and deletion, with what is retained
cfn.update_termination_protection(StackName="app", EnableTerminationProtection=True)
refused(lambda: cfn.delete_stack(StackName="app"), "ValidationError", "TerminationProtection")
cfn.update_termination_protection(StackName="app", EnableTerminationProtection=False)
retained = json.loads(first.replace('"DelaySeconds"', '"QueueName": "jobs2", "DelaySeconds"'))
retained["Resources"]["Queue"]["DeletionPolicy"] = "Retain"
deploy("app", json.dumps(retained))
identifier = cfn.describe_stacks(StackName="app")["Stacks"][0]["StackId"]
cfn.delete_stack(StackName="app")
wait("stack_delete_complete", "app")
assert status(identifier) == "DELETE_COMPLETE"
story = [(logical, state) for logical, state, _ in events(identifier)]
assert ("Queue", "DELETE_SKIPPED") in story and ("Topic", "DELETE_COMPLETE") in story, story
refused(lambda: cfn.describe_stacks(StackName="app"), "ValidationError", "does not exist")
cfn.delete_stack(StackName="app")

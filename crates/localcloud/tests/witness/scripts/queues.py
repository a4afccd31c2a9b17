"""Every operation on queues, and functions that work on them through an alias whose weight moves."""

import collections
import hashlib
import json

from witnessed import assert_all_called, client, refused

queues = client("sqs")
functions = client("lambda")
stacks = client("cloudformation")


def arrived(queue):
    """What comes to the queue, however long it takes."""
    while not (messages := queues.receive_message(
            QueueUrl=queue, WaitTimeSeconds=20, MaxNumberOfMessages=10).get("Messages")):
        pass
    return messages


# Queues by themselves.
url = queues.create_queue(QueueName="jobs", Attributes={"VisibilityTimeout": "30"}, tags={"team": "web"})["QueueUrl"]
assert queues.create_queue(QueueName="jobs")["QueueUrl"] == url
assert queues.get_queue_url(QueueName="jobs")["QueueUrl"] == url
refused("AWS.SimpleQueueService.NonExistentQueue", 400, queues.get_queue_url, QueueName="absent")
refused("QueueAlreadyExists", 400, queues.create_queue, QueueName="jobs", Attributes={"VisibilityTimeout": "31"})
assert queues.list_queues(QueueNamePrefix="jo")["QueueUrls"] == [url]
queues.set_queue_attributes(QueueUrl=url, Attributes={"DelaySeconds": "0", "VisibilityTimeout": "60"})
attributes = queues.get_queue_attributes(QueueUrl=url, AttributeNames=["All"])["Attributes"]
assert attributes["VisibilityTimeout"] == "60" and attributes["QueueArn"].endswith(":jobs"), attributes
queues.tag_queue(QueueUrl=url, Tags={"cost": "1"})
queues.untag_queue(QueueUrl=url, TagKeys=["team"])
assert queues.list_queue_tags(QueueUrl=url)["Tags"] == {"cost": "1"}
queues.add_permission(QueueUrl=url, Label="all", AWSAccountIds=["000000000000"], Actions=["SendMessage"])
queues.remove_permission(QueueUrl=url, Label="all")
dead = queues.create_queue(QueueName="dead")["QueueUrl"]
policy = json.dumps({"deadLetterTargetArn": "arn:aws:sqs:us-east-1:000000000000:dead", "maxReceiveCount": 1})
queues.set_queue_attributes(QueueUrl=url, Attributes={"RedrivePolicy": policy})
assert queues.list_dead_letter_source_queues(QueueUrl=dead)["queueUrls"] == [url]

# Messages.
sent = queues.send_message(QueueUrl=url, MessageBody="one", MessageAttributes={
    "kind": {"DataType": "String", "StringValue": "job"}, "raw": {"DataType": "Binary", "BinaryValue": b"\x00\x01"}})
assert sent["MD5OfMessageBody"] == hashlib.md5(b"one").hexdigest()
batch = queues.send_message_batch(QueueUrl=url, Entries=[{"Id": "a", "MessageBody": "two"}, {"Id": "b", "MessageBody": ""}])
assert [e["Id"] for e in batch["Successful"]] == ["a"] and batch["Failed"][0]["Code"] == "InvalidParameterValue", batch
refused("AWS.SimpleQueueService.EmptyBatchRequest", 400, queues.send_message_batch, QueueUrl=url, Entries=[])
got = queues.receive_message(QueueUrl=url, MaxNumberOfMessages=10, MessageAttributeNames=["All"],
                             MessageSystemAttributeNames=["ApproximateReceiveCount"])["Messages"]
assert [m["Body"] for m in got] == ["one", "two"]
assert got[0]["MessageAttributes"]["raw"]["BinaryValue"] == b"\x00\x01"
assert got[0]["MD5OfMessageAttributes"] == sent["MD5OfMessageAttributes"]
assert got[0]["Attributes"] == {"ApproximateReceiveCount": "1"}
assert "Messages" not in queues.receive_message(QueueUrl=url)
queues.change_message_visibility(QueueUrl=url, ReceiptHandle=got[0]["ReceiptHandle"], VisibilityTimeout=0)
queues.change_message_visibility_batch(QueueUrl=url, Entries=[
    {"Id": "x", "ReceiptHandle": got[1]["ReceiptHandle"], "VisibilityTimeout": 40}])
# The first one was received as often as it may be: it is dead now.
assert "Messages" not in queues.receive_message(QueueUrl=url)
buried = arrived(dead)
assert buried[0]["MessageId"] == sent["MessageId"]
queues.delete_message(QueueUrl=dead, ReceiptHandle=buried[0]["ReceiptHandle"])
deleted = queues.delete_message_batch(QueueUrl=url, Entries=[{"Id": "x", "ReceiptHandle": got[1]["ReceiptHandle"]}])
assert [e["Id"] for e in deleted["Successful"]] == ["x"]
queues.send_message(QueueUrl=url, MessageBody="three")
queues.purge_queue(QueueUrl=url)
assert "Messages" not in queues.receive_message(QueueUrl=url)
for queue in (url, dead):
    queues.delete_queue(QueueUrl=queue)
refused("AWS.SimpleQueueService.NonExistentQueue", 400, queues.receive_message, QueueUrl=url)

# A function that works on a queue through its alias: it tells another queue who it is.
SOURCE = """
import boto3, json, os
queues = boto3.client("sqs")
def handler(event, context):
    failures = []
    for record in event["Records"]:
        job = json.loads(record["body"])
        if job.get("fails"):
            failures.append({"itemIdentifier": record["messageId"]})
            continue
        done = {"job": job["job"], "version": context.function_version, "arn": context.invoked_function_arn}
        queues.send_message(QueueUrl=os.environ["DONE"], MessageBody=json.dumps(done))
    return {"batchItemFailures": failures}
"""


def reference(name):
    return {"Ref": name}


def queue(**properties):
    return {"Type": "AWS::SQS::Queue", "Properties": properties}


resources = {
    "Jobs": queue(VisibilityTimeout=60, RedrivePolicy={
        "deadLetterTargetArn": {"Fn::GetAtt": ["Dead", "Arn"]}, "maxReceiveCount": 1}),
    "Dead": queue(),
    "Done": queue(QueueName="done"),
    "Policy": {"Type": "AWS::SQS::QueuePolicy", "Properties": {
        "Queues": [reference("Done")], "PolicyDocument": {"Version": "2012-10-17", "Statement": []}}},
    "Function": {"Type": "AWS::Lambda::Function", "Properties": {
        "Runtime": "python3.12", "Handler": "index.handler", "Timeout": 30, "Code": {"ZipFile": SOURCE},
        "Role": "arn:aws:iam::000000000000:role/function", "Environment": {"Variables": {"DONE": reference("Done")}}}},
    "Version": {"Type": "AWS::Lambda::Version", "Properties": {"FunctionName": reference("Function")}},
    "Live": {"Type": "AWS::Lambda::Alias", "Properties": {
        "FunctionName": reference("Function"), "FunctionVersion": {"Fn::GetAtt": ["Version", "Version"]}, "Name": "live"}},
    "Mapping": {"Type": "AWS::Lambda::EventSourceMapping", "Properties": {
        "EventSourceArn": {"Fn::GetAtt": ["Jobs", "Arn"]}, "FunctionName": reference("Live"), "BatchSize": 1,
        "FunctionResponseTypes": ["ReportBatchItemFailures"]}},
}
names = ["Jobs", "Dead", "Done", "Function", "Mapping"]
template = {"Resources": resources, "Outputs": {name: {"Value": reference(name)} for name in names}}
stacks.create_stack(StackName="work", TemplateBody=json.dumps(template))
stacks.get_waiter("stack_create_complete").wait(StackName="work", WaiterConfig={"Delay": 1, "MaxAttempts": 600})
outputs = {o["OutputKey"]: o["OutputValue"] for o in stacks.describe_stacks(StackName="work")["Stacks"][0]["Outputs"]}
function, mapping = outputs["Function"], {"UUID": outputs["Mapping"]}


def work(count, **more):
    """The versions that served so many jobs."""
    for job in range(count):
        queues.send_message(QueueUrl=outputs["Jobs"], MessageBody=json.dumps({"job": job, **more}))
    done = []
    while len(done) < count:
        for message in arrived(outputs["Done"]):
            queues.delete_message(QueueUrl=outputs["Done"], ReceiptHandle=message["ReceiptHandle"])
            done.append(json.loads(message["Body"]))
    assert sorted(d["job"] for d in done) == list(range(count)), done
    assert all(d["arn"].endswith(":live") for d in done), done
    return collections.Counter(d["version"] for d in done)


assert work(3) == {"1": 3}
functions.update_function_configuration(FunctionName=function, Description="second")
assert functions.publish_version(FunctionName=function)["Version"] == "2"
functions.update_alias(FunctionName=function, Name="live", RoutingConfig={"AdditionalVersionWeights": {"2": 0.5}})
assert set(work(40)) == {"1", "2"}, "each batch has a version of its own"
functions.update_alias(FunctionName=function, Name="live", FunctionVersion="2", RoutingConfig={})
assert work(3) == {"2": 3}

# What fails goes to the dead-letter queue, once its visibility timeout is over.
queues.set_queue_attributes(QueueUrl=outputs["Jobs"], Attributes={"VisibilityTimeout": "1"})
queues.send_message(QueueUrl=outputs["Jobs"], MessageBody=json.dumps({"job": 0, "fails": True}))
failed = arrived(outputs["Dead"])
assert json.loads(failed[0]["Body"])["fails"], failed
queues.set_queue_attributes(QueueUrl=outputs["Jobs"], Attributes={"VisibilityTimeout": "60"})

# The mapping's own operations.
described = functions.get_event_source_mapping(**mapping)
assert described["State"] == "Enabled" and described["FunctionArn"].endswith(":live"), described
assert described["BatchSize"] == 1
listed = functions.list_event_source_mappings(FunctionName=function)["EventSourceMappings"]
assert [m["UUID"] for m in listed] == [mapping["UUID"]]
assert functions.update_event_source_mapping(**mapping, Enabled=False)["State"] == "Disabled"
queues.send_message(QueueUrl=outputs["Jobs"], MessageBody=json.dumps({"job": 7}))
waiting = queues.receive_message(QueueUrl=outputs["Jobs"], WaitTimeSeconds=1, VisibilityTimeout=0)["Messages"]
assert json.loads(waiting[0]["Body"]) == {"job": 7}, "nobody takes it"
queues.purge_queue(QueueUrl=outputs["Jobs"])
assert functions.update_event_source_mapping(**mapping, Enabled=True, BatchSize=5)["BatchSize"] == 5
assert sum(work(10).values()) == 10
arn = queues.get_queue_attributes(QueueUrl=outputs["Jobs"], AttributeNames=["QueueArn"])["Attributes"]["QueueArn"]
refused("ResourceConflictException", 409, functions.create_event_source_mapping,
        EventSourceArn=arn, FunctionName=function + ":live")
refused("InvalidParameterValueException", 400, functions.create_event_source_mapping,
        EventSourceArn=arn + "x", FunctionName=function)
stream = functions.create_event_source_mapping(
    EventSourceArn="arn:aws:kinesis:us-east-1:000000000000:stream/s", FunctionName=function, StartingPosition="LATEST")
assert "kept and described" in stream["StateTransitionReason"], stream
functions.delete_event_source_mapping(UUID=stream["UUID"])
refused("ResourceNotFoundException", 404, functions.get_event_source_mapping, UUID=stream["UUID"])

# Batches that wait to become full.
functions.update_event_source_mapping(**mapping, BatchSize=20, MaximumBatchingWindowInSeconds=1)
assert sum(work(15).values()) == 15

stacks.delete_stack(StackName="work")
stacks.get_waiter("stack_delete_complete").wait(StackName="work", WaiterConfig={"Delay": 1, "MaxAttempts": 600})
assert "QueueUrls" not in queues.list_queues() or queues.list_queues()["QueueUrls"] == []
assert functions.list_event_source_mappings()["EventSourceMappings"] == []

assert_all_called("sqs")

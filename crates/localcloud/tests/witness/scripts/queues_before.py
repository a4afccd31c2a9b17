"""A function that works on a queue, left behind for `queues_after.py`."""

import io
import zipfile

import boto3

SOURCE = """
import boto3, os
queues = boto3.client("sqs")
def handler(event, context):
    for record in event["Records"]:
        queues.send_message(QueueUrl=os.environ["DONE"], MessageBody=record["body"])
"""
archive = io.BytesIO()
with zipfile.ZipFile(archive, "w") as files:
    files.writestr("index.py", SOURCE)

queues, functions = boto3.client("sqs"), boto3.client("lambda")
jobs = queues.create_queue(QueueName="jobs", Attributes={"VisibilityTimeout": "60"})["QueueUrl"]
done = queues.create_queue(QueueName="done")["QueueUrl"]
functions.create_function(
    FunctionName="worker", Runtime="python3.12", Handler="index.handler", Role="arn:aws:iam::000000000000:role/function",
    Timeout=30, Code={"ZipFile": archive.getvalue()}, Environment={"Variables": {"DONE": done}}, Publish=True)
functions.create_alias(FunctionName="worker", Name="live", FunctionVersion="1")
functions.create_event_source_mapping(
    EventSourceArn="arn:aws:sqs:us-east-1:000000000000:jobs", FunctionName="worker:live")
queues.send_message(QueueUrl=done, MessageBody="before")

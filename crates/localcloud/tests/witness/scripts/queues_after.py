"""After a restart of the cloud messages are there, and the function works on its queue, whose URL has another port."""

import boto3

queues = boto3.client("sqs")
queues.send_message(QueueUrl=queues.get_queue_url(QueueName="jobs")["QueueUrl"], MessageBody="after")
done = queues.get_queue_url(QueueName="done")["QueueUrl"]
bodies = []
while len(bodies) < 2:
    for message in queues.receive_message(QueueUrl=done, WaitTimeSeconds=20).get("Messages", []):
        bodies.append(message["Body"])
assert sorted(bodies) == ["after", "before"], bodies

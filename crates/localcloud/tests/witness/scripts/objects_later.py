"""What `objects.py` left is there after a restart."""

from witnessed import client

s3 = client("s3")
assert s3.get_object(Bucket="data", Key="lock")["Body"].read() == b"2"
assert s3.head_object(Bucket="data", Key="a b/ü?&+")["Metadata"] == {"colour": "blue"}
assert s3.head_object(Bucket="data", Key="big")["ContentLength"] == 5 * 1024 * 1024 + 1
assert s3.get_bucket_versioning(Bucket="data")["Status"] == "Enabled"
assert "abroad" not in [bucket["Name"] for bucket in s3.list_buckets()["Buckets"]]

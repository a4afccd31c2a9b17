"""Every S3 operation that the embedded cloud serves."""

import concurrent.futures
import hashlib

from botocore.exceptions import ClientError
from witnessed import assert_all_called, client, refused

s3 = client("s3")
assets = "cdk-hnb659fds-assets-000000000000-us-east-1"
assert assets in [bucket["Name"] for bucket in s3.list_buckets()["Buckets"]]

# Buckets and their settings.
s3.create_bucket(Bucket="data")
refused("BucketAlreadyOwnedByYou", 409, s3.create_bucket, Bucket="data")
refused("InvalidBucketName", 400, s3.create_bucket, Bucket="NO")
assert s3.head_bucket(Bucket="data")["BucketRegion"] == "us-east-1"
refused("404", 404, s3.head_bucket, Bucket="absent")
assert s3.get_bucket_location(Bucket="data")["LocationConstraint"] is None
s3.create_bucket(Bucket="abroad", CreateBucketConfiguration={"LocationConstraint": "eu-west-1"})
assert s3.get_bucket_location(Bucket="abroad")["LocationConstraint"] == "eu-west-1"
assert s3.get_bucket_acl(Bucket="data")["Grants"][0]["Permission"] == "FULL_CONTROL"
assert "Status" not in s3.get_bucket_versioning(Bucket="data")
s3.put_bucket_versioning(Bucket="data", VersioningConfiguration={"Status": "Enabled"})
assert s3.get_bucket_versioning(Bucket="data")["Status"] == "Enabled"
rule = {"ApplyServerSideEncryptionByDefault": {"SSEAlgorithm": "aws:kms"}, "BucketKeyEnabled": True}
s3.put_bucket_encryption(Bucket="data", ServerSideEncryptionConfiguration={"Rules": [rule]})
assert s3.get_bucket_encryption(Bucket="data")["ServerSideEncryptionConfiguration"]["Rules"] == [rule]
s3.delete_bucket_encryption(Bucket="data")
default = s3.get_bucket_encryption(Bucket="data")["ServerSideEncryptionConfiguration"]["Rules"][0]
assert default["ApplyServerSideEncryptionByDefault"]["SSEAlgorithm"] == "AES256"
block = s3.get_public_access_block(Bucket="data")["PublicAccessBlockConfiguration"]
assert all(block.values()) and len(block) == 4
s3.put_public_access_block(Bucket="data", PublicAccessBlockConfiguration={**block, "BlockPublicAcls": False})
assert not s3.get_public_access_block(Bucket="data")["PublicAccessBlockConfiguration"]["BlockPublicAcls"]
s3.delete_public_access_block(Bucket="data")
refused("NoSuchPublicAccessBlockConfiguration", 404, s3.get_public_access_block, Bucket="data")
tags = [{"Key": "team", "Value": "data & more"}]
refused("NoSuchTagSet", 404, s3.get_bucket_tagging, Bucket="data")
s3.put_bucket_tagging(Bucket="data", Tagging={"TagSet": tags})
assert s3.get_bucket_tagging(Bucket="data")["TagSet"] == tags
s3.delete_bucket_tagging(Bucket="data")
lifecycle = {"Rules": [{"ID": "old", "Status": "Enabled", "Filter": {"Prefix": "x/"}, "Expiration": {"Days": 7}}]}
s3.put_bucket_lifecycle_configuration(Bucket="data", LifecycleConfiguration=lifecycle)
assert s3.get_bucket_lifecycle_configuration(Bucket="data")["Rules"] == lifecycle["Rules"]
s3.delete_bucket_lifecycle(Bucket="data")
refused("NoSuchLifecycleConfiguration", 404, s3.get_bucket_lifecycle_configuration, Bucket="data")
refused("NoSuchBucketPolicy", 404, s3.get_bucket_policy, Bucket="data")
s3.put_bucket_policy(Bucket="data", Policy='{"Version":"2012-10-17","Statement":[]}')
assert s3.get_bucket_policy(Bucket="data")["Policy"] == '{"Version":"2012-10-17","Statement":[]}'
s3.delete_bucket_policy(Bucket="data")

# An object comes back as it went.
put = s3.put_object(Bucket="data", Key="a b/ü?&+", Body=b"hello", ContentType="text/plain", CacheControl="no-store",
                    Metadata={"colour": "blue"}, Tagging="a=1&b=x%20y", ChecksumAlgorithm="SHA256")
assert put["ETag"] == f'"{hashlib.md5(b"hello").hexdigest()}"' and put["ChecksumSHA256"]
got = s3.get_object(Bucket="data", Key="a b/ü?&+", ChecksumMode="ENABLED")
assert got["Body"].read() == b"hello"
assert (got["ContentType"], got["CacheControl"], got["Metadata"]) == ("text/plain", "no-store", {"colour": "blue"})
assert got["ChecksumSHA256"] == put["ChecksumSHA256"] and got["TagCount"] == 2 and got["ContentLength"] == 5
head = s3.head_object(Bucket="data", Key="a b/ü?&+")
assert (head["ContentLength"], head["ETag"], head["LastModified"]) == (5, put["ETag"], got["LastModified"])
part = s3.get_object(Bucket="data", Key="a b/ü?&+", Range="bytes=1-3")
assert (part["Body"].read(), part["ContentRange"]) == (b"ell", "bytes 1-3/5")
assert part["ResponseMetadata"]["HTTPStatusCode"] == 206
refused("InvalidRange", 416, s3.get_object, Bucket="data", Key="a b/ü?&+", Range="bytes=9-")
refused("NoSuchKey", 404, s3.get_object, Bucket="data", Key="absent")
refused("404", 404, s3.head_object, Bucket="data", Key="absent")
refused("NoSuchBucket", 404, s3.get_object, Bucket="absent", Key="absent")
assert s3.get_object_tagging(Bucket="data", Key="a b/ü?&+")["TagSet"][1] == {"Key": "b", "Value": "x y"}
s3.put_object_tagging(Bucket="data", Key="a b/ü?&+", Tagging={"TagSet": tags})
assert s3.get_object_tagging(Bucket="data", Key="a b/ü?&+")["TagSet"] == tags
s3.delete_object_tagging(Bucket="data", Key="a b/ü?&+")
attributes = s3.get_object_attributes(Bucket="data", Key="a b/ü?&+", ObjectAttributes=["ETag", "ObjectSize"])
assert (attributes["ETag"], attributes["ObjectSize"]) == (put["ETag"].strip('"'), 5)
refused("BadDigest", 400, s3.put_object, Bucket="data", Key="x", Body=b"x", ContentMD5="XUFAKrxLKna5cZ2REBfFkg==")
s3.put_object(Bucket="data", Key="empty", Body=b"")
assert s3.get_object(Bucket="data", Key="empty")["Body"].read() == b""

# Conditions.
first = s3.put_object(Bucket="data", Key="lock", Body=b"1", IfNoneMatch="*")["ETag"]
refused("PreconditionFailed", 412, s3.put_object, Bucket="data", Key="lock", Body=b"2", IfNoneMatch="*")
second = s3.put_object(Bucket="data", Key="lock", Body=b"2", IfMatch=first)["ETag"]
refused("PreconditionFailed", 412, s3.put_object, Bucket="data", Key="lock", Body=b"3", IfMatch=first)
refused("NoSuchKey", 404, s3.put_object, Bucket="data", Key="absent", Body=b"3", IfMatch=first)
refused("304", 304, s3.get_object, Bucket="data", Key="lock", IfNoneMatch=second)
refused("PreconditionFailed", 412, s3.get_object, Bucket="data", Key="lock", IfMatch=first)
refused("412", 412, s3.head_object, Bucket="data", Key="lock", IfMatch=first)
refused("PreconditionFailed", 412, s3.delete_object, Bucket="data", Key="lock", IfMatch=first)


def race(number):
    try:
        s3.put_object(Bucket="data", Key="race", Body=b"%d" % number, IfNoneMatch="*")
        return number
    except ClientError as error:
        assert error.response["ResponseMetadata"]["HTTPStatusCode"] in (409, 412), error.response
        return None


with concurrent.futures.ThreadPoolExecutor(8) as racers:
    winners = [number for number in racers.map(race, range(32)) if number is not None]
assert len(winners) == 1, winners
assert s3.get_object(Bucket="data", Key="race")["Body"].read() == b"%d" % winners[0]

# Lists.
for key in ["l/a", "l/b/1", "l/b/2", "l/c d", "l/e"]:
    s3.put_object(Bucket="data", Key=key, Body=b"x")
listed = s3.list_objects_v2(Bucket="data", Prefix="l/", Delimiter="/")
assert [entry["Key"] for entry in listed["Contents"]] == ["l/a", "l/c d", "l/e"]
assert [entry["Prefix"] for entry in listed["CommonPrefixes"]] == ["l/b/"] and listed["KeyCount"] == 4
pages = s3.get_paginator("list_objects_v2").paginate(Bucket="data", Prefix="l/", PaginationConfig={"PageSize": 2})
assert [entry["Key"] for page in pages for entry in page["Contents"]] == ["l/a", "l/b/1", "l/b/2", "l/c d", "l/e"]
assert [entry["Key"] for entry in s3.list_objects(Bucket="data", Prefix="l/", Marker="l/b/2")["Contents"]] == ["l/c d", "l/e"]
versions = s3.list_object_versions(Bucket="data", Prefix="l/")["Versions"]
assert [(entry["Key"], entry["IsLatest"]) for entry in versions][:2] == [("l/a", True), ("l/b/1", True)]

# Copies.
copied = s3.copy_object(Bucket="abroad", Key="copy", CopySource={"Bucket": "data", "Key": "a b/ü?&+"})
assert copied["CopyObjectResult"]["ETag"] == put["ETag"]
assert s3.head_object(Bucket="abroad", Key="copy")["Metadata"] == {"colour": "blue"}
s3.copy_object(Bucket="abroad", Key="copy", CopySource="abroad/copy", MetadataDirective="REPLACE", Metadata={"n": "1"})
assert s3.head_object(Bucket="abroad", Key="copy")["Metadata"] == {"n": "1"}
refused("InvalidRequest", 400, s3.copy_object, Bucket="abroad", Key="copy", CopySource="abroad/copy")

# Multipart uploads.
big = b"7" * (5 * 1024 * 1024)
upload = s3.create_multipart_upload(Bucket="data", Key="big", ContentType="image/png")["UploadId"]
one = s3.upload_part(Bucket="data", Key="big", UploadId=upload, PartNumber=1, Body=big)
two = s3.upload_part_copy(Bucket="data", Key="big", UploadId=upload, PartNumber=2, CopySource="data/lock")
assert [part["Size"] for part in s3.list_parts(Bucket="data", Key="big", UploadId=upload)["Parts"]] == [len(big), 1]
assert [entry["UploadId"] for entry in s3.list_multipart_uploads(Bucket="data")["Uploads"]] == [upload]
parts = [{"PartNumber": 1, "ETag": one["ETag"]}, {"PartNumber": 2, "ETag": two["CopyPartResult"]["ETag"]}]
refused("InvalidPart", 400, s3.complete_multipart_upload, Bucket="data", Key="big", UploadId=upload,
        MultipartUpload={"Parts": [{"PartNumber": 3, "ETag": one["ETag"]}]})
done = s3.complete_multipart_upload(Bucket="data", Key="big", UploadId=upload, MultipartUpload={"Parts": parts})
assert done["ETag"].endswith('-2"'), done
got = s3.get_object(Bucket="data", Key="big")
assert got["Body"].read() == big + b"2" and got["ContentType"] == "image/png"
other = s3.create_multipart_upload(Bucket="data", Key="big")["UploadId"]
s3.abort_multipart_upload(Bucket="data", Key="big", UploadId=other)
refused("NoSuchUpload", 404, s3.abort_multipart_upload, Bucket="data", Key="big", UploadId=other)

# The end of things.
refused("BucketNotEmpty", 409, s3.delete_bucket, Bucket="abroad")
deleted = s3.delete_objects(Bucket="abroad", Delete={"Objects": [{"Key": "copy"}, {"Key": "absent"}]})
assert len(deleted["Deleted"]) == 2 and not deleted.get("Errors")
s3.delete_object(Bucket="abroad", Key="absent")
s3.delete_bucket(Bucket="abroad")
assert_all_called("s3")

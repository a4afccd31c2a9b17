//! Keys of the schema as names of Rust.

#[path = "../build/names.rs"]
mod names;

#[test]
fn setters_read_like_rust() {
    for (key, name) in [
        ("QueueName", "queue_name"),
        ("DBInstanceIdentifier", "db_instance_identifier"),
        ("VPCSecurityGroups", "vpc_security_groups"),
        ("S3Bucket", "s3_bucket"),
        ("SubnetIDs", "subnet_ids"),
        ("ProviderARNs", "provider_arns"),
        ("CidrIpv6", "cidr_ipv6"),
        ("EnableDnsHostnames", "enable_dns_hostnames"),
        ("AssignIpv6AddressOnCreation", "assign_ipv6_address_on_creation"),
        ("HTTPSPort", "https_port"),
        ("OKActions", "ok_actions"),
        ("Endpoint.Address", "endpoint_address"),
        ("MultiAZ", "multi_az"),
        ("x-amz-tag", "x_amz_tag"),
        ("Type", "type_"),
        ("Override", "override_"),
        ("Property", "property_"),
    ] {
        assert_eq!(names::function(key, &["property"]), name, "{key}");
    }
}

#[test]
fn constants_and_identifiers_have_names() {
    assert_eq!(names::constant("provided.al2023").as_deref(), Some("PROVIDED_AL2023"));
    assert_eq!(names::constant("PER_TENANT").as_deref(), Some("PER_TENANT"));
    assert_eq!(names::constant("x86_64").as_deref(), Some("X86_64"));
    assert_eq!(
        names::constant("PublishedVersions").as_deref(),
        Some("PUBLISHED_VERSIONS")
    );
    assert_eq!(names::constant("5.7").as_deref(), Some("_5_7"));
    assert_eq!(names::constant("*"), None);
    for (target, module, name) in [
        ("AWS::EC2::Subnet.SubnetId", "ec2", "SubnetId"),
        ("AWS::EC2::SecurityGroup.Id", "ec2", "SecurityGroupId"),
        ("AWS::IAM::Role.Arn", "iam", "RoleArn"),
        ("AWS::EC2::VPC.VpcId", "ec2", "VpcId"),
        ("Alexa::ASK::Skill.Id", "alexa_ask", "SkillId"),
    ] {
        assert_eq!(names::identifier(target), (module.to_owned(), name.to_owned()));
    }
    assert_eq!(
        (
            names::module("AWS::SQS::Queue").as_str(),
            names::resource("AWS::SQS::Queue")
        ),
        ("sqs", "Queue")
    );
    assert_eq!(names::pascal("tag-key"), "TagKey");
}

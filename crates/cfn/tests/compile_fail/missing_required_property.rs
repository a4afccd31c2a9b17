use cfn::{IntoResource, ec2};

fn add(_: impl IntoResource) {}

fn main() {
    add(ec2::Subnet::new().cidr_block("10.0.0.0/24"));
}

use cfn::{ec2::security_group, ec2::SecurityGroup};

fn main() {
    let _ = SecurityGroup::new().security_group_ingress([security_group::Ingress::new().from_port(443)]);
}

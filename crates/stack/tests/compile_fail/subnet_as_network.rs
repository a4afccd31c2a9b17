use stack::{Stack, ec2::SecurityGroup, ec2::Subnet};

fn wire(stack: &Stack, subnet: &Subnet) {
    SecurityGroup::new(stack, "Group", subnet).build();
}

fn main() {}

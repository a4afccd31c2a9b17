use cfn::{ec2, pseudo};

fn main() {
    let _ = ec2::Subnet::new().vpc_id(pseudo::region());
}

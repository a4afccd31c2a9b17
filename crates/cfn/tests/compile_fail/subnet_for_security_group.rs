use cfn::{Handle, ec2, lambda::function};

fn main() {
    let subnet: Handle<ec2::Subnet> = Handle::new(cfn::ElementId::new(1));
    let _ = function::VpcConfig::new().security_group_ids([subnet]);
}

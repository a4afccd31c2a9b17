use cfn::rds;

fn main() {
    let _ = rds::DBInstance::new().allocated_storage(20);
}

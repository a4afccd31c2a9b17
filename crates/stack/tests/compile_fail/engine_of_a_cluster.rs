use stack::ec2::Vpc;
use stack::rds::{DatabaseInstance, aurora_postgres};
use stack::Stack;

fn wire(stack: &Stack, vpc: &Vpc) {
    DatabaseInstance::new(stack, "Database", aurora_postgres("16.13"), vpc).build();
}

fn main() {}

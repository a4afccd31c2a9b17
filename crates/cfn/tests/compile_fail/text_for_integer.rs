use cfn::lambda;

fn main() {
    let _ = lambda::Function::new().timeout("30");
}

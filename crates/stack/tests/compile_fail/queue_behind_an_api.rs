use stack::{apigateway::LambdaIntegration, sqs::Queue};

fn wire(queue: &Queue) -> LambdaIntegration {
    LambdaIntegration::new(queue)
}

fn main() {}

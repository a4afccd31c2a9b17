use cfn::{Handle, lambda, sns, sqs};

fn main() {
    let queue: Handle<sqs::Queue> = Handle::new(cfn::ElementId::new(1));
    let _ = lambda::Function::new().role(queue.arn());
    let _ = sns::TopicPolicy::new().topics([queue.queue_url()]);
}

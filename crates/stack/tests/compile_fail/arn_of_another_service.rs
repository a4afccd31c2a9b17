use stack::sqs::Queue;

fn wire(queue: &Queue) {
    let _ = cfn::sns::Subscription::new().topic_arn(queue.queue_arn());
}

fn main() {}

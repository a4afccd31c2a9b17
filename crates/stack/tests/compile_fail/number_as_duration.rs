use stack::{Stack, sqs::Queue};

fn wire(stack: &Stack) {
    Queue::new(stack, "Jobs").visibility_timeout(30).build();
}

fn main() {}

use stack::{Stack, sns::Topic, sqs::Queue};

fn wire(stack: &Stack, topic: &Topic) {
    Queue::new(stack, "Jobs").dead_letter_queue(topic, 3).build();
}

fn main() {}

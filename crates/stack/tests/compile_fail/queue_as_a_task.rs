use stack::sqs::Queue;
use stack::stepfunctions::Task;
use stack::Stack;

fn wire(stack: &Stack, queue: &Queue) {
    Task::new(stack, "Send", queue).build();
}

fn main() {}

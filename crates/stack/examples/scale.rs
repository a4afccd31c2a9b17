//! The app of the benchmark: stacks of queues with an alarm each. `scale STACKS RESOURCES` writes its assembly; its twin
//! for aws-cdk-lib is `tests/parity/oracle/scale.ts`.

use std::process::ExitCode;

use stack::cloudwatch::Alarm;
use stack::sqs::Queue;
use stack::{App, Stack};

fn main() -> ExitCode {
    let mut numbers = std::env::args()
        .skip(1)
        .filter_map(|argument| argument.parse::<usize>().ok());
    let (stacks, resources) = (numbers.next().unwrap_or(20), numbers.next().unwrap_or(500));
    stack::run(|app| build(app, stacks, resources))
}

fn build(app: &App, stacks: usize, resources: usize) {
    for number in 0..stacks {
        let stack = Stack::new(app, format!("Stack{number}")).build();
        for index in 0..resources / 2 {
            let queue = Queue::new(&stack, format!("Queue{index}")).build();
            Alarm::new(
                &stack,
                format!("Alarm{index}"),
                queue.metric_approximate_number_of_messages_visible(),
            )
            .at_least(100.0)
            .for_periods(2)
            .build();
        }
    }
}

//! State machines: steps of work that Step Functions runs, waits for and tries again.
//!
//! A definition is made of states, which are constructs, and of transitions between them: `first.next(&second)`. What is
//! built with [`StateMachine`] follows all transitions from the first state. Paths are JSONPath: in a JSON value, a key
//! that ends with `.$` takes its value from a path, as in `{"id.$": "$.id"}`.
//!
//! JSONata, distributed maps and encryption with a customer's key are not offered here.

mod chain;
mod choice;
mod condition;
mod fallible;
mod graph;
mod input;
mod render;
mod state;
mod state_machine;
mod steps;
mod task;
mod tasks;

pub use chain::{Chain, Chainable};
pub use choice::{Choice, ChoiceBuilder};
pub use condition::Condition;
pub use fallible::{Catch, CustomState, Jitter, Map, MapBuilder, Parallel, ParallelBuilder, Retry};
pub use input::{Field, Input, context};
pub use state_machine::{LogLevel, StateMachine, StateMachineBuilder, StateMachineType};
pub use steps::{Fail, FailBuilder, Pass, PassBuilder, Succeed, SucceedBuilder, Wait, WaitBuilder, WaitTime};
pub use task::{Task, TaskBuilder};
pub use tasks::{
    AttributeValue, DynamoDelete, DynamoGet, DynamoPut, DynamoUpdate, Event, InvocationType, LambdaInvoke, PutEvents,
    SdkCall, SendMessage, SnsPublish, StartExecution, TaskTarget,
};

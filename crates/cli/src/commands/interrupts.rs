//! Interrupting what changes stacks: the first signal begins nothing new and waits for what runs, the second leaves what runs to
//! CloudFormation.

use aws::stacks::Stop;
use tokio::signal::unix::{SignalKind, signal};

use crate::console::Console;
use crate::failure::{Code, Failure, Outcome};

/// To be called inside of the runtime. Listens until the process ends. `running` says what goes on: all of it, or only
/// what this command began.
pub fn listen(stop: &Stop, running: impl Fn(bool) -> Option<String> + Send + 'static, console: &Console) -> Outcome {
    let cannot = |error: std::io::Error| Failure::new(Code::Internal, "cannot listen for signals").because(error);
    let mut interrupt = signal(SignalKind::interrupt()).map_err(cannot)?;
    let mut terminate = signal(SignalKind::terminate()).map_err(cannot)?;
    let (stop, console) = (stop.clone(), console.clone());
    tokio::spawn(async move {
        for times in 1.. {
            let name = tokio::select! {
                _ = interrupt.recv() => "interrupted",
                _ = terminate.recv() => "terminated",
            };
            let running = running(times == 1);
            if times == 1 {
                console.say(&match running {
                    Some(running) => format!(
                        "{name}: waits for {running} and begins no other stack; once more leaves it to CloudFormation"
                    ),
                    None => format!("{name}: begins nothing more"),
                });
                stop.ask();
                continue;
            }
            console.clear();
            let failure = Failure::new(Code::Interrupted, format!("{name} twice: nothing more is done here"));
            console.failure(&match running {
                Some(running) => failure.hint(format!(
                    "CloudFormation goes on by itself with {running}; the same command follows it and does the rest"
                )),
                None => failure.hint("the same command does the rest"),
            });
            std::process::exit(i32::from(Code::Interrupted.exit_status()));
        }
    });
    Ok(())
}

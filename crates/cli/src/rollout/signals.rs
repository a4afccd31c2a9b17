//! What Ctrl-C, SIGTERM and a terminal that hangs up mean to a rollout.
//!
//! The first asks what to do where there is a terminal, and otherwise turns the traffic back before the run ends. The next
//! hands over: the call under way is finished and recorded, the lock is given back, and `resume` carries on at once.
//! Another one ends at once. GitHub Actions sends SIGINT to a cancelled job, SIGTERM 7.5 s later, and kills 2.5 s after
//! that (<https://docs.github.com/en/actions/reference/workflow-cancellation-reference>).
//!
//! While another question stands on the terminal, such as for the approval of a change, nothing is asked: what is typed
//! would be its answer. Turning back and handing over do not wait for that answer.

use orchestrator::driver::InterruptHandle;
use tokio::signal::unix::{SignalKind, signal};
use tokio::sync::mpsc::{UnboundedReceiver, UnboundedSender, unbounded_channel};

use crate::console::Console;
use crate::failure::{Code, Failure, Outcome};

const QUESTION: &str = "turn the traffic back, go on, or leave it as it is for `resume`? [t/g/l]";

/// How far the interrupting has come.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Stage {
    Quiet,
    /// The question stands on the terminal; the rollout goes on meanwhile.
    Asked,
    TurningBack,
    HandingOver,
}

/// What is done about a signal or an answer.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Deed {
    Ask,
    TurnBack,
    GoOn,
    HandOver,
    Exit,
    /// The question was answered by a second signal already.
    Nothing,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Answer {
    TurnBack,
    GoOn,
    Leave,
    /// Nothing that was offered.
    Unclear,
    /// Nobody is there any more.
    Gone,
}

impl Answer {
    fn of(text: &str) -> Self {
        match text {
            "t" | "T" | "turn back" => Answer::TurnBack,
            "g" | "G" | "go on" => Answer::GoOn,
            "l" | "L" | "leave" => Answer::Leave,
            _ => Answer::Unclear,
        }
    }
}

impl Stage {
    fn on_signal(self, can_ask: bool) -> (Stage, Deed) {
        match self {
            Stage::Quiet if can_ask => (Stage::Asked, Deed::Ask),
            Stage::Quiet => (Stage::TurningBack, Deed::TurnBack),
            Stage::Asked | Stage::TurningBack => (Stage::HandingOver, Deed::HandOver),
            Stage::HandingOver => (Stage::HandingOver, Deed::Exit),
        }
    }

    fn on_answer(self, answer: Answer) -> (Stage, Deed) {
        match (self, answer) {
            (Stage::Asked, Answer::TurnBack | Answer::Gone) => (Stage::TurningBack, Deed::TurnBack),
            (Stage::Asked, Answer::GoOn) => (Stage::Quiet, Deed::GoOn),
            (Stage::Asked, Answer::Leave) => (Stage::HandingOver, Deed::HandOver),
            (Stage::Asked, Answer::Unclear) => (Stage::Asked, Deed::Ask),
            (other, _) => (other, Deed::Nothing),
        }
    }
}

/// To be called inside of the runtime. Listens until the process ends.
pub fn abort_on_signals(handle: &InterruptHandle, console: &Console) -> Outcome {
    let cannot = |error: std::io::Error| Failure::new(Code::Internal, "cannot listen for signals").because(error);
    let mut interrupt = signal(SignalKind::interrupt()).map_err(cannot)?;
    let mut terminate = signal(SignalKind::terminate()).map_err(cannot)?;
    let mut hangup = signal(SignalKind::hangup()).map_err(cannot)?;
    let (sender, mut answers): (_, UnboundedReceiver<Answer>) = unbounded_channel();
    let (handle, console) = (handle.clone(), console.clone());
    tokio::spawn(async move {
        let mut stage = Stage::Quiet;
        let mut name = "interrupted";
        loop {
            let (next, deed) = tokio::select! {
                _ = interrupt.recv() => {
                    name = "interrupted";
                    stage.on_signal(console.can_ask() && !console.is_asking())
                }
                _ = terminate.recv() => {
                    name = "terminated";
                    // Whoever sends this does not sit at the terminal.
                    stage.on_signal(false)
                }
                _ = hangup.recv() => {
                    name = "hung up";
                    stage.on_signal(false)
                }
                Some(answer) = answers.recv() => stage.on_answer(answer),
            };
            stage = next;
            carry_out(deed, name, &handle, &console, &sender);
        }
    });
    Ok(())
}

fn carry_out(deed: Deed, name: &str, handle: &InterruptHandle, console: &Console, answers: &UnboundedSender<Answer>) {
    match deed {
        Deed::Nothing => {}
        Deed::Ask => ask(console, answers),
        Deed::TurnBack => {
            console.say(&format!(
                "{name}: turning the traffic back; once more hands that over to `resume`"
            ));
            console.give_up_questions();
            handle.turn_back(name);
        }
        Deed::GoOn => {
            console.say("going on");
            handle.go_on();
        }
        Deed::HandOver => {
            console.say(&format!(
                "{name}: finishes what is under way and hands over to `resume`; once more ends at once"
            ));
            console.give_up_questions();
            handle.hand_over();
        }
        Deed::Exit => {
            console.clear();
            console.failure(
                &Failure::new(Code::Interrupted, format!("{name} again: nothing more is done here")).hint(
                    "the journal says how far it came; when the lock's lease has ended, `llama-deploy resume` carries it \
                     on, and `llama-deploy rollback` turns it back",
                ),
            );
            std::process::exit(i32::from(Code::Interrupted.exit_status()));
        }
    }
}

/// Reading from the terminal blocks: a thread of its own, which the end of the rollout leaves behind. The runtime would
/// wait for one of its own.
fn ask(console: &Console, answers: &UnboundedSender<Answer>) {
    let (console, answers) = (console.clone(), answers.clone());
    std::thread::spawn(move || {
        let answer = console.ask(QUESTION);
        // Nobody listens after the end.
        let _ = answers.send(answer.map_or(Answer::Gone, |text| Answer::of(&text)));
    });
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn without_a_terminal_three_signals_turn_back_hand_over_and_end() {
        let mut stage = Stage::Quiet;
        let mut deeds = Vec::new();
        for _ in 0..3 {
            let (next, deed) = stage.on_signal(false);
            stage = next;
            deeds.push(deed);
        }
        assert_eq!(deeds, [Deed::TurnBack, Deed::HandOver, Deed::Exit]);
    }

    #[test]
    fn on_a_terminal_the_first_signal_asks_and_a_second_does_not_wait_for_the_answer() {
        let (asked, deed) = Stage::Quiet.on_signal(true);
        assert_eq!(deed, Deed::Ask);
        assert_eq!(asked.on_signal(true).1, Deed::HandOver);
        assert_eq!(asked.on_answer(Answer::GoOn), (Stage::Quiet, Deed::GoOn));
        assert_eq!(asked.on_answer(Answer::of("t")).1, Deed::TurnBack);
        assert_eq!(asked.on_answer(Answer::of("l")).1, Deed::HandOver);
        assert_eq!(asked.on_answer(Answer::of("what?")), (Stage::Asked, Deed::Ask));
        assert_eq!(
            Stage::HandingOver.on_answer(Answer::GoOn),
            (Stage::HandingOver, Deed::Nothing)
        );
    }

    #[test]
    fn a_terminal_that_is_gone_turns_back() {
        assert_eq!(Stage::Asked.on_answer(Answer::Gone).1, Deed::TurnBack);
    }
}

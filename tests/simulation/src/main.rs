//! `simulate`: runs seeds and says which of them break an invariant. `cargo xtask simulate` starts it.

#![expect(
    clippy::print_stdout,
    clippy::print_stderr,
    reason = "the simulator talks to the terminal"
)]

use std::collections::BTreeMap;
use std::process::ExitCode;
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Mutex, PoisonError, mpsc};
use std::time::Instant;

use simulation::met::Met;
use simulation::shrink::shrink;
use simulation::simulate::{Outcome, Script, simulate};

const USAGE: &str = "usage: simulate [--seeds N] [--seed S] [--jobs N]

  --seeds N   runs N seeds and reports seeds per second; the first is S, or drawn from the system
  --seed S    without --seeds: runs this one and prints its trace (decimal, or 0x and hexadecimal)
  --jobs N    threads (as many as there are processors)
  --quiet     no shrinking, no trace: only which invariant broke first
  --met       says of what the seeds came across, how many came across it
";

struct Arguments {
    seeds: Option<u64>,
    seed: Option<u64>,
    jobs: usize,
    quiet: bool,
    met: bool,
}

fn main() -> ExitCode {
    let arguments = match read(std::env::args().skip(1)) {
        Ok(arguments) => arguments,
        Err(problem) => {
            eprintln!("simulate: {problem}\n\n{USAGE}");
            return ExitCode::from(2);
        }
    };
    // A panic of a simulation is an outcome like others.
    std::panic::set_hook(Box::new(|_| {}));
    match (arguments.seed, arguments.seeds) {
        (Some(seed), None) => one(seed),
        (seed, seeds) => match seed.map_or_else(drawn, Ok) {
            Ok(first) => many(first, seeds.unwrap_or(1000), &arguments),
            Err(error) => {
                eprintln!("simulate: no random seed: {error}");
                ExitCode::FAILURE
            }
        },
    }
}

fn read(mut words: impl Iterator<Item = String>) -> Result<Arguments, String> {
    let mut arguments = Arguments {
        seeds: None,
        seed: None,
        jobs: std::thread::available_parallelism().map_or(1, usize::from),
        quiet: false,
        met: false,
    };
    while let Some(word) = words.next() {
        let mut number = || {
            let text = words.next().ok_or_else(|| format!("{word} needs a number"))?;
            let parsed = match text.strip_prefix("0x") {
                Some(hexadecimal) => u64::from_str_radix(hexadecimal, 16),
                None => text.parse(),
            };
            parsed.map_err(|_| format!("'{text}' is no number"))
        };
        match word.as_str() {
            "--seeds" => arguments.seeds = Some(number()?),
            "--seed" => arguments.seed = Some(number()?),
            "--jobs" => arguments.jobs = usize::try_from(number()?).unwrap_or(1).max(1),
            "--quiet" => arguments.quiet = true,
            "--met" => arguments.met = true,
            other => return Err(format!("no argument '{other}'")),
        }
    }
    Ok(arguments)
}

/// A seed of the system's, short enough to be typed again.
fn drawn() -> Result<u64, getrandom::Error> {
    getrandom::u32().map(u64::from)
}

fn one(seed: u64) -> ExitCode {
    let outcome = simulate(seed, None, true);
    for line in &outcome.lines {
        println!("{line}");
    }
    println!("seed {seed:#x}: {} calls, trace {:016x}", outcome.calls, outcome.hash);
    match outcome.violations.first() {
        None => ExitCode::SUCCESS,
        Some(violation) => {
            println!("{violation}");
            ExitCode::FAILURE
        }
    }
}

fn many(first: u64, count: u64, arguments: &Arguments) -> ExitCode {
    let began = Instant::now();
    let next = AtomicU64::new(0);
    let (sender, receiver) = mpsc::channel::<Outcome>();
    let met = Mutex::new(BTreeMap::<Met, u64>::new());
    let failing = std::thread::scope(|scope| {
        for _ in 0..arguments.jobs {
            let (next, met, sender) = (&next, &met, sender.clone());
            scope.spawn(move || {
                loop {
                    let number = next.fetch_add(1, Ordering::Relaxed);
                    if number >= count {
                        return;
                    }
                    let outcome = simulate(first.wrapping_add(number), None, false);
                    let mut met = met.lock().unwrap_or_else(PoisonError::into_inner);
                    for met_here in &outcome.met {
                        *met.entry(*met_here).or_default() += 1;
                    }
                    drop(met);
                    if !outcome.violations.is_empty() {
                        let _ = sender.send(outcome);
                        // One is enough.
                        next.store(count, Ordering::Relaxed);
                    }
                }
            });
        }
        drop(sender);
        receiver
            .into_iter()
            .min_by_key(|outcome| outcome.seed.wrapping_sub(first))
    });
    let Some(failing) = failing else {
        let seconds = began.elapsed().as_secs_f64();
        println!(
            "{count} seeds from {first:#x} hold all invariants: {:.0} seeds a second",
            count as f64 / seconds.max(0.001)
        );
        if arguments.met {
            let met = met.into_inner().unwrap_or_else(PoisonError::into_inner);
            for each in Met::ALL {
                println!("{:>8} {each}", met.get(each).copied().unwrap_or_default());
            }
        }
        return ExitCode::SUCCESS;
    };
    report(&failing, first, arguments.quiet);
    ExitCode::FAILURE
}

fn report(failing: &Outcome, first: u64, quiet: bool) {
    let Some(violation) = failing.violations.first() else {
        return;
    };
    println!(
        "seed {:#x} (number {} from {first:#x}): {violation}",
        failing.seed,
        failing.seed.wrapping_sub(first) + 1
    );
    println!("again, with its trace: cargo xtask simulate --seed {:#x}", failing.seed);
    if quiet {
        return;
    }
    let script = shrink(failing);
    let outcome = simulate(failing.seed, Some(&script), true);
    println!("\nas short as it gets:");
    print(&script);
    println!("\nits trace:");
    for line in &outcome.lines {
        println!("{line}");
    }
}

fn print(script: &Script) {
    for (at, action) in &script.actions {
        println!("  at {at:#}: {action}");
    }
    for (call, fault) in &script.faults {
        println!("  call {call} {fault}");
    }
    if script.faults.is_empty() {
        println!("  and no fault");
    }
}

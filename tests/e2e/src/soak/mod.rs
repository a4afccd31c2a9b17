//! Rollouts in a row on the embedded cloud, with the real binary, under constant traffic and random faults; after each
//! the end state is looked at past the product, and every answer is held against the journals.
//!
//! `cargo xtask soak` runs it through the binary beside this module, and a test runs a few rollouts. It knows the ledger's
//! files and the wire, and nothing of our crates.

mod fate;
mod ledger;
mod load;
mod rollout;
mod shares;

use std::fmt;
use std::time::{Duration, Instant};

use jiff::SignedDuration;

use self::fate::{Fate, Release};
use self::load::Load;
use self::rollout::{Soak, write_release};
use crate::{Project, Wire, settings};

const BUCKET: &str = "ledger-of-a-soak";
const CLIENTS: usize = 3;
const PAUSE: Duration = Duration::from_millis(6);

/// Fast: bakes of fractions of a second, and a lease that a dead process does not hold for long. The limits leave a
/// failing tenth no chance and need some hundred requests, which large shares get soon.
const ROLLOUT: &str = "lock-margin = '800ms'\ngates.settle = '0s'\ngates.metric-period = '1s'\ngates.minimum-requests = 40\n\
    gates.lambda-error-rate = { fail-above-percent = 5.0, pass-at-most-percent = 1.0 }\n";
const STEPS: [(&str, &str); 3] = [
    ("weight = 10, bake = '3s'", "weight = 40, bake = '300ms'"),
    ("weight = 50", "weight = 70"),
    ("bake = '3s'", "bake = '300ms'"),
];

#[derive(Clone, Copy, Debug)]
pub struct Options {
    pub seed: u64,
    /// The number of the first, to repeat what befell it.
    pub first: usize,
    pub rollouts: usize,
    /// How long a dead process holds the lock. A machine that stands still for longer takes it from a living one, too.
    pub lock_lease_seconds: u32,
}

/// Where nobody is measured, the gates are asked so often.
const POLL: &str = "150ms";
/// What the promised time from a breach to weight 0 is promised at.
const MEASURED_POLL: &str = "1s";
/// From a breach's data to weight 0.
const LONGEST_WAY_BACK: SignedDuration = SignedDuration::from_secs(5);
/// Of a rollback, from the intent until requests meet it everywhere.
const LONGEST_SWITCH: SignedDuration = SignedDuration::from_secs(1);

/// The figures.
#[derive(Clone, Debug, Default)]
pub struct Summary {
    pub rollouts: usize,
    pub promoted: usize,
    pub turned_back: usize,
    pub rollbacks: usize,
    pub left_to_people: usize,
    pub faults: usize,
    pub killed: usize,
    pub requests: usize,
    /// Requests that a bad candidate failed, within its share.
    pub failed_by_candidates: usize,
    /// Of rollbacks that nothing befell.
    pub switches: Times,
    /// From the look before the breach's, which did not have its data yet, to weight 0; of failing releases that nothing
    /// befell, at a poll of one second.
    pub ways_back: Times,
    pub seconds: f64,
}

#[derive(Clone, Debug, Default)]
pub struct Times {
    pub longest: SignedDuration,
    pub count: usize,
}

impl Times {
    fn add(&mut self, time: SignedDuration) {
        self.longest = self.longest.max(time);
        self.count += 1;
    }
}

impl fmt::Display for Times {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(
            formatter,
            "{} ms at most ({} measured)",
            self.longest.as_millis(),
            self.count
        )
    }
}

impl Summary {
    /// What took longer than is promised. A machine that does something else besides is a reason, and no excuse.
    pub fn too_slow(&self) -> Option<String> {
        let limits = [
            ("a rollback's switch", &self.switches, LONGEST_SWITCH),
            ("the way back from a breach", &self.ways_back, LONGEST_WAY_BACK),
        ];
        let (what, times, limit) = limits.into_iter().find(|(_, times, limit)| times.longest >= *limit)?;
        Some(format!("{what} took {times}, and {limit:#} is promised"))
    }
}

impl fmt::Display for Summary {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(
            formatter,
            "{} rollouts in {:.0} s: {} promoted, {} turned back, {} rolled back, {} left to people; {} faults, {} of them \
             kills; {} requests, {} failed by bad candidates within their share, 0 lost; from a breach's data to weight 0: \
             {}; a rollback's switch: {}",
            self.rollouts,
            self.seconds,
            self.promoted,
            self.turned_back,
            self.rollbacks,
            self.left_to_people,
            self.faults,
            self.killed,
            self.requests,
            self.failed_by_candidates,
            self.ways_back,
            self.switches,
        )
    }
}

/// Carries them out; `say` gets a line for each.
///
/// # Errors
/// The first rollout that leaves something, or the first answer that should not have been.
pub fn run(options: Options, say: &dyn Fn(&str)) -> Result<Summary, String> {
    let project = Project::empty();
    write_settings(&project, options, POLL);
    project.function("soak");
    let wire = Wire::between(&project);
    project.make_bucket(BUCKET);
    write_release(&project, "first", Release::Good);
    let ended = project.run(&["deploy"]);
    if ended.status != Some(0) {
        return Err(format!("the first deploy failed:\n{}", ended.stderr));
    }
    let begun = Instant::now();
    let url = format!("{}/hello", wire.traffic("prod").live_url);
    let load = Load::start(&url, CLIENTS, PAUSE);
    let mut soak = Soak::new(&project, &wire, &load, &url);
    for number in options.first..options.first + options.rollouts {
        let fate = Fate::of(options.seed, number);
        let since = Instant::now();
        let poll = if fate.is_measured() { MEASURED_POLL } else { POLL };
        write_settings(&project, options, poll);
        let done = soak.rollout(number, &fate).map_err(|problem| {
            format!(
                "rollout {number} ({fate}): {problem}\nagain with: cargo xtask soak --seed {} --first {number} --rollouts 1",
                options.seed
            )
        })?;
        say(&format!(
            "{number:4}  {:5.1} s  {fate}: {done}",
            since.elapsed().as_secs_f64()
        ));
    }
    let mut summary = soak.summary();
    summary.seconds = begun.elapsed().as_secs_f64();
    Ok(summary)
}

fn write_settings(project: &Project, options: Options, poll: &str) {
    let rollout = format!(
        "poll = '{poll}'\nlock-lease = '{}s'\n{ROLLOUT}",
        options.lock_lease_seconds
    );
    let text = settings(&rollout, &format!("ledger = 's3://{BUCKET}/ledger'")).replace("contains = 'hello'", "");
    let text = STEPS.iter().fold(text, |text, (from, to)| text.replace(from, to));
    project.write("llama-deploy.toml", &text);
}

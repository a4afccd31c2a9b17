//! The gates' operating characteristics: how often a healthy rollout is turned back, and how soon a bad one.
//!
//! Writes a table between the markers of a page and a plot, whose paths are the two arguments; `cargo xtask
//! characteristics` calls it. Seeded: the same program gives the same figures.

#[path = "world.rs"]
mod world;

use std::fmt::Write as _;
use std::path::{Path, PathBuf};
use std::thread;

use orchestrator::config::RolloutConfig;
use plotters::prelude::*;
use world::{End, Scenario, roll_out};

const BEGIN: &str = "<!-- characteristics: begin -->";
const FINISH: &str = "<!-- characteristics: end -->";
const SEED: u64 = 1;
const HEADLINE: usize = 10_000;
const ROW: usize = 1_000;

type Failure = Box<dyn std::error::Error>;

fn main() -> Result<(), Failure> {
    let paths: Vec<PathBuf> = std::env::args_os().skip(1).map(PathBuf::from).collect();
    let [page, plot] = paths.as_slice() else {
        return Err("usage: characteristics PAGE PLOT".into());
    };
    write_page(page, &table())?;
    draw(plot, &curves())
}

/// `count` rollouts of scenarios that are drawn by `scenario`, over all processors; the figures do not depend on how many
/// there are.
fn ends(count: usize, scenario: impl Fn(&mut fastrand::Rng) -> Scenario + Sync) -> Vec<End> {
    let config = RolloutConfig::default();
    let threads = thread::available_parallelism().map_or(1, |count| count.get());
    let (config, scenario) = (&config, &scenario);
    let mut numbered: Vec<(usize, End)> = thread::scope(|scope| {
        let workers: Vec<_> = (0..threads)
            .map(|worker| {
                scope.spawn(move || {
                    let mine = (worker..count).step_by(threads);
                    mine.map(|number| {
                        let mut random = fastrand::Rng::with_seed(SEED << 32 | number as u64);
                        let scenario = scenario(&mut random);
                        (number, roll_out(config, &scenario, &mut random))
                    })
                    .collect::<Vec<_>>()
                })
            })
            .collect();
        workers
            .into_iter()
            .flat_map(|worker| worker.join().unwrap_or_default())
            .collect()
    });
    numbered.sort_by_key(|(number, _)| *number);
    numbered.into_iter().map(|(_, end)| end).collect()
}

fn fixed(requests_per_second: f64, live_errors: f64, candidate_errors: f64) -> impl Fn(&mut fastrand::Rng) -> Scenario {
    move |_| Scenario {
        requests_per_second,
        live_errors,
        candidate_errors,
    }
}

/// What came of many rollouts, in percent.
struct Summary {
    promoted: f64,
    failed: f64,
    inconclusive: f64,
    /// A gate failed in the first step within five minutes.
    soon: f64,
    /// Of those that failed in the first step; seconds.
    median: Option<f64>,
}

impl Summary {
    fn of(ends: &[End]) -> Summary {
        let percent = |is: &dyn Fn(&End) -> bool| {
            ends.iter().filter(|end| is(end)).count() as f64 * 100.0 / ends.len().max(1) as f64
        };
        let mut times: Vec<f64> = ends
            .iter()
            .filter_map(|end| match end {
                End::Failed { step: 0, seconds, .. } => Some(*seconds),
                _ => None,
            })
            .collect();
        times.sort_by(f64::total_cmp);
        Summary {
            promoted: percent(&End::is_promoted),
            failed: percent(&|end| matches!(end, End::Failed { .. })),
            inconclusive: percent(&|end| matches!(end, End::Inconclusive { .. })),
            soon: percent(&|end| matches!(end, End::Failed { step: 0, seconds, .. } if *seconds <= 300.0)),
            median: times.get(times.len() / 2).copied(),
        }
    }
}

fn table() -> String {
    let healthy = |random: &mut fastrand::Rng| {
        let errors = 0.001 + 0.009 * random.f64();
        // From 5 to 100 a second, each doubling as likely as any other.
        let requests_per_second = 5.0 * 20_f64.powf(random.f64());
        Scenario {
            requests_per_second,
            live_errors: errors,
            candidate_errors: errors,
        }
    };
    let good = ends(HEADLINE, healthy);
    let bad = Summary::of(&ends(HEADLINE, fixed(5.0, 0.005, 0.1)));
    let by_gate = |gate: &str| {
        good.iter()
            .filter(|end| matches!(end, End::Failed { gate: by, .. } if by == gate))
            .count()
    };
    let mut gates: Vec<&str> = good
        .iter()
        .filter_map(|end| match end {
            End::Failed { gate, .. } => Some(gate.as_str()),
            _ => None,
        })
        .collect();
    gates.sort_unstable();
    gates.dedup();
    let gates: Vec<String> = gates
        .into_iter()
        .map(|gate| format!("{gate} {}", by_gate(gate)))
        .collect();
    let gates = if gates.is_empty() {
        "none".to_owned()
    } else {
        gates.join(", ")
    };
    let good = Summary::of(&good);
    let mut text = format!(
        "Of {HEADLINE} healthy rollouts (the same 0.1 to 1 % errors in both slots, 5 to 100 requests a second) {:.2} % were \
         turned back: {:.2} % because a gate failed ({gates}), {:.2} % because the extension ended without a verdict. Of \
         {HEADLINE} rollouts whose errors rise from 0.5 to 10 % at 5 requests a second in all, {:.1} % were caught within 5 \
         minutes of the 10 % step; {:.2} % were promoted.\n\n",
        good.failed + good.inconclusive,
        good.failed,
        good.inconclusive,
        bad.soon,
        bad.promoted
    );
    text.push_str(
        "| requests a second | errors, live → candidate | promoted | a gate failed | no verdict | caught in step 1 within 5 min \
         | median time to it |\n|---:|---|---:|---:|---:|---:|---:|\n",
    );
    let effects = [
        (0.001, 0.001),
        (0.005, 0.005),
        (0.01, 0.01),
        (0.005, 0.02),
        (0.005, 0.05),
        (0.005, 0.1),
        (0.005, 0.5),
        (0.03, 0.03),
    ];
    for requests_per_second in [1.0, 5.0, 20.0, 100.0] {
        for (live, candidate) in effects {
            let found = Summary::of(&ends(ROW, fixed(requests_per_second, live, candidate)));
            let median = found.median.map_or("–".to_owned(), |seconds| format!("{seconds:.0} s"));
            let _ = writeln!(
                text,
                "| {requests_per_second} | {} % → {} % | {:.1} % | {:.1} % | {:.1} % | {:.1} % | {median} |",
                live * 100.0,
                candidate * 100.0,
                found.promoted,
                found.failed,
                found.inconclusive,
                found.soon
            );
        }
    }
    text
}

fn write_page(page: &Path, table: &str) -> Result<(), Failure> {
    let text = std::fs::read_to_string(page)?;
    let (head, rest) = text.split_once(BEGIN).ok_or("the page lacks the marker of the begin")?;
    let (_, tail) = rest.split_once(FINISH).ok_or("the page lacks the marker of the end")?;
    let text = format!("{head}{BEGIN}\n\n{table}\n{FINISH}{tail}");
    Ok(std::fs::write(page, text)?)
}

/// The share that is turned back, by the candidate's errors, for each traffic.
struct Curve {
    requests_per_second: f64,
    points: Vec<(f64, f64)>,
}

fn curves() -> Vec<Curve> {
    let errors = [0.5, 0.7, 1.0, 1.4, 2.0, 2.8, 4.0, 5.6, 8.0, 11.0, 16.0, 22.0];
    let curve = |requests_per_second: f64| Curve {
        requests_per_second,
        points: errors
            .iter()
            .map(|percent| {
                let found = Summary::of(&ends(ROW / 4, fixed(requests_per_second, 0.005, percent / 100.0)));
                (*percent, found.failed + found.inconclusive)
            })
            .collect(),
    };
    [2.0, 5.0, 20.0, 100.0].map(curve).into()
}

fn draw(path: &Path, curves: &[Curve]) -> Result<(), Failure> {
    let area = SVGBackend::new(path, (820, 460)).into_drawing_area();
    area.fill(&WHITE)?;
    let mut chart = ChartBuilder::on(&area)
        .caption(
            "Rollouts that are turned back (live slot: 0.5 % errors)",
            ("sans-serif", 18),
        )
        .margin(16)
        .x_label_area_size(44)
        .y_label_area_size(56)
        .build_cartesian_2d((0.5_f64..22.0).log_scale(), 0.0_f64..100.0)?;
    chart
        .configure_mesh()
        .x_desc("errors of the candidate, %")
        .y_desc("turned back, %")
        .x_label_formatter(&|value| format!("{value}"))
        .y_label_formatter(&|value| format!("{value:.0}"))
        .light_line_style(WHITE.mix(0.0))
        .draw()?;
    let colours = [
        RGBColor(148, 103, 189),
        RGBColor(214, 39, 40),
        RGBColor(31, 119, 180),
        RGBColor(44, 160, 44),
    ];
    for (curve, colour) in curves.iter().zip(colours) {
        chart
            .draw_series(LineSeries::new(curve.points.iter().copied(), colour.stroke_width(2)))?
            .label(format!("{} requests a second", curve.requests_per_second))
            .legend(move |(x, y)| PathElement::new(vec![(x, y), (x + 18, y)], colour.stroke_width(2)));
    }
    chart
        .configure_series_labels()
        .position(SeriesLabelPosition::LowerRight)
        .background_style(WHITE.mix(0.9))
        .border_style(BLACK.mix(0.3))
        .draw()?;
    Ok(area.present()?)
}

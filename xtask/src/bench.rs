//! `cargo xtask bench`: what the README claims about speed, measured on this machine, beside the TypeScript that it
//! replaces. Figures vary with the machine, so no test asserts them.

use std::path::Path;
use std::process::{Command, Stdio};
use std::time::{Duration, Instant};

use anyhow::{Context, Result, bail};

use crate::{shell, tools};

type Benchmark = (&'static str, fn() -> Result<()>);

/// The shortest of a few runs is the least disturbed one.
const RUNS: usize = 7;

pub fn run(names: &[String]) -> Result<()> {
    let all: [Benchmark; 8] = [
        ("synth", synth),
        ("overhead", overhead),
        ("startup", startup),
        ("edit", edit),
        ("scale", scale),
        ("cold", cold),
        ("migrate", || migrations("migrate")),
        ("backup", || migrations("backup")),
    ];
    if let Some(unknown) = names.iter().find(|name| !all.iter().any(|(known, _)| known == name)) {
        bail!(
            "no benchmark '{unknown}'; there are: {}",
            all.map(|(name, _)| name).join(", ")
        );
    }
    for (name, measure) in all {
        if names.is_empty() || names.iter().any(|wanted| wanted == name) {
            measure()?;
        }
    }
    Ok(())
}

/// The Phase 2 app as a process writes its assembly; ours beside `node app.js` of the same app compiled with tsc.
fn synth() -> Result<()> {
    let oracle = oracle()?;
    shell::run(shell::command("npx", &["tsc", "--project", "tsconfig.bench.json"]).current_dir(&oracle))?;
    shell::run(&mut shell::command(
        "cargo",
        &["build", "--release", "--ignore-rust-version", "-p", "parity"],
    ))?;
    let out = shell::root().join("target/bench");
    std::fs::create_dir_all(&out).context("cannot make target/bench")?;
    let node = fastest(|| {
        let mut app = Command::new("node");
        app.arg("build/app.js")
            .arg("phase2")
            .current_dir(&oracle)
            .env("CDK_OUTDIR", out.join("node"));
        app
    })?;
    let ours = fastest(|| {
        let mut app = Command::new(shell::root().join("target/release/parity"));
        app.args(["--assembly", "phase2"])
            .current_dir(shell::root())
            .env("CDK_OUTDIR", out.join("ours"));
        app
    })?;
    println!("| Phase 2 app as a process | wall time |\n|---|---|");
    println!("| node app.js (aws-cdk-lib, compiled) | {} |", shown(node));
    println!("| ours | {} |", shown(ours));
    println!("{:.0} times faster\n", node.as_secs_f64() / ours.as_secs_f64());
    Ok(())
}

/// What `llama-deploy synth` adds to the app that it runs, when nothing has to be built. Both without optimization, as
/// `cargo llama` builds them.
fn overhead() -> Result<()> {
    shell::run(&mut shell::command(
        "cargo",
        &["build", "--ignore-rust-version", "-p", "llama-deploy"],
    ))?;
    let out = shell::root().join("target/bench/stacks");
    let cli = || {
        let mut cli = Command::new(shell::root().join("target/debug/llama-deploy"));
        cli.arg("synth").arg("--output").arg(&out).current_dir(shell::root());
        cli
    };
    run_once(&mut cli())?;
    let through = fastest(cli)?;
    let alone = fastest(|| {
        let mut app = Command::new(shell::root().join("target/debug/stacks"));
        app.current_dir(shell::root())
            .env("CDK_OUTDIR", &out)
            .env("CDK_CONTEXT_JSON", r#"{"environment":"local"}"#);
        app
    })?;
    println!("| the platform's stacks | wall time |\n|---|---|");
    println!("| the app alone | {} |", shown(alone));
    println!("| llama-deploy synth | {} |\n", shown(through));
    Ok(())
}

/// What the binary takes before it does anything, as `cargo llama` builds it: the slower of its builds. Beside the CDK's CLI.
fn startup() -> Result<()> {
    shell::run(&mut shell::command(
        "cargo",
        &["build", "--ignore-rust-version", "-p", "llama-deploy"],
    ))?;
    let ours = shell::root().join("target/debug/llama-deploy");
    let cdk = oracle()?.join("node_modules/.bin/cdk");
    println!("| | cdk | llama-deploy |\n|---|---|---|");
    for argument in ["--version", "--help"] {
        let run = |program: &Path| {
            fastest(|| {
                let mut command = Command::new(program);
                command.arg(argument).current_dir(shell::root());
                command
            })
        };
        let (cdk, ours) = (run(&cdk)?, run(&ours)?);
        println!("| `{argument}` | {} | {} |", shown(cdk), shown(ours));
    }
    println!();
    Ok(())
}

/// One line edited in `stacks/` until the template is written, type check included; beside tsx, which checks no types.
fn edit() -> Result<()> {
    let oracle = oracle()?;
    let source = shell::root().join("stacks/src/main.rs");
    let original = std::fs::read(&source).with_context(|| source.display().to_string())?;
    let out = shell::root().join("target/bench/stacks");
    let cli = || {
        let mut cli = Command::new(shell::root().join("target/debug/llama-deploy"));
        cli.arg("synth").arg("--output").arg(&out).current_dir(shell::root());
        cli
    };
    run_once(&mut cli())?;
    let mut times = Vec::new();
    for round in 0..RUNS {
        let edited = [original.as_slice(), format!("// {round}\n").as_bytes()].concat();
        std::fs::write(&source, edited).with_context(|| source.display().to_string())?;
        times.push(timed(&mut cli()));
    }
    std::fs::write(&source, &original).with_context(|| format!("cannot restore {}", source.display()))?;
    let ours = times
        .into_iter()
        .collect::<Result<Vec<_>>>()?
        .into_iter()
        .min()
        .unwrap_or_default();
    let tsx = fastest(|| {
        let mut app = Command::new("npx");
        app.args(["tsx", "app.ts", "phase2"])
            .current_dir(&oracle)
            .env("CDK_OUTDIR", shell::root().join("target/bench/node"));
        app
    })?;
    println!("| one line edited → template | wall time |\n|---|---|");
    println!("| tsx app.ts (no type check) | {} |", shown(tsx));
    println!("| llama-deploy synth (type check included) | {} |\n", shown(ours));
    Ok(())
}

/// Stacks of 500 queues and alarms: 200 of them with ours, 20 with aws-cdk-lib, which needs as long for a tenth.
fn scale() -> Result<()> {
    const RESOURCES: u32 = 500;
    let (ours, theirs) = (200, 20);
    let oracle = oracle()?;
    shell::run(shell::command("npx", &["tsc", "--project", "tsconfig.bench.json"]).current_dir(&oracle))?;
    shell::run(&mut shell::command(
        "cargo",
        &[
            "build",
            "--release",
            "--ignore-rust-version",
            "-p",
            "stack",
            "--example",
            "scale",
        ],
    ))?;
    let out = shell::root().join("target/bench");
    std::fs::create_dir_all(&out).context("cannot make target/bench")?;
    let app = |stacks: u32| {
        let mut app = Command::new(shell::root().join("target/release/examples/scale"));
        app.args([stacks.to_string(), RESOURCES.to_string()])
            .env("CDK_OUTDIR", out.join("scale"));
        app
    };
    let twin = || {
        let mut app = Command::new("node");
        app.args(["build/scale.js".to_owned(), theirs.to_string(), RESOURCES.to_string()])
            .current_dir(&oracle)
            .env("CDK_OUTDIR", out.join("scale-node"));
        app
    };
    let rows = [
        ("aws-cdk-lib", theirs, measured(twin)?),
        ("ours", theirs, measured(|| app(theirs))?),
        ("ours", ours, measured(|| app(ours))?),
    ];
    println!("| | stacks | resources | wall time | processor time | of it a resource | peak memory |");
    println!("|---|---|---|---|---|---|---|");
    for (name, stacks, run) in rows {
        let resources = stacks * RESOURCES;
        println!(
            "| {name} | {stacks} | {resources} | {} | {} | {} | {} |",
            shown(run.time),
            known(run.processor, shown),
            known(run.processor, |time| format!(
                "{:.1} µs",
                time.as_secs_f64() * 1e6 / f64::from(resources)
            )),
            known(run.peak, |bytes| format!("{} MB", bytes >> 20)),
        );
    }
    println!();
    Ok(())
}

/// A user's app from nothing to its template: everything that it depends on, compiled in a new target folder.
fn cold() -> Result<()> {
    let target = shell::root().join("target/bench/cold");
    if target.exists() {
        std::fs::remove_dir_all(&target).with_context(|| target.display().to_string())?;
    }
    // Downloading is the network's time, not ours.
    shell::run(&mut shell::command("cargo", &["fetch", "--locked"]))?;
    let build = || {
        let mut build = shell::command(
            "cargo",
            &["build", "--ignore-rust-version", "--offline", "-p", "stacks"],
        );
        build.env("CARGO_TARGET_DIR", &target);
        build
    };
    let first = timed(&mut build())?;
    let again = timed(&mut build())?;
    let removed = std::fs::remove_dir_all(&target);
    println!("| the platform's app of stacks, debug build | wall time |\n|---|---|");
    println!("| from nothing | {:.1} s |", first.as_secs_f64());
    println!("| with nothing changed | {} |\n", shown(again));
    removed.with_context(|| target.display().to_string())
}

/// Migrations beside sqlx-cli, backups beside pg_dump: `tests/migrations` measures them and fails past their limits.
fn migrations(what: &str) -> Result<()> {
    let postgres = tools::postgres()?;
    shell::run(&mut shell::command(
        "cargo",
        &["build", "--release", "--ignore-rust-version", "-p", "migrations"],
    ))?;
    let measure = shell::root().join("target/release/measure");
    let mut measure = shell::command(&measure.to_string_lossy(), &[what]);
    shell::run(measure.env("LLAMA_TEST_POSTGRES_BIN", postgres))
}

/// What the system does not tell is unknown.
fn known<T>(figure: Option<T>, shown: impl Fn(T) -> String) -> String {
    figure.map_or_else(|| "unknown".to_owned(), shown)
}

/// The fastest of a few runs, the least processor time, which other work on the machine disturbs less, and the most
/// memory that any of them held.
struct Measured {
    time: Duration,
    processor: Option<Duration>,
    peak: Option<u64>,
}

/// These runs are long, so few do.
const LONG_RUNS: usize = 3;

fn measured(command: impl Fn() -> Command) -> Result<Measured> {
    let mut runs = Vec::new();
    for _ in 0..LONG_RUNS {
        runs.push(observed(&mut command())?);
    }
    Ok(Measured {
        time: runs.iter().map(|run| run.time).min().unwrap_or_default(),
        processor: runs.iter().filter_map(|run| run.processor).min(),
        peak: runs.iter().filter_map(|run| run.peak).max(),
    })
}

/// How often a running process is asked for its peak. The kernel keeps it, so only the last moments can be missed.
const ASKED_EVERY: Duration = Duration::from_millis(5);

fn observed(command: &mut Command) -> Result<Measured> {
    let program = Path::new(command.get_program()).display().to_string();
    let begun = Instant::now();
    let mut child = command
        .stdin(Stdio::null())
        .stdout(Stdio::null())
        .stderr(Stdio::null())
        .spawn()
        .with_context(|| format!("cannot start {program}"))?;
    let (mut processor, mut peak) = (None, None);
    let status = loop {
        processor = processor.max(processor_time(child.id()));
        peak = peak.max(peak_memory(child.id()));
        if let Some(status) = child.try_wait()? {
            break status;
        }
        std::thread::sleep(ASKED_EVERY);
    };
    let time = begun.elapsed();
    if !status.success() {
        bail!("{program} ended with {status}");
    }
    Ok(Measured { time, processor, peak })
}

/// Of all threads, in the program and in the kernel for it; only Linux tells it (`proc_pid_stat(5)`, fields 14 and 15,
/// in hundredths of a second).
fn processor_time(process: u32) -> Option<Duration> {
    let stat = std::fs::read_to_string(format!("/proc/{process}/stat")).ok()?;
    // The second field is the program's name in brackets and may hold anything.
    let (_, behind_name) = stat.rsplit_once(')')?;
    let ticks: u64 = behind_name
        .split_whitespace()
        .skip(11)
        .take(2)
        .map(|field| field.parse::<u64>().ok())
        .sum::<Option<u64>>()?;
    Some(Duration::from_millis(ticks * 10))
}

/// In bytes; only Linux tells it.
fn peak_memory(process: u32) -> Option<u64> {
    let status = std::fs::read_to_string(format!("/proc/{process}/status")).ok()?;
    let line = status.lines().find_map(|line| line.strip_prefix("VmHWM:"))?;
    let kilobytes: u64 = line.trim().strip_suffix(" kB")?.parse().ok()?;
    Some(kilobytes << 10)
}

fn oracle() -> Result<std::path::PathBuf> {
    let oracle = shell::root().join("tests/parity/oracle");
    if !oracle.join("node_modules/aws-cdk-lib").is_dir() {
        shell::run(shell::command("npm", &["ci", "--no-audit", "--no-fund"]).current_dir(&oracle))?;
    }
    Ok(oracle)
}

fn fastest(command: impl Fn() -> Command) -> Result<Duration> {
    let times = (0..RUNS).map(|_| timed(&mut command())).collect::<Result<Vec<_>>>()?;
    Ok(times.into_iter().min().unwrap_or_default())
}

fn timed(command: &mut Command) -> Result<Duration> {
    let begun = Instant::now();
    run_once(command)?;
    Ok(begun.elapsed())
}

fn run_once(command: &mut Command) -> Result<()> {
    let program = Path::new(command.get_program()).display().to_string();
    let output = command
        .stdin(Stdio::null())
        .output()
        .with_context(|| format!("cannot start {program}"))?;
    if !output.status.success() {
        bail!(
            "{program} ended with {}: {}",
            output.status,
            String::from_utf8_lossy(&output.stderr).trim()
        );
    }
    Ok(())
}

fn shown(time: Duration) -> String {
    format!("{:.1} ms", time.as_secs_f64() * 1e3)
}

#[cfg(all(test, target_os = "linux"))]
mod tests {
    use super::*;

    #[test]
    fn the_kernel_tells_of_a_process() {
        let process = std::process::id();
        assert!(processor_time(process).is_some_and(|time| time < Duration::from_secs(3600)));
        assert!(peak_memory(process).is_some_and(|bytes| bytes > 1 << 20));
    }
}

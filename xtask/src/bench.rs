//! `cargo xtask bench`: what the README claims about speed, measured on this machine, beside the TypeScript that it
//! replaces. Figures vary with the machine, so no test asserts them.

use std::path::Path;
use std::process::{Command, Stdio};
use std::time::{Duration, Instant};

use anyhow::{Context, Result, bail};

use crate::shell;

type Benchmark = (&'static str, fn() -> Result<()>);

/// The shortest of a few runs is the least disturbed one.
const RUNS: usize = 7;

pub fn run(names: &[String]) -> Result<()> {
    let all: [Benchmark; 3] = [("synth", synth), ("overhead", overhead), ("edit", edit)];
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

//! The checks of the gates: an HTTP request, or a program of the project's own.
//!
//! A program gets the environment that the tool runs in, and in `LLAMA_ENVIRONMENT`, `LLAMA_SLOT`, `LLAMA_WEIGHT_PERCENT`
//! and `LLAMA_RELEASE` what it is asked about; nothing that the tool read from a secret is among it.

use std::collections::BTreeMap;
use std::path::PathBuf;
use std::process::{ExitStatus, Stdio};
use std::time::Duration;

use async_trait::async_trait;
use aws::{HttpSmoke, SmokeCheck};
use jiff::SignedDuration;
use orchestrator::config::{CheckKind, GateCheck};
use orchestrator::domain::RestApiId;
use orchestrator::gates::Verdict;
use orchestrator::ports::{CheckAnswer, CheckContext, Checks, Smoke, SmokeTarget};
use tokio::io::{AsyncRead, AsyncReadExt};
use tokio::process::Command;

/// An HTTP check has failed when so many requests in a row do not get the answer.
const TRIES: u32 = 3;
const BETWEEN_TRIES: Duration = Duration::from_millis(500);
/// What is read of a program's output; one that writes more is not waited for.
const OUTPUT_LIMIT: u64 = 1024 * 1024;
/// What is shown of its last line.
const LINE_LENGTH: usize = 200;

pub struct GateChecks {
    /// Where programs run: the project's folder.
    pub folder: PathBuf,
}

#[async_trait]
impl Checks for GateChecks {
    async fn ask(&self, check: &GateCheck, about: &CheckContext) -> CheckAnswer {
        let timeout = Duration::try_from(check.timeout).unwrap_or_default();
        let (verdict, detail) = match &check.ask {
            CheckKind::Http { url, status, contains } => {
                let request = SmokeCheck {
                    name: check.name.clone(),
                    method: "GET".to_owned(),
                    path: String::new(),
                    headers: BTreeMap::new(),
                    body: None,
                    expected_status: *status,
                    body_contains: contains.clone(),
                    timeout,
                };
                http(request, url, about).await
            }
            CheckKind::Command { words } => self.command(words, timeout, about).await,
        };
        CheckAnswer {
            name: check.name.clone(),
            verdict,
            detail,
        }
    }
}

async fn http(request: SmokeCheck, url: &str, about: &CheckContext) -> (Verdict, String) {
    let target = SmokeTarget {
        rest_api_id: RestApiId::new(""),
        base_url: url.to_owned(),
        slot: about.slot,
    };
    let asked = HttpSmoke::new(vec![request]);
    let mut detail = String::new();
    for attempt in 0..TRIES {
        if attempt > 0 {
            tokio::time::sleep(BETWEEN_TRIES).await;
        }
        match asked.run(&target).await {
            Ok(results) if results.iter().all(|result| result.passed) => {
                return (Verdict::Pass, format!("{url} answers as expected"));
            }
            Ok(results) => detail = results.into_iter().map(|result| result.detail).collect(),
            // It cannot even be sent.
            Err(error) => return (Verdict::Inconclusive, error.to_string()),
        }
    }
    (Verdict::Fail, format!("{url}, {TRIES} times: {detail}"))
}

impl GateChecks {
    async fn command(&self, words: &[String], timeout: Duration, about: &CheckContext) -> (Verdict, String) {
        let Some((program, arguments)) = words.split_first() else {
            return (Verdict::Inconclusive, "no program is named".to_owned());
        };
        let started = Command::new(program)
            .args(arguments)
            .current_dir(&self.folder)
            .env("LLAMA_ENVIRONMENT", about.environment.as_str())
            .env("LLAMA_SLOT", about.slot.as_str())
            .env("LLAMA_WEIGHT_PERCENT", about.weight.as_percent().to_string())
            .env("LLAMA_RELEASE", &about.release)
            .stdin(Stdio::null())
            .stdout(Stdio::piped())
            .stderr(Stdio::piped())
            .kill_on_drop(true)
            .spawn();
        let mut child = match started {
            Ok(child) => child,
            Err(error) => return (Verdict::Inconclusive, format!("{program} cannot be run: {error}")),
        };
        let (stdout, stderr) = (child.stdout.take(), child.stderr.take());
        let work = async { tokio::join!(child.wait(), read(stdout), read(stderr)) };
        match tokio::time::timeout(timeout, work).await {
            Ok((Ok(status), stdout, stderr)) => {
                let last = last_line(&stdout).or_else(|| last_line(&stderr));
                verdict(program, status, last)
            }
            Ok((Err(error), _, _)) => (Verdict::Inconclusive, format!("{program}: {error}")),
            Err(_) => {
                let timeout = SignedDuration::try_from(timeout).unwrap_or_default();
                (
                    Verdict::Inconclusive,
                    format!("{program} did not end within {timeout:#}"),
                )
            }
        }
    }
}

fn verdict(program: &str, status: ExitStatus, last_line: Option<String>) -> (Verdict, String) {
    let verdict = match status.code() {
        Some(0) => Verdict::Pass,
        Some(1) => Verdict::Fail,
        Some(2) => Verdict::Inconclusive,
        _ => {
            let line = last_line.map(|line| format!(": {line}")).unwrap_or_default();
            return (
                Verdict::Inconclusive,
                format!("{program} ended with {status}, which is no verdict (0, 1 or 2){line}"),
            );
        }
    };
    (
        verdict,
        last_line.unwrap_or_else(|| format!("{program} ended with {status}")),
    )
}

async fn read(pipe: Option<impl AsyncRead + Unpin>) -> String {
    let mut bytes = Vec::new();
    if let Some(pipe) = pipe {
        // What was read before an error is all there is to show.
        let _ = pipe.take(OUTPUT_LIMIT).read_to_end(&mut bytes).await;
    }
    String::from_utf8_lossy(&bytes).into_owned()
}

fn last_line(output: &str) -> Option<String> {
    let line = output.lines().rev().map(str::trim).find(|line| !line.is_empty())?;
    Some(match line.char_indices().nth(LINE_LENGTH) {
        Some((end, _)) => format!("{}…", &line[..end]),
        None => line.to_owned(),
    })
}

#[cfg(test)]
mod tests {
    use super::*;
    use orchestrator::domain::{Slot, Weight};
    use tokio::io::AsyncWriteExt;
    use tokio::net::TcpListener;

    async fn ask(ask: CheckKind) -> CheckAnswer {
        let check = GateCheck {
            name: "check".to_owned(),
            ask,
            timeout: SignedDuration::from_secs(5),
        };
        let about = CheckContext {
            environment: "prod".into(),
            slot: Slot::Green,
            weight: Weight::from_percent(10.0).unwrap(),
            release: "v7".to_owned(),
        };
        let folder = std::env::temp_dir();
        GateChecks { folder }.ask(&check, &about).await
    }

    async fn shell(script: &str) -> (Verdict, String) {
        let words = ["sh", "-c", script].map(str::to_owned).to_vec();
        let answer = ask(CheckKind::Command { words }).await;
        (answer.verdict, answer.detail)
    }

    #[tokio::test]
    async fn a_programs_status_is_the_verdict_and_its_last_line_the_reason() {
        use Verdict::{Fail, Inconclusive, Pass};
        for (script, verdict, detail) in [
            ("echo one; echo two", Pass, "two"),
            ("echo 3 orders are missing; exit 1", Fail, "3 orders are missing"),
            ("echo on the other >&2; exit 1", Fail, "on the other"),
            ("echo not yet; exit 2", Inconclusive, "not yet"),
            (
                "echo \"$LLAMA_ENVIRONMENT $LLAMA_SLOT $LLAMA_WEIGHT_PERCENT $LLAMA_RELEASE\"",
                Pass,
                "prod green 10 v7",
            ),
        ] {
            assert_eq!(shell(script).await, (verdict, detail.to_owned()), "{script}");
        }
        let (verdict, detail) = shell("echo oh; exit 7").await;
        assert_eq!(verdict, Inconclusive);
        assert!(detail.contains("no verdict (0, 1 or 2): oh"), "{detail}");
        let (verdict, detail) = shell("kill -9 $$").await;
        assert_eq!(verdict, Inconclusive, "{detail}");
        let words = vec!["/nowhere/no-such-program".to_owned()];
        let missing = ask(CheckKind::Command { words }).await;
        assert_eq!(missing.verdict, Inconclusive);
        assert!(missing.detail.contains("cannot be run"), "{}", missing.detail);
    }

    #[tokio::test(start_paused = true)]
    async fn a_program_that_does_not_end_is_no_verdict() {
        let (verdict, detail) = shell("sleep 600").await;
        assert_eq!(verdict, Verdict::Inconclusive);
        assert!(detail.contains("did not end within 5s"), "{detail}");
    }

    #[tokio::test]
    async fn a_request_fails_when_its_answer_is_another_each_time() {
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let url = format!("http://{}/health", listener.local_addr().unwrap());
        tokio::spawn(async move {
            // The first two of all fail.
            for number in 0.. {
                let (mut stream, _) = listener.accept().await.unwrap();
                let mut request = [0; 4096];
                let _ = stream.read(&mut request).await;
                let status = if number < 2 { "503 Busy" } else { "200 OK" };
                let answer = format!("HTTP/1.1 {status}\r\ncontent-length: 4\r\nconnection: close\r\n\r\nfine");
                let _ = stream.write_all(answer.as_bytes()).await;
            }
        });
        let http = |contains: &str| CheckKind::Http {
            url: url.clone(),
            status: 200,
            contains: Some(contains.to_owned()),
        };
        assert_eq!(
            ask(http("fine")).await.verdict,
            Verdict::Pass,
            "the third answer counts"
        );
        let failed = ask(http("splendid")).await;
        assert_eq!(failed.verdict, Verdict::Fail);
        assert!(failed.detail.contains("lacks `splendid`"), "{}", failed.detail);
    }
}

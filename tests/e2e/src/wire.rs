//! A witness outside of the product: a proxy between the commands of a project and its embedded cloud, which counts the
//! calls over the wire and spoils those that a test wants spoilt. A process can be killed at an exact call with it,
//! whatever the machine's speed.
//!
//! Requests to the deployed API, those of smoke checks and probes too, are passed on and not counted.

mod hold;
mod message;
mod point;

use std::io::{BufReader, Write};
use std::net::{TcpListener, TcpStream};
use std::path::PathBuf;
use std::process::Command;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use serde_json::Value;

pub use self::hold::Held;
pub use self::message::Call;
use self::message::{Message, read_request, read_response};
pub use self::point::{Among, Point};
use crate::poller::exchange;
use crate::templates::authorization;
use crate::{Background, Project};

/// What becomes of a call.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Fault {
    None,
    /// The process that was started last ends as by `kill -9`; the call never reaches the cloud.
    KillBefore,
    /// The call takes effect, then the process ends so; it never learns the answer.
    KillAfter,
    /// The call arrives when the process that made it has been dead for that long.
    KillAndArriveLate(Duration),
    /// The call takes effect; its answer is lost with the connection.
    LoseAnswer,
    /// The connection breaks before the call takes effect.
    LoseRequest,
    /// "Too many requests", as the service says it.
    Throttle,
    /// "Internal error", as the service says it.
    Break,
    /// The answer takes that long.
    Delay(Duration),
    /// The process that was started last is told to end (SIGTERM), and the call goes its way.
    Terminate,
}

type Rule = Box<dyn FnMut(&Call) -> Fault + Send>;

/// What moves the traffic, as the services tell it.
#[derive(Clone, Debug)]
pub struct Seen {
    pub live_stage: Value,
    pub aliases: Vec<Value>,
    pub live_url: String,
}

impl Seen {
    /// What is left of a rollout: canary settings of the stage, or weights of an alias.
    pub fn left_over(&self) -> Option<String> {
        let stage = &self.live_stage;
        let color = stage["variables"]["color"].as_str();
        if stage.get("canarySettings").is_some_and(|canary| !canary.is_null())
            || !matches!(color, Some("blue" | "green"))
        {
            return Some(format!("the live stage is {stage:#}"));
        }
        let weights = |alias: &&Value| {
            let weights = alias["RoutingConfig"]["AdditionalVersionWeights"].as_object();
            weights.is_some_and(|weights| !weights.is_empty())
        };
        self.aliases
            .iter()
            .find(weights)
            .map(|alias| format!("an alias is {alias:#}"))
    }
}

/// Stands between the project and its cloud until it is dropped.
pub struct Wire<'a> {
    project: &'a Project,
    cloud: String,
    shared: Arc<Shared>,
}

struct Shared {
    /// `127.0.0.1:PORT` of the cloud.
    cloud: String,
    log: Mutex<Log>,
    victim: Mutex<Option<u32>>,
}

struct Log {
    rule: Rule,
    calls: Vec<Call>,
}

impl<'a> Wire<'a> {
    pub fn between(project: &'a Project) -> Self {
        let cloud = project.endpoint();
        let listener = TcpListener::bind("127.0.0.1:0").expect("a free port");
        let address = listener.local_addr().expect("a listener has an address");
        let shared = Arc::new(Shared {
            cloud: cloud.trim_start_matches("http://").to_owned(),
            log: Mutex::new(Log {
                rule: Box::new(|_| Fault::None),
                calls: Vec::new(),
            }),
            victim: Mutex::new(None),
        });
        let wire = Self {
            project,
            cloud,
            shared: shared.clone(),
        };
        wire.tell_endpoint(&format!("http://{address}"));
        // Ends with the test's process; nothing asks it once the endpoint is told back.
        std::thread::spawn(move || {
            for client in listener.incoming().map_while(Result::ok) {
                let shared = shared.clone();
                std::thread::spawn(move || shared.serve(&client));
            }
        });
        wire
    }

    /// Counts anew from call 0 and asks `rule` at each.
    pub fn rule(&self, rule: impl FnMut(&Call) -> Fault + Send + 'static) {
        *self.shared.log() = Log {
            rule: Box::new(rule),
            calls: Vec::new(),
        };
    }

    /// All calls since the last [`Wire::rule`], and nothing more is spoilt.
    pub fn calls(&self) -> Vec<Call> {
        let mut log = self.shared.log();
        log.rule = Box::new(|_| Fault::None);
        std::mem::take(&mut log.calls)
    }

    /// Starts a command that a fault may kill.
    pub fn start(&self, arguments: &[&str]) -> Background {
        // Held until the process is known: its first call may come sooner.
        let mut victim = locked(&self.shared.victim);
        let started = self.project.start(arguments);
        *victim = Some(started.id());
        started
    }

    /// The cloud itself, past the proxy, for whoever looks on.
    pub fn cloud(&self) -> &str {
        &self.cloud
    }

    /// What the cloud itself answers to a GET of a service, for whoever looks on.
    #[track_caller]
    pub fn read(&self, service: &str, path: &str) -> Value {
        let authorization = authorization(service);
        let url = format!("{}/{path}", self.cloud);
        let (status, body) =
            exchange("GET", &url, &[("Authorization", &authorization)], "").expect("the embedded cloud answers");
        assert_eq!(status, 200, "{path}: {body}");
        serde_json::from_str(&body).unwrap_or_else(|_| panic!("no JSON: {body}"))
    }

    /// The traffic's configuration as API Gateway and Lambda tell it, past the product: the live stage `STAGE` of the
    /// only API, and the aliases of every function.
    #[track_caller]
    pub fn traffic(&self, stage: &str) -> Seen {
        let apis = self.read("apigateway", "restapis");
        let api = apis["item"][0]["id"].as_str().expect("there is an API").to_owned();
        let functions = self.read("lambda", "2015-03-31/functions/");
        let functions = functions["Functions"].as_array().expect("a list of functions");
        let aliases = functions.iter().flat_map(|function| {
            let name = function["FunctionName"].as_str().expect("a function has a name");
            let aliases = self.read("lambda", &format!("2015-03-31/functions/{name}/aliases"));
            aliases["Aliases"].as_array().cloned().unwrap_or_default()
        });
        Seen {
            aliases: aliases.collect(),
            live_stage: self.read("apigateway", &format!("restapis/{api}/stages/{stage}")),
            live_url: format!("{}/_aws/execute-api/{api}/{stage}", self.cloud),
        }
    }

    fn tell_endpoint(&self, endpoint: &str) {
        let file = self.endpoint_file();
        let text = std::fs::read_to_string(&file).expect("a running cloud says where it listens");
        let mut told: Value = serde_json::from_str(&text).expect("it is JSON");
        told["endpoint"] = endpoint.into();
        let next = file.with_extension("next");
        std::fs::write(&next, told.to_string()).expect("the folder is writable");
        std::fs::rename(&next, &file).expect("the folder is writable");
    }

    fn endpoint_file(&self) -> PathBuf {
        self.project.path().join(".llama/local/cloud/endpoint.json")
    }
}

impl Drop for Wire<'_> {
    fn drop(&mut self) {
        // Where the cloud is gone, so is the file.
        if self.endpoint_file().is_file() {
            self.tell_endpoint(&self.cloud);
        }
    }
}

impl Shared {
    fn log(&self) -> MutexGuard<'_, Log> {
        locked(&self.log)
    }

    /// Serves one connection until a side ends it or a fault does.
    fn serve(&self, client: &TcpStream) {
        let mut reader = BufReader::new(client);
        while let Some(request) = read_request(&mut reader, client) {
            let Some(answer) = self.answer(&request) else { break };
            let written = { client }
                .write_all(&answer.head)
                .and_then(|()| { client }.write_all(&answer.body));
            if written.is_err() || answer.closes {
                break;
            }
        }
        // A call that is lost is lost at once.
        let _ = client.shutdown(std::net::Shutdown::Both);
    }

    /// `None` where the connection is to break.
    fn answer(&self, request: &Message) -> Option<Message> {
        let (fault, call) = self.judge(request);
        match fault {
            Fault::None => self.forward(request),
            Fault::KillBefore => self.kill(),
            Fault::KillAfter => {
                self.forward(request);
                self.kill()
            }
            Fault::KillAndArriveLate(wait) => {
                self.kill();
                std::thread::sleep(wait);
                self.forward(request);
                None
            }
            Fault::LoseAnswer => {
                self.forward(request);
                None
            }
            Fault::LoseRequest => None,
            Fault::Throttle => Some(call?.throttled()),
            Fault::Break => Some(call?.broken()),
            Fault::Delay(wait) => {
                let answer = self.forward(request);
                std::thread::sleep(wait);
                answer
            }
            Fault::Terminate => {
                self.signal("-TERM");
                self.forward(request)
            }
        }
    }

    fn judge(&self, request: &Message) -> (Fault, Option<Call>) {
        let mut log = self.log();
        let Some(mut call) = Call::of(request, log.calls.len()) else {
            return (Fault::None, None);
        };
        let fault = (log.rule)(&call);
        call.fault = fault;
        log.calls.push(call.clone());
        (fault, Some(call))
    }

    fn forward(&self, request: &Message) -> Option<Message> {
        let mut cloud = TcpStream::connect(&self.cloud).ok()?;
        cloud.write_all(&request.head).ok()?;
        cloud.write_all(&request.body).ok()?;
        read_response(&mut BufReader::new(&cloud), request)
    }

    fn kill(&self) -> Option<Message> {
        self.signal("-KILL");
        None
    }

    /// Once: what a dead process has under way may meet a fault, too.
    fn signal(&self, signal: &str) {
        if let Some(id) = locked(&self.victim).take() {
            // It may have ended by itself.
            let _ = Command::new("kill").args([signal, &id.to_string()]).status();
        }
    }
}

fn locked<T>(mutex: &Mutex<T>) -> MutexGuard<'_, T> {
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}

//! The project of the tests about entry points: the app `src/shop.rs`, and a collector that its functions tell what they
//! were invoked with where nobody waits for an answer.

use std::io::{BufRead, BufReader, Read, Write};
use std::net::{TcpListener, TcpStream};
use std::ops::Deref;
use std::sync::{Arc, Condvar, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use serde::Deserialize;

use crate::Project;
use crate::project::{NO_GATES_ON_TIME, binary};

/// Far more than anything here takes; only a test that fails meets it.
const LONGEST_WAIT: Duration = Duration::from_mins(10);

/// What a function said it was invoked with.
#[derive(Clone, Debug, Deserialize, PartialEq)]
pub struct Told {
    /// One of [`KINDS`], or `disconnect`.
    pub kind: String,
    #[serde(default)]
    pub what: Option<String>,
    /// The release that the invoked version holds; what came instead where it did not answer.
    pub release: String,
}

/// The entry points of the app.
pub const KINDS: [&str; 5] = ["rest", "http", "websocket", "queue", "schedule"];

/// What is asked of the REST API in every rollout.
const WEB: &str = "[[smoke]]\nname = 'orders'\npath = '/orders'\ncontains = 'rest by'\n\
    [[smoke]]\nname = 'worker'\npath = '/worker'\ncontains = 'rest by'\n\
    [environments.local.traffic]\nrequests-per-second = 30\n\
    [[environments.local.traffic.requests]]\nname = 'orders'\npath = '/orders'\n\
    [[environments.local.traffic.requests]]\nname = 'worker'\npath = '/worker'\n";

#[derive(Default)]
pub(crate) struct Shared {
    told: Mutex<Vec<Told>>,
    more: Condvar,
}

impl Shared {
    fn told(&self) -> MutexGuard<'_, Vec<Told>> {
        self.told.lock().unwrap_or_else(PoisonError::into_inner)
    }

    pub(crate) fn tell(&self, told: Told) {
        self.told().push(told);
        self.more.notify_all();
    }

    /// Whether what was told satisfies `enough` before the time is over.
    pub(crate) fn wait(&self, longest: Duration, enough: impl Fn(&[Told]) -> bool) -> Result<Vec<Told>, Vec<Told>> {
        let (told, timeout) = self
            .more
            .wait_timeout_while(self.told(), longest, |told| !enough(told))
            .unwrap_or_else(PoisonError::into_inner);
        if timeout.timed_out() {
            Err(told.clone())
        } else {
            Ok(told.clone())
        }
    }
}

/// A project with the app of `src/shop.rs`.
pub struct Shop {
    project: Project,
    rollout: String,
    shared: Arc<Shared>,
}

impl Deref for Shop {
    type Target = Project;

    fn deref(&self) -> &Project {
        &self.project
    }
}

impl Shop {
    /// The code is release `one`. `rollout` are more lines of the rollout's settings.
    pub fn new(rollout: &str) -> Self {
        let project = Project::empty();
        let bootstrap = concat!(env!("CARGO_MANIFEST_DIR"), "/functions/shop/bootstrap");
        std::fs::create_dir_all(project.path().join("function")).expect("the folder can be made");
        std::fs::copy(bootstrap, project.path().join("function/bootstrap")).expect("the function is there");

        let listener = TcpListener::bind("127.0.0.1:0").expect("a free port");
        let address = listener.local_addr().expect("a listener has an address");
        project.write("function/collector", &format!("http://{address}"));
        let shared = Arc::new(Shared::default());
        let collecting = Arc::clone(&shared);
        // Ends with the test's process.
        std::thread::spawn(move || {
            for client in listener.incoming().map_while(Result::ok) {
                let shared = Arc::clone(&collecting);
                std::thread::spawn(move || {
                    if let Some(told) = read(&client) {
                        shared.tell(told);
                    }
                    // A client that is gone has its own reasons.
                    let _ = { &client }.write_all(b"HTTP/1.1 200 OK\r\nContent-Length: 0\r\nConnection: close\r\n\r\n");
                });
            }
        });
        let shop = Self {
            project,
            rollout: rollout.to_owned(),
            shared,
        };
        shop.context(&[]);
        shop.release("one");
        shop
    }

    /// Makes the next deploy find these context values.
    pub fn context(&self, values: &[(&str, &str)]) {
        let values: Vec<String> = values.iter().map(|(key, value)| format!("{key} = '{value}'")).collect();
        self.settings(&values.join(", "), WEB);
    }

    /// Makes the app a function on a queue and nothing else: no API at all.
    pub fn worker_alone(&self) {
        self.settings("only = 'worker'", "");
    }

    fn settings(&self, context: &str, web: &str) {
        let settings = format!(
            "[app]\ncommand = ['{}']\n\
             [environments.local]\nport = 0\ncontext = {{ {context} }}\n\
             [environments.local.rollout]\nbackup = 'none'\npoll = '200ms'\n\
             lock-lease = '60s'\n{NO_GATES_ON_TIME}{}\n{web}",
            binary("e2e-shop").display(),
            self.rollout,
        );
        self.write("llama-deploy.toml", &settings);
    }

    /// Makes the next deploy find the code of this release; `bad` fails at every fourth call.
    pub fn release(&self, name: &str) {
        self.write("function/release", name);
    }

    /// All that was told so far.
    pub fn told(&self) -> Vec<Told> {
        self.shared.told().clone()
    }

    /// Waits until what was told satisfies `enough`, and returns it.
    #[track_caller]
    pub fn told_when(&self, enough: impl Fn(&[Told]) -> bool) -> Vec<Told> {
        match self.shared.wait(LONGEST_WAIT, enough) {
            Ok(told) => told,
            Err(told) => panic!("never came; told last: {:#?}", &told[told.len().saturating_sub(20)..]),
        }
    }

    pub(crate) fn shared(&self) -> Arc<Shared> {
        Arc::clone(&self.shared)
    }
}

/// The document that one request carries.
fn read(client: &TcpStream) -> Option<Told> {
    let mut reader = BufReader::new(client);
    let mut length = 0;
    loop {
        let mut line = String::new();
        reader.read_line(&mut line).ok()?;
        if line.trim().is_empty() {
            break;
        }
        if let Some((name, value)) = line.split_once(':')
            && name.eq_ignore_ascii_case("content-length")
        {
            length = value.trim().parse().ok()?;
        }
    }
    let mut body = vec![0; length];
    reader.read_exact(&mut body).ok()?;
    serde_json::from_slice(&body).ok()
}

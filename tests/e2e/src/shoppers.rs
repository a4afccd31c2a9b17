//! Constant traffic through every entry point of the shop, until it is dropped. Each answer is told to the shop's
//! collector, where those of queue and schedule arrive by themselves.

use std::net::TcpStream;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering};
use std::thread::JoinHandle;
use std::time::Duration;

use serde_json::{Value, json};
use tungstenite::{Message, WebSocket};

use crate::poller::{LONGEST_ANSWER, get, post};
use crate::shop_project::{Shared, Shop, Told};
use crate::templates::authorization;

/// Between two requests of one shopper, so that a small machine can follow.
const PACE: Duration = Duration::from_millis(20);
/// So many messages are on the queue at most.
const MOST_WAITING: usize = 20;

pub struct Shoppers {
    stop: Arc<AtomicBool>,
    threads: Vec<JoinHandle<()>>,
    /// How many messages were put on the queue, numbered from 0.
    messages: Arc<AtomicUsize>,
}

impl Shoppers {
    /// At every entry point. Opens one WebSocket connection, which is kept.
    #[track_caller]
    pub fn start(shop: &Shop) -> Self {
        let outputs = Outputs::of(shop);
        let output = |name: &str| outputs.get(name);
        let endpoint = shop.endpoint();
        let rest = format!("{endpoint}/_aws/execute-api/{}/prod/orders", output("RestApi"));
        // No API waits longer than 30 s for a function, which one that is started on a busy machine may need.
        while !get(&rest).is_ok_and(|(status, _)| status == 200) {}
        let mut socket = connect(&endpoint, &output("SocketApi"));
        let mut shoppers = Self::at_the_worker(shop);
        shoppers.send("rest", shop, move |_| Some(answered(get(&rest))));
        let http = format!("{}/orders", output("HttpUrl"));
        shoppers.send("http", shop, move |_| Some(answered(get(&http))));
        shoppers.send("websocket", shop, move |_| {
            let sent = socket.send(Message::text("hello"));
            Some(match sent.and_then(|()| socket.read()) {
                Ok(answer) => release(answer.to_text().unwrap_or_default()),
                Err(error) => format!("the connection: {error}"),
            })
        });
        shoppers
    }

    /// At queue and schedule only. The embedded cloud fires the schedule when it is told to, not hourly.
    #[track_caller]
    pub fn at_the_worker(shop: &Shop) -> Self {
        let outputs = Outputs::of(shop);
        let output = |name: &str| outputs.get(name);
        let endpoint = shop.endpoint();
        let mut shoppers = Self {
            stop: Arc::default(),
            threads: Vec::new(),
            messages: Arc::default(),
        };
        let (queue, address) = (output("QueueUrl"), format!("{endpoint}/"));
        let sent = Arc::clone(&shoppers.messages);
        shoppers.send("queue", shop, move |shared| {
            let number = sent.load(Ordering::Relaxed);
            // What failed comes again only when its visibility timeout is over; until then nothing more may fit.
            let is_room = |told: &[Told]| handled(told) + MOST_WAITING > number;
            shared.wait(PACE, is_room).ok()?;
            let body = json!({ "QueueUrl": queue, "MessageBody": number.to_string() }).to_string();
            let headers = [
                ("Authorization", &*authorization("sqs")),
                ("Content-Type", "application/x-amz-json-1.0"),
                ("X-Amz-Target", "AmazonSQS.SendMessage"),
            ];
            let answer = post(&address, &headers, &body);
            if !answer.as_ref().is_ok_and(|(status, _)| *status == 200) {
                return Some(answered(answer));
            }
            // The function tells what becomes of it.
            sent.store(number + 1, Ordering::Relaxed);
            None
        });
        let fire = format!("{endpoint}/_aws/local/fire/{}", output("HourlyName"));
        shoppers.send("schedule", shop, move |_| {
            let fired = post(&fire, &[], "");
            (!fired.as_ref().is_ok_and(|(status, _)| *status == 200)).then(|| answered(fired))
        });
        shoppers
    }

    /// `request` returns what is told: nothing where the function tells it.
    fn send(
        &mut self,
        kind: &'static str,
        shop: &Shop,
        mut request: impl FnMut(&Shared) -> Option<String> + Send + 'static,
    ) {
        let (stop, shared) = (Arc::clone(&self.stop), shop.shared());
        self.threads.push(std::thread::spawn(move || {
            while !stop.load(Ordering::Relaxed) {
                if let Some(release) = request(&shared) {
                    let (kind, what) = (kind.to_owned(), None);
                    shared.tell(Told { kind, what, release });
                }
                std::thread::park_timeout(PACE);
            }
        }));
    }

    /// The number from which on a message was certainly put on the queue after this call. They are worked on side by
    /// side, so that an earlier one may be handled later.
    pub fn next_message(&self) -> usize {
        // One may be on its way without being counted yet.
        self.messages.load(Ordering::Relaxed) + 1
    }

    /// Sends no more; how many messages were put on the queue.
    pub fn stop(mut self) -> usize {
        self.stop.store(true, Ordering::Relaxed);
        for thread in std::mem::take(&mut self.threads) {
            thread.join().expect("a shopper does not panic");
        }
        self.messages.load(Ordering::Relaxed)
    }
}

impl Drop for Shoppers {
    fn drop(&mut self) {
        self.stop.store(true, Ordering::Relaxed);
    }
}

/// How many different messages of the queue were handled.
pub fn handled(told: &[Told]) -> usize {
    let mut handled: Vec<&str> = told
        .iter()
        .filter(|told| told.kind == "queue")
        .filter_map(|told| told.what.as_deref())
        .collect();
    handled.sort_unstable();
    handled.dedup();
    handled.len()
}

/// The outputs of the stack `Shop`.
struct Outputs(Value);

impl Outputs {
    #[track_caller]
    fn of(shop: &Shop) -> Self {
        let script = "import boto3, json\n\
                      stack = boto3.client('cloudformation').describe_stacks(StackName='Shop')['Stacks'][0]\n\
                      print(json.dumps({o['OutputKey']: o['OutputValue'] for o in stack['Outputs']}))";
        Self(serde_json::from_str(&crate::witness::boto3(shop, script)).expect("the script prints JSON"))
    }

    #[track_caller]
    fn get(&self, name: &str) -> String {
        let value = self.0[name].as_str();
        value.unwrap_or_else(|| panic!("no {name} in {:#}", self.0)).to_owned()
    }
}

fn connect(endpoint: &str, api: &str) -> WebSocket<TcpStream> {
    let address = endpoint.trim_start_matches("http://");
    let stream = TcpStream::connect(address).expect("the embedded cloud listens");
    stream
        .set_read_timeout(Some(LONGEST_ANSWER))
        .expect("a limit that is not zero");
    let url = format!("ws://{address}/_aws/execute-api/{api}/prod");
    let (socket, _) = tungstenite::client(url, stream).expect("the connection is accepted");
    socket
}

fn answered(answer: std::io::Result<(u16, String)>) -> String {
    match answer {
        Ok((200, body)) => release(&body),
        Ok((status, body)) => format!("{status}: {body}"),
        Err(error) => format!("no answer: {error}"),
    }
}

/// `two` of `rest by two`; anything else as it is.
fn release(text: &str) -> String {
    text.rsplit_once(" by ")
        .map_or_else(|| text.to_owned(), |(_, release)| release.to_owned())
}

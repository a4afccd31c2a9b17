use std::collections::BTreeMap;
use std::sync::{Arc, Mutex};

use tokio::io::{AsyncBufReadExt, AsyncReadExt, AsyncWriteExt, BufReader};
use tokio::net::{TcpListener, TcpStream};

use crate::world::{World, ask};

/// Enough of a Redis server to hold strings: its protocol is public (https://redis.io/docs/latest/develop/reference/protocol-spec/).
#[derive(Clone, Default)]
struct Strings(Arc<Mutex<BTreeMap<String, (String, String)>>>);

impl Strings {
    async fn serve(&self) -> u16 {
        let listener = TcpListener::bind(("127.0.0.1", 0)).await.unwrap();
        let port = listener.local_addr().unwrap().port();
        let strings = self.clone();
        tokio::spawn(async move {
            while let Ok((stream, _)) = listener.accept().await {
                tokio::spawn(strings.clone().converse(stream));
            }
        });
        port
    }

    async fn converse(self, stream: TcpStream) -> Option<()> {
        let (reader, mut writer) = stream.into_split();
        let mut reader = BufReader::new(reader);
        loop {
            let mut words = Vec::new();
            for _ in 0..number(&mut reader).await? {
                let length = number(&mut reader).await?;
                let mut word = vec![0; length + 2];
                reader.read_exact(&mut word).await.ok()?;
                words.push(String::from_utf8(word[..length].to_vec()).ok()?);
            }
            writer.write_all(self.answer(&words).as_bytes()).await.ok()?;
        }
    }

    fn answer(&self, words: &[String]) -> String {
        let mut strings = self.0.lock().unwrap();
        match words.iter().map(String::as_str).collect::<Vec<_>>()[..] {
            ["GET", key] => match strings.get(key) {
                Some((text, _)) => format!("${}\r\n{text}\r\n", text.len()),
                None => "$-1\r\n".to_owned(),
            },
            ["SET", key, text, "EX", seconds] => {
                strings.insert(key.to_owned(), (text.to_owned(), seconds.to_owned()));
                "+OK\r\n".to_owned()
            }
            _ => "+OK\r\n".to_owned(),
        }
    }
}

/// The number in a line such as `*3` or `$11`.
async fn number(reader: &mut (impl AsyncBufReadExt + Unpin)) -> Option<usize> {
    let mut line = String::new();
    reader.read_line(&mut line).await.ok()?;
    line.get(1..)?.trim_end().parse().ok()
}

#[tokio::test]
async fn an_answer_comes_from_the_cache_the_second_time() {
    let world = World::new().await;
    let strings = Strings::default();
    let port = strings.serve().await.to_string();
    let service = world.service([
        ("REDIS_HOST", "127.0.0.1"),
        ("REDIS_PORT", &port),
        ("CACHE_TTL", "77"),
        ("CACHE_TIMEOUT_MS", "10000"),
    ]);
    let first = ask(&service, "uniswap-v3", &[]).await;
    world.sql("DELETE FROM protocol_performance_metrics").await;
    let second = ask(&service, "uniswap-v3", &[]).await;
    assert_eq!((first.cache.as_str(), second.cache.as_str()), ("miss", "hit"));
    assert_eq!(first.text, second.text);
    let stored = strings.0.lock().unwrap().clone();
    assert_eq!(
        stored.values().map(|(_, seconds)| seconds.as_str()).collect::<Vec<_>>(),
        ["77"]
    );
    // What does not exist is not cached: it may exist the next moment.
    assert_eq!(ask(&service, "aave", &[]).await.status, 404);
    assert_eq!(strings.0.lock().unwrap().len(), 1);
}

#[tokio::test]
async fn a_cache_that_refuses_fails_no_request() {
    let world = World::new().await;
    let port = test_postgres::free_port().to_string();
    let service = world.service([("REDIS_HOST", "127.0.0.1"), ("REDIS_PORT", &port)]);
    let answer = ask(&service, "uniswap-v3", &[]).await;
    assert_eq!((answer.status, answer.cache.as_str()), (200, "none"));
}

#[tokio::test]
async fn a_cache_that_swallows_requests_is_asked_once_and_then_left_alone() {
    let world = World::new().await;
    let silent = TcpListener::bind(("127.0.0.1", 0)).await.unwrap();
    let port = silent.local_addr().unwrap().port().to_string();
    let service = world.service([("REDIS_HOST", "127.0.0.1"), ("REDIS_PORT", &port)]);
    for _ in 0..3 {
        let answer = ask(&service, "uniswap-v3", &[]).await;
        assert_eq!((answer.status, answer.cache.as_str()), (200, "none"));
    }
    let (first, _) = silent.accept().await.unwrap();
    drop(first);
    let again = tokio::time::timeout(std::time::Duration::from_millis(50), silent.accept()).await;
    assert!(again.is_err(), "the second request asked the silent cache again");
}

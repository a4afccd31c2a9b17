//! A server that answers each connection with prepared bytes, for tests of what happens on the wire.

use std::sync::Arc;

use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};
use tokio::net::TcpListener;
use tokio::task::JoinHandle;

use crate::connection::{Aws, Settings, connect};

pub(crate) struct Stub {
    pub url: String,
    server: JoinHandle<()>,
}

/// A connection to the stub, which must have been started with [`Stub::start_connected`].
pub(crate) async fn connected(stub: &Stub) -> Aws {
    connect(Settings {
        endpoint_url: Some(stub.url.clone()),
        ..Settings::default()
    })
    .await
    .unwrap()
}

impl Stub {
    /// `respond` sees a request's head and body as text and returns the raw answer; empty bytes break the connection.
    pub(crate) async fn start(respond: impl Fn(&str) -> Vec<u8> + Send + Sync + 'static) -> Self {
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let url = format!("http://{}", listener.local_addr().unwrap());
        let respond = Arc::new(respond);
        let server = tokio::spawn(async move {
            loop {
                let Ok((mut connection, _)) = listener.accept().await else {
                    return;
                };
                let respond = Arc::clone(&respond);
                tokio::spawn(async move {
                    let request = read_request(&mut connection).await;
                    let answer = respond(&request);
                    let _ = connection.write_all(&answer).await;
                    let _ = connection.shutdown().await;
                });
            }
        });
        Self { url, server }
    }

    /// Answers who is asking, and leaves the rest to `respond`.
    pub(crate) async fn start_connected(respond: impl Fn(&str) -> Vec<u8> + Send + Sync + 'static) -> Self {
        Self::start(move |request| {
            if request.contains("GetCallerIdentity") {
                return Self::answer(
                    200,
                    "<GetCallerIdentityResponse><GetCallerIdentityResult><Arn>arn:aws:iam::123456789012:user/u</Arn>\
                     <Account>123456789012</Account></GetCallerIdentityResult></GetCallerIdentityResponse>",
                );
            }
            respond(request)
        })
        .await
    }

    /// Nothing listens any more when this returns.
    pub(crate) async fn stop(self) {
        self.server.abort();
        let _ = self.server.await;
    }

    pub(crate) fn answer(status: u16, body: &str) -> Vec<u8> {
        Self::answer_with(status, &[], body)
    }

    pub(crate) fn answer_with(status: u16, headers: &[(&str, &str)], body: &str) -> Vec<u8> {
        let headers: String = headers
            .iter()
            .map(|(name, value)| format!("{name}: {value}\r\n"))
            .collect();
        format!(
            "HTTP/1.1 {status} Answer\r\ncontent-length: {}\r\nconnection: close\r\n{headers}\r\n{body}",
            body.len()
        )
        .into_bytes()
    }
}

async fn read_request(connection: &mut tokio::net::TcpStream) -> String {
    let mut read = Vec::new();
    let mut buffer = [0; 4096];
    loop {
        let text = String::from_utf8_lossy(&read).to_string();
        if let Some((head, body)) = text.split_once("\r\n\r\n") {
            let length = head
                .lines()
                .find_map(|line| {
                    line.to_ascii_lowercase()
                        .strip_prefix("content-length: ")
                        .map(str::to_owned)
                })
                .and_then(|length| length.trim().parse::<usize>().ok())
                .unwrap_or(0);
            if body.len() >= length {
                return text;
            }
        }
        match connection.read(&mut buffer).await {
            Ok(0) | Err(_) => return text,
            Ok(count) => read.extend_from_slice(&buffer[..count]),
        }
    }
}

//! A pooler in transaction mode: each transaction may meet another of the server's sessions.
//!
//! What PgBouncer 1.18 does to this crate was looked at once by hand: "prepared statement does not exist" and "already
//! exists". Here the same is brought about every time: two clients swap their sessions whenever both are idle.

use migrate::{Database, Password, Silent};
use sqlx::ConnectOptions;
use test_postgres::PASSWORD;
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::tcp::OwnedWriteHalf;
use tokio::net::{TcpListener, TcpStream};
use tokio::sync::mpsc;

use crate::world::{World, hasty};

/// The answer to a wish for TLS: no.
const NO_TLS: &[u8] = b"N";
const SSL_REQUEST: i32 = 80_877_103;

/// Where a message comes from.
#[derive(Clone, Copy)]
enum From {
    Client(usize),
    Server(usize),
}

/// Serves two clients on a loopback port of its own.
async fn pooler(server_port: u16) -> u16 {
    let listener = TcpListener::bind(("127.0.0.1", 0)).await.unwrap();
    let port = listener.local_addr().unwrap().port();
    tokio::spawn(async move {
        let (sender, mut messages) = mpsc::unbounded_channel();
        let (mut clients, mut servers) = (Vec::new(), Vec::new());
        for number in 0..2 {
            let (mut client, _) = listener.accept().await.unwrap();
            let mut server = TcpStream::connect(("127.0.0.1", server_port)).await.unwrap();
            begin(&mut client, &mut server).await;
            clients.push(watch(client, From::Client(number), &sender));
            servers.push(watch(server, From::Server(number), &sender));
        }
        // Which server each client has now, and whether the server told it that no transaction is open.
        let mut has = [0, 1];
        let mut is_idle = [false, false];
        while let Some((from, message)) = messages.recv().await {
            match from {
                From::Client(client) => {
                    is_idle[client] = false;
                    let _ = servers[has[client]].write_all(&message).await;
                }
                From::Server(server) => {
                    let client = usize::from(has[0] != server);
                    let _ = clients[client].write_all(&message).await;
                    is_idle[client] = message.first() == Some(&b'Z') && message.last() == Some(&b'I');
                    if is_idle == [true, true] {
                        has.reverse();
                    }
                }
            }
        }
    });
    port
}

/// Passes the client's first message on, which has no kind.
async fn begin(client: &mut TcpStream, server: &mut TcpStream) {
    loop {
        let mut length = [0; 4];
        client.read_exact(&mut length).await.unwrap();
        let mut start = vec![0; usize::try_from(i32::from_be_bytes(length)).unwrap() - 4];
        client.read_exact(&mut start).await.unwrap();
        if start[..4] == SSL_REQUEST.to_be_bytes() {
            client.write_all(NO_TLS).await.unwrap();
            continue;
        }
        server.write_all(&length).await.unwrap();
        server.write_all(&start).await.unwrap();
        return;
    }
}

/// Sends every whole message on, and gives back what answers are written to.
fn watch(stream: TcpStream, from: From, messages: &mpsc::UnboundedSender<(From, Vec<u8>)>) -> OwnedWriteHalf {
    let (mut read, write) = stream.into_split();
    let messages = messages.clone();
    tokio::spawn(async move {
        loop {
            let mut message = vec![0; 5];
            if read.read_exact(&mut message).await.is_err() {
                return;
            }
            let length = i32::from_be_bytes([message[1], message[2], message[3], message[4]]);
            message.resize(1 + usize::try_from(length).unwrap(), 0);
            if read.read_exact(&mut message[5..]).await.is_err() || messages.send((from, message)).is_err() {
                return;
            }
        }
    });
    write
}

#[tokio::test]
async fn a_pooler_in_transaction_mode_is_refused_with_the_reason() {
    let world = World::new(&[("10_a.expand.sql", "CREATE TABLE a (b int)")]).await;
    let port = pooler(world.postgres.port()).await;
    let through_it = world.postgres.options().port(port);
    let database = Database::new("127.0.0.1", port, "postgres", "postgres", Password::new(PASSWORD));
    let migrator = world.migrator();
    let options = hasty();
    let (result, other) = tokio::join!(migrator.up(&database, &options, &Silent), through_it.connect());
    let error = result.unwrap_err();
    assert_eq!(error.kind(), "session_not_kept", "{error}");
    assert!(
        error
            .to_string()
            .contains("a pooler in transaction mode stands before the database"),
        "{error}"
    );
    drop(other);
    assert_eq!(
        world
            .number("SELECT count(*) FROM pg_tables WHERE tablename = 'a'")
            .await,
        0
    );
}

//! WebSocket APIs, driven by a client that none of us wrote (tokio-tungstenite).

use futures::{SinkExt, StreamExt};
use tokio::net::TcpStream;
use tokio_tungstenite::tungstenite::{Error, Message};
use tokio_tungstenite::{MaybeTlsStream, WebSocketStream, connect_async};

use super::*;
use crate::service::Service;
use crate::testing::call_with_body;

type Client = WebSocketStream<MaybeTlsStream<TcpStream>>;

impl World {
    async fn open(&self, query: &str) -> Result<Client, Error> {
        let url = format!("ws://{}/_aws/execute-api/{}/prod{query}", self.address, self.api);
        connect_async(url).await.map(|(client, _)| client)
    }

    /// Routes with answers for everybody who asks.
    async fn answering(&self, key: &str, function: &str) {
        let route = self
            .route(key, function, json!({"RouteResponseSelectionExpression": "$default"}))
            .await;
        let response = json!({"RouteId": route, "RouteResponseKey": "$default"});
        self.call("CreateRouteResponse", response).await.unwrap();
    }

    async fn management(&self, operation: &str, id: &str, body: &'static [u8]) -> Result<Value, ApiError> {
        let answer = call_with_body(&self.connections, operation, json!({"ConnectionId": id}), body).await;
        answer.map(|response| response.output)
    }
}

async fn say(client: &mut Client, text: &str) -> Value {
    client.send(Message::text(text)).await.unwrap();
    let answer = client.next().await.unwrap().unwrap().into_text().unwrap();
    serde_json::from_str(answer.as_str()).unwrap_or_else(|_| json!(answer.as_str()))
}

/// Answers with the event's context.
fn echo(_: &str, event: &Value) -> Result<Value, Value> {
    let context = &event["requestContext"];
    let body = json!({"route": context["routeKey"], "id": context["connectionId"], "body": event["body"]});
    Ok(json!({"statusCode": 200, "body": body.to_string()}))
}

#[tokio::test]
async fn messages_reach_the_route_that_they_select() {
    let world = World::new("WEBSOCKET", echo).await;
    world.answering("send", "f:live").await;
    world.answering("$default", "rest").await;
    world.route("quiet", "f:live", json!({})).await;
    world.stage("prod").await;
    let mut client = world.open("").await.unwrap();
    assert_eq!(say(&mut client, r#"{"action":"send"}"#).await["route"], "send");
    assert_eq!(say(&mut client, r#"{"action":"other"}"#).await["route"], "$default");
    assert_eq!(say(&mut client, "no JSON").await["body"], "no JSON");
    // The route `quiet` gives no answer: the next one is of the message behind it.
    client.send(Message::text(r#"{"action":"quiet"}"#)).await.unwrap();
    let answer = say(&mut client, r#"{"action":"send"}"#).await;
    assert_eq!(answer["route"], "send");
    let id = answer["id"].as_str().unwrap();

    world.management("PostToConnection", id, b"hello").await.unwrap();
    assert_eq!(
        client.next().await.unwrap().unwrap().into_text().unwrap().as_str(),
        "hello"
    );
    let described = world.management("GetConnection", id, b"").await.unwrap();
    assert_eq!(described["Identity"]["SourceIp"], "127.0.0.1");
    world.management("DeleteConnection", id, b"").await.unwrap();
    assert!(matches!(client.next().await, Some(Ok(Message::Close(Some(_))))));
    let gone = world.management("PostToConnection", id, b"hello").await.unwrap_err();
    assert_eq!((gone.status, gone.code.as_str()), (410, "GoneException"));

    assert_eq!(world.sum("ConnectCount", "prod"), 1.0);
    assert_eq!(world.sum("MessageCount", "prod"), 10.0, "five in, five out");
    let sources = world.stubs.sources.lock().unwrap().clone();
    assert_eq!(
        sources[0],
        format!("arn:aws:execute-api:us-east-1:000000000000:{}/prod/send", world.api)
    );
}

#[tokio::test]
async fn connect_may_refuse_and_disconnect_is_told() {
    let (told, mut ends) = tokio::sync::mpsc::unbounded_channel();
    let world = World::new("WEBSOCKET", move |function, event| match function {
        "connect" => {
            assert_eq!(event["requestContext"]["eventType"], "CONNECT");
            let status = if event["queryStringParameters"]["user"] == "me" {
                200
            } else {
                403
            };
            Ok(json!({"statusCode": status}))
        }
        "disconnect" => {
            told.send(event["requestContext"].clone()).unwrap();
            Ok(json!({}))
        }
        _ => Err(json!({"errorMessage": "no"})),
    })
    .await;
    world.route("$connect", "connect", json!({})).await;
    world.route("$disconnect", "disconnect", json!({})).await;
    world.route("fail", "broken", json!({})).await;
    world.stage("prod").await;
    let Err(Error::Http(refused)) = world.open("").await else {
        panic!("the handshake is refused");
    };
    assert_eq!(refused.status(), 403);
    let mut client = world.open("?user=me").await.unwrap();
    let failed = say(&mut client, r#"{"action":"fail"}"#).await;
    assert_eq!(failed["message"], "Internal server error");
    assert_eq!(
        say(&mut client, "{}").await["message"],
        "Forbidden",
        "there is no route for it"
    );
    client.close(None).await.unwrap();
    let end = ends.recv().await.unwrap();
    assert_eq!(
        (&end["eventType"], &end["routeKey"]),
        (&json!("DISCONNECT"), &json!("$disconnect"))
    );
    assert_eq!(end["connectionId"], failed["connectionId"]);
    for (metric, expected) in [("ConnectCount", 2.0), ("IntegrationError", 2.0), ("ClientError", 1.0)] {
        assert_eq!(world.sum(metric, "prod"), expected, "{metric}");
    }
}

#[tokio::test]
async fn what_cannot_be_called_is_an_execution_error() {
    let world = World::new("WEBSOCKET", echo).await;
    world.route("$connect", "closed", json!({})).await;
    world.stage("prod").await;
    let Err(Error::Http(refused)) = world.open("").await else {
        panic!("the function may not be called");
    };
    assert_eq!(refused.status(), 500);
    assert_eq!(world.sum("ExecutionError", "prod"), 1.0);
}

#[tokio::test]
async fn idle_and_old_connections_end() {
    let short = Duration::from_millis(20);
    let long = Duration::from_secs(600);
    for (idle_limit, connection_limit) in [(short, long), (long, short)] {
        let settings = Settings {
            seed: None,
            idle_limit,
            connection_limit,
        };
        let world = World::with("WEBSOCKET", settings, echo).await;
        world.route("send", "f", json!({})).await;
        world.stage("prod").await;
        let mut client = world.open("").await.unwrap();
        let Some(Ok(Message::Close(Some(frame)))) = client.next().await else {
            panic!("the gateway ends the connection");
        };
        assert_eq!(u16::from(frame.code), 1001);
    }
}

#[tokio::test]
async fn too_long_messages_end_the_connection() {
    let world = World::new("WEBSOCKET", echo).await;
    world.route("send", "f", json!({})).await;
    world.stage("prod").await;
    let mut client = world.open("").await.unwrap();
    client.send(Message::text("x".repeat(33 * 1024))).await.unwrap();
    let Some(Ok(Message::Close(Some(frame)))) = client.next().await else {
        panic!("the gateway ends the connection");
    };
    assert_eq!(u16::from(frame.code), 1009);
}

#[tokio::test]
async fn at_the_end_of_the_cloud_clients_are_told_and_functions_are_not() {
    let world = World::new("WEBSOCKET", |function, _| match function {
        "disconnect" => panic!("nobody is to be told"),
        _ => Ok(json!({"statusCode": 200})),
    })
    .await;
    world.route("$connect", "f", json!({})).await;
    world.route("$disconnect", "disconnect", json!({})).await;
    world.stage("prod").await;
    let mut client = world.open("").await.unwrap();
    world.gateway.stop().await;
    assert!(matches!(client.next().await, Some(Ok(Message::Close(Some(_))))));
    assert!(client.next().await.is_none_or(|last| last.is_err()));
    // Only `$connect` was asked.
    assert_eq!(world.stubs.sources.lock().unwrap().len(), 1);
}

#[tokio::test]
async fn what_is_no_handshake_is_told_so() {
    let world = World::new("WEBSOCKET", echo).await;
    world.route("send", "f", json!({})).await;
    world.stage("prod").await;
    assert_eq!(world.get("GET", "/prod").await.0, 426);
}

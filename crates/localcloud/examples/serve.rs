//! Runs an embedded cloud until it is interrupted: `cargo run -p localcloud --example serve FOLDER [PORT]`.

use localcloud::cloud::{LocalCloud, Options};

#[tokio::main]
async fn main() -> Result<(), Box<dyn std::error::Error>> {
    let mut arguments = std::env::args().skip(1);
    let folder = arguments.next().ok_or("usage: serve FOLDER [PORT]")?.into();
    let port = arguments.next().map_or(Ok(0), |port| port.parse())?;
    let options = Options {
        folder,
        port,
        region: "us-east-1".to_owned(),
        database_url: None,
    };
    let running = LocalCloud::start(options).await?;
    let mut terminated = tokio::signal::unix::signal(tokio::signal::unix::SignalKind::terminate())?;
    tokio::select! {
        interrupted = tokio::signal::ctrl_c() => interrupted?,
        _ = terminated.recv() => {}
    }
    running.stop().await;
    Ok(())
}

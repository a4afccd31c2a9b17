//! `llama-deploy local up | status | down | reset`: the embedded cloud that plays the environment `local`.

use serde_json::json;

use crate::arguments::Local;
use crate::console::Console;
use crate::embedded::{self, Embedded};
use crate::failure::{Code, Failure, Outcome};
use crate::settings::Settings;

pub fn run(command: &Local, settings: &Settings, console: &Console) -> Outcome<u8> {
    let cloud = Embedded::of(settings)?;
    match command {
        Local::Up { port } => up(&cloud, *port, console),
        Local::Status => Ok(status(&cloud, console)),
        Local::Down => down(&cloud, console),
        Local::Reset { yes } => reset(&cloud, *yes, console),
        Local::Serve { port } => cloud.serve(*port).map(|()| 0),
    }
}

fn up(cloud: &Embedded, port: Option<u16>, console: &Console) -> Outcome<u8> {
    let endpoint = cloud.ensure(port, || console.waiting("starting the embedded cloud"))?;
    console.clear();
    console.print(&format!("the embedded cloud runs at {}", endpoint.endpoint));
    console.print_json(&endpoint);
    Ok(0)
}

/// 0 when it runs, 1 when it does not.
fn status(cloud: &Embedded, console: &Console) -> u8 {
    let Some(endpoint) = cloud.running() else {
        console.print("the embedded cloud does not run; `llama-deploy local up` starts it");
        console.print_json(&json!({ "running": false }));
        return 1;
    };
    let health = embedded::health(&endpoint).unwrap_or_default();
    console.print(&format!("running at {} (process {})", endpoint.endpoint, endpoint.pid));
    console.print(&format!("folder     {}", cloud.environment_folder().display()));
    console.print(&format!("log        {}", cloud.log_file().display()));
    let services = health["services"].as_array().map(Vec::as_slice).unwrap_or_default();
    let services: Vec<&str> = services.iter().filter_map(serde_json::Value::as_str).collect();
    console.print(&format!("services   {}", services.join(", ")));
    console.print_json(&json!({ "running": true, "endpoint": endpoint.endpoint, "health": health }));
    0
}

fn down(cloud: &Embedded, console: &Console) -> Outcome<u8> {
    console.waiting("stopping the embedded cloud");
    let ran = cloud.stop()?;
    console.clear();
    console.print(if ran {
        "the embedded cloud is stopped; its state stays"
    } else {
        "the embedded cloud did not run"
    });
    console.print_json(&json!({ "stopped": ran }));
    Ok(0)
}

fn reset(cloud: &Embedded, yes: bool, console: &Console) -> Outcome<u8> {
    let folder = cloud.environment_folder();
    if !yes {
        if !console.can_ask() {
            return Err(
                Failure::new(Code::ApprovalNeeded, format!("this deletes {}", folder.display()))
                    .hint("say --yes where nobody can be asked"),
            );
        }
        let answer = console.ask(&format!(
            "delete {} with its database and its releases? [y/N]",
            folder.display()
        ));
        if !answer.is_ok_and(|answer| matches!(answer.as_str(), "y" | "Y" | "yes")) {
            console.say("nothing was deleted");
            return Ok(1);
        }
    }
    cloud.stop()?;
    match std::fs::remove_dir_all(&folder) {
        Err(error) if error.kind() != std::io::ErrorKind::NotFound => {
            return Err(
                Failure::new(Code::LocalUnavailable, format!("cannot delete {}", folder.display())).because(error),
            );
        }
        _ => {}
    }
    console.print(&format!("{} is gone", folder.display()));
    console.print_json(&json!({ "deleted": folder }));
    Ok(0)
}

//! `llama-deploy init`: a project in a new folder that synthesizes, tests and deploys at once.
//!
//! It writes files and nothing else: no git, no build, no network. What is there already stays: a folder that holds
//! anything is refused.

mod crates;
mod project;

use std::fs;
use std::io::ErrorKind;
use std::path::Path;

use serde_json::json;

use self::crates::Crates;
use self::project::Project;
use crate::arguments::Init;
use crate::console::Console;
use crate::failure::{Code, Failure, Outcome};
use crate::settings::Surroundings;

pub fn run(options: &Init, surroundings: &Surroundings, console: &Console) -> Outcome<u8> {
    let folder = surroundings.folder.join(&options.folder);
    check_empty(&folder)?;
    let name = match &options.name {
        Some(name) => name.clone(),
        None => name_of(&folder)?,
    };
    let crates = Crates::find(options.crates.as_deref(), &surroundings.folder)?;
    let project = Project::new(&name, &options.region, &crates)
        .map_err(|reason| unnamed(format!("'{name}' cannot be the project's name: {reason}")))?;
    let files = project.files();
    for (path, text) in &files {
        write(&folder.join(path), text)?;
    }
    if let Some(lock) = crates.lock_file() {
        // The versions that the crates were tested with, most of them on this machine already.
        let text = fs::read_to_string(&lock).map_err(|error| unwritable(&lock, error))?;
        write(&folder.join("Cargo.lock"), &text)?;
    }
    let llama = crates.program();
    let next = [
        format!("cd {}", options.folder.display()),
        format!("{llama} synth"),
        format!("{llama} deploy --env local --blue-green"),
    ];
    console.print(&format!("{name} is in {}; next:", folder.display()));
    for command in &next {
        console.print(&format!("  {command}"));
    }
    let written: Vec<&str> = files.iter().map(|(path, _)| *path).collect();
    console.print_json(&json!({ "folder": folder, "name": name, "files": written, "next": next }));
    Ok(0)
}

/// What git keeps for itself is nothing of the user's.
fn check_empty(folder: &Path) -> Outcome {
    let entries = match fs::read_dir(folder) {
        Ok(entries) => entries,
        Err(error) if error.kind() == ErrorKind::NotFound => return Ok(()),
        Err(error) if error.kind() == ErrorKind::NotADirectory => {
            return Err(unsuitable(format!("{} is a file", folder.display())));
        }
        Err(error) => return Err(unsuitable(format!("cannot read {}", folder.display())).because(error)),
    };
    let found = entries
        .filter_map(Result::ok)
        .map(|entry| entry.file_name().to_string_lossy().into_owned());
    let mut found: Vec<String> = found.filter(|name| name != ".git").collect();
    found.sort();
    let Some(first) = found.first() else {
        return Ok(());
    };
    let others = match found.len() - 1 {
        0 => String::new(),
        others => format!(" and {others} more"),
    };
    Err(unsuitable(format!("{} holds {first}{others}", folder.display()))
        .hint("name a new folder; nothing that exists is ever overwritten"))
}

/// The folder's name as cargo and CloudFormation take it: `My_Shop` becomes `my-shop`.
fn name_of(folder: &Path) -> Outcome<String> {
    let folder = std::path::absolute(folder).unwrap_or_else(|_| folder.to_owned());
    let name = folder
        .components()
        .next_back()
        .map(|last| last.as_os_str().to_string_lossy().to_lowercase())
        .unwrap_or_default();
    let words: Vec<&str> = name
        .split(|c: char| !c.is_ascii_alphanumeric())
        .filter(|word| !word.is_empty())
        .collect();
    let name = words.join("-");
    project::check_name(&name)
        .map_err(|reason| unnamed(format!("the folder's name gives the project none: {reason}")))?;
    Ok(name)
}

fn write(path: &Path, text: &str) -> Outcome {
    if let Some(folder) = path.parent() {
        fs::create_dir_all(folder).map_err(|error| unwritable(folder, error))?;
    }
    let mut file = fs::File::create_new(path).map_err(|error| unwritable(path, error))?;
    std::io::Write::write_all(&mut file, text.as_bytes()).map_err(|error| unwritable(path, error))
}

fn unwritable(path: &Path, error: std::io::Error) -> Failure {
    unsuitable(format!("cannot write {}", path.display())).because(error)
}

fn unsuitable(message: String) -> Failure {
    Failure::new(Code::FolderUnsuitable, message)
}

fn unnamed(message: String) -> Failure {
    unsuitable(message).hint("say --name NAME: small letters, digits and dashes, a letter first, at most 40")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_folder_names_the_project() {
        assert_eq!(name_of(Path::new("/code/My_Shop")).unwrap(), "my-shop");
        assert_eq!(name_of(Path::new("/code/shop.v2/.")).unwrap(), "shop-v2");
        for bad in ["/code/2024", "/", "/code/…"] {
            assert_eq!(name_of(Path::new(bad)).unwrap_err().code, Code::FolderUnsuitable);
        }
    }
}

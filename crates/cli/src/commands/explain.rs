//! `llama-deploy explain LD0101`: the page behind a code.

use serde_json::json;

use crate::arguments::Explain;
use crate::codes;
use crate::console::Console;
use crate::failure::Outcome;

pub fn run(options: &Explain, console: &Console) -> Outcome<u8> {
    let text = match &options.code {
        Some(code) => codes::page(code)?,
        None => codes::list(),
    };
    console.print(&text);
    console.print_json(&json!({ "text": text }));
    Ok(0)
}

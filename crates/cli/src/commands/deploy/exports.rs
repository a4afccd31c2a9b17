//! Exports that others still import stay for one deploy more: `stack::exports` over templates as text.

use std::collections::BTreeMap;

use aws::stacks::KeepExports;
use serde_json::Value;
use stack::exports::{dropped, keep_imported};

/// Templates that are not JSON are left as they are: CloudFormation judges them.
pub struct Imported;

impl KeepExports for Imported {
    fn dropped(&self, deployed: &str, template: &str) -> Vec<String> {
        let (Ok(deployed), Ok(template)) = (parse(deployed), parse(template)) else {
            return Vec::new();
        };
        dropped(&deployed, &template)
            .into_iter()
            .map(|export| export.output)
            .collect()
    }

    fn keep(
        &self,
        stack: &str,
        deployed: &str,
        template: &str,
        importers: &BTreeMap<String, Vec<String>>,
    ) -> Result<String, String> {
        let (Ok(deployed), Ok(mut kept)) = (parse(deployed), parse(template)) else {
            return Ok(template.to_owned());
        };
        keep_imported(stack, &deployed, &mut kept, |export| {
            importers.get(&export.output).cloned().unwrap_or_default()
        })
        .map_err(|error| error.to_string())?;
        Ok(kept.to_string())
    }
}

fn parse(text: &str) -> serde_json::Result<Value> {
    serde_json::from_str(text)
}

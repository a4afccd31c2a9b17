//! The snapshot for run time: one compressed blob a service without documentation, and a table to find it.

use std::fmt::Write as _;
use std::fs;
use std::path::{Path, PathBuf};

use crate::Failure;
use crate::model::{PropertySchema, ServiceSchema};

pub struct Packer {
    out: PathBuf,
    table: Vec<(String, String)>,
}

impl Packer {
    pub fn new(out: &Path) -> Self {
        Self {
            out: out.to_owned(),
            table: Vec::new(),
        }
    }

    pub fn add(&mut self, module: &str, service: &ServiceSchema) -> Result<(), Failure> {
        let mut bare = service.clone();
        for resource in bare.resources.values_mut() {
            resource.documentation = None;
            resource
                .properties
                .values_mut()
                .chain(resource.attributes.values_mut())
                .for_each(strip);
            for nested in resource.types.values_mut() {
                nested.documentation = None;
                nested.properties.values_mut().for_each(strip);
            }
        }
        let packed = miniz_oxide::deflate::compress_to_vec(&serde_json::to_vec(&bare)?, 8);
        fs::write(self.out.join(format!("{module}.schema")), packed)?;
        self.table.push((service.namespace.clone(), module.to_owned()));
        Ok(())
    }

    pub fn finish(mut self) -> Result<(), Failure> {
        self.table.sort();
        let mut code = format!("pub(super) static PACKED: [(&str, &[u8]); {}] = [\n", self.table.len());
        for (namespace, module) in &self.table {
            writeln!(
                code,
                "    ({namespace:?}, include_bytes!(concat!(env!(\"OUT_DIR\"), \"/{module}.schema\"))),"
            )?;
        }
        code.push_str("];\n");
        fs::write(self.out.join("packed.rs"), code)?;
        Ok(())
    }
}

fn strip(property: &mut PropertySchema) {
    property.documentation = None;
}

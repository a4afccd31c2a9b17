//! The checkout of llama-deploy's repository that this program was built in, where it still stands. What a project needs
//! of it (`init`) and what is built from it on demand (`validate`) is found there.

use std::path::{Path, PathBuf};

/// Nothing where it is gone, or where `cargo install` built the program in a folder of its own.
pub fn built_in() -> Option<PathBuf> {
    let checkout = Path::new(env!("CARGO_MANIFEST_DIR")).ancestors().nth(2)?;
    (is_checkout(checkout) && !is_cargos_own(checkout)).then(|| checkout.to_owned())
}

pub fn is_checkout(folder: &Path) -> bool {
    folder.join("crates/stack/Cargo.toml").is_file() && folder.join("crates/cfn/Cargo.toml").is_file()
}

/// Where `cargo install --git` builds; cargo may empty it at any time.
fn is_cargos_own(folder: &Path) -> bool {
    folder.to_string_lossy().contains("/git/checkouts/")
}

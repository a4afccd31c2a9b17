//! Keys of the Key Management Service, and names for them.

mod alias;
mod key;

pub use alias::{Alias, AliasBuilder};
pub use key::{Key, KeyBuilder, KeySpec, KeyUsage};

//! A project in a folder of its own, the binary run in it as a user runs it, and clients that use what it deployed.
//!
//! Every project has its own embedded cloud on a free port, which ends with it.

mod background;
mod poller;
mod project;
mod random;
mod shop_project;
mod shoppers;
pub mod soak;
mod stack_templates;
mod store_project;
mod templates;
mod terminal;
mod typescript;
mod wire;
mod witness;

pub use background::Background;
pub use poller::{Answer, Poller, get, post};
pub use project::{Ended, Project, settings};
pub use random::Random;
pub use shop_project::{KINDS, Shop, Told};
pub use shoppers::{Shoppers, handled};
pub use stack_templates::Template;
pub use store_project::Store;
pub use terminal::Terminal;
pub use wire::{Among, Call, Fault, Held, Point, Seen, Wire};
pub use witness::{Latest, Routed, StageSeen, Traffic, boto3};

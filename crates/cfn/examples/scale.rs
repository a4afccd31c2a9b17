//! Builds, resolves and renders a template of many functions, and says what each step took.
//!
//!     cargo run --release -p cfn --example scale -- 100000
#![expect(clippy::print_stdout, reason = "a measurement talks to the terminal")]

use std::convert::Infallible;
use std::time::Instant;

use cfn::lambda::function;
use cfn::{ElementId, Expr, Handle, IntoResource, Name, Reference, Resolver, Template, iam, lambda, pseudo, text};

struct Names;

impl Resolver for Names {
    type Error = Infallible;

    fn reference(&mut self, reference: Reference<'_>) -> Result<Expr, Infallible> {
        let target = reference.target.clone().resolve(self)?;
        Ok(match reference.attribute {
            Some(attribute) => Expr::get_att(target, attribute.to_owned()),
            None => Expr::reference(target),
        })
    }

    fn logical_id(&mut self, element: ElementId) -> Result<Name, Infallible> {
        Ok(format!("Element{}", element.index()).into())
    }
}

fn function(index: u32) -> impl IntoResource {
    let role: Handle<iam::Role> = Handle::new(ElementId::new(index));
    lambda::Function::new()
        .role(role.arn())
        .code(
            function::Code::new()
                .s3_bucket(text!["assets-", pseudo::account_id()].cast())
                .s3_key(format!("{index}.zip")),
        )
        .function_name(text![pseudo::stack_name(), "-", format!("function-{index}")])
        .runtime(function::Runtime::PROVIDED_AL2023)
        .handler("bootstrap")
        .memory_size(256)
        .timeout(30)
        .environment(function::Environment::new().variables([("REGION", pseudo::region())]))
}

fn main() {
    let count = std::env::args()
        .nth(1)
        .and_then(|count| count.parse().ok())
        .unwrap_or(100_000);
    let start = Instant::now();
    let resources: Vec<_> = (0..count).map(|index| function(index).into_resource()).collect();
    let built = start.elapsed();
    let mut template = Template::default();
    for (index, resource) in resources.into_iter().enumerate() {
        let Ok(resolved) = resource.resolve(&mut Names);
        template.resources.insert(format!("Function{index}").into(), resolved);
    }
    let resolved = start.elapsed();
    let bytes = serde_json::to_vec(&template).map(|json| json.len()).unwrap_or_default();
    let rendered = start.elapsed();
    println!(
        "{count} resources: built {built:?}, resolved {:?}, rendered {:?}",
        resolved - built,
        rendered - resolved
    );
    println!(
        "template {bytes} bytes, peak memory {}",
        peak_memory().unwrap_or_default()
    );
}

/// As Linux counts it.
fn peak_memory() -> Option<String> {
    let status = std::fs::read_to_string("/proc/self/status").ok()?;
    Some(
        status
            .lines()
            .find_map(|line| line.strip_prefix("VmHWM:"))?
            .trim()
            .to_owned(),
    )
}

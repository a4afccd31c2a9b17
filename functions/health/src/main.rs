//! The Lambda function `health`. All of it is in the library, so that tests can drive it.

use health::Service;
use lambda_http::{Error, Request, run, service_fn, tracing};
use platform::Variables;

#[tokio::main(flavor = "current_thread")]
async fn main() -> Result<(), Error> {
    tracing::init_default_subscriber();
    let service = Service::connect(&Variables::of_process()).await?;
    run(service_fn(|request: Request| service.handle(request))).await
}

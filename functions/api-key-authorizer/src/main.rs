//! The Lambda function `api-key-authorizer`. All of it is in the library, so that tests can drive it.

use api_key_authorizer::{Authorizer, TokenRequest};
use lambda_runtime::{Error, LambdaEvent, run, service_fn, tracing};
use platform::Variables;

#[tokio::main(flavor = "current_thread")]
async fn main() -> Result<(), Error> {
    tracing::init_default_subscriber();
    let authorizer = Authorizer::connect(&Variables::of_process()).await?;
    let authorizer = &authorizer;
    run(service_fn(move |event: LambdaEvent<TokenRequest>| async move {
        authorizer.authorize(event.payload).await
    }))
    .await
}

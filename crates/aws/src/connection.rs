//! One connection to one account and region: credentials, retries, rate limits and the clients of every service.
//!
//! It reads the environment and the shared AWS files only through the SDK's own chain, and only where no endpoint is
//! given; a connection to the embedded cloud is hermetic. It keeps no state beyond caches. Every adapter of this crate
//! holds an [`Aws`], which is cheap to clone.

use std::sync::Arc;
use std::time::Duration;

use aws_config::retry::RetryConfig;
use aws_config::timeout::TimeoutConfig;
use aws_config::{BehaviorVersion, Region, SdkConfig};
use aws_credential_types::Credentials;
use aws_credential_types::provider::SharedCredentialsProvider;
use aws_smithy_runtime_api::client::http::SharedHttpClient;

use crate::failure::{Failure, failed};
use crate::http::{Http, sdk_client};
use crate::pacing::{Paced, Rate};

/// Where to connect to. What is `None` is found as every AWS tool finds it: environment, profile, instance metadata.
#[derive(Clone, Debug, Default)]
pub struct Settings {
    /// For example `eu-west-1`.
    pub region: Option<String>,
    /// A profile of the shared AWS configuration files.
    pub profile: Option<String>,
    /// The embedded cloud, for example `http://127.0.0.1:4566`. Then the credentials are placeholders, and neither the
    /// environment nor the shared files are read.
    pub endpoint_url: Option<String>,
    /// Twelve digits. If given, credentials of another account are refused.
    pub account: Option<String>,
}

/// Why no connection was made.
#[derive(Debug, thiserror::Error)]
pub enum ConnectError {
    #[error("no AWS region is known: set `region` for the environment, or AWS_REGION")]
    NoRegion,
    #[error(
        "AWS does not say who we are: {failure}. Check the credentials, for example with `aws sts get-caller-identity`"
    )]
    Identity { failure: Failure },
    #[error(
        "the credentials belong to account {actual}, but the environment is account {expected}: choose another profile"
    )]
    WrongAccount { expected: String, actual: String },
}

/// A connection. Cheap to clone.
#[derive(Clone, Debug)]
pub struct Aws {
    shared: Arc<Shared>,
}

#[derive(Debug)]
struct Shared {
    config: SdkConfig,
    region: String,
    account: String,
    partition: String,
    caller: String,
    endpoint_url: Option<String>,
    http: Http,
    apigateway: aws_sdk_apigateway::Client,
    apigateway_once: aws_sdk_apigateway::Client,
    cloudformation: aws_sdk_cloudformation::Client,
    cloudformation_once: aws_sdk_cloudformation::Client,
    cloudwatch: aws_sdk_cloudwatch::Client,
    dynamodb: aws_sdk_dynamodb::Client,
    elasticache: aws_sdk_elasticache::Client,
    lambda: aws_sdk_lambda::Client,
    lambda_once: aws_sdk_lambda::Client,
    rds: aws_sdk_rds::Client,
    s3: aws_sdk_s3::Client,
    secretsmanager: aws_sdk_secretsmanager::Client,
}

/// Attempts a call gets in all. With the SDK's backoff (at most 20 s between two) they span more than a minute, which
/// outlasts the longest documented window of API Gateway (one `CreateDeployment` in 5 s).
const ATTEMPTS: u32 = 8;
const CONNECT_TIMEOUT: Duration = Duration::from_secs(5);
/// From sending to the answer's first byte. Longer than any control-plane call takes; invocations and uploads set
/// their own.
const READ_TIMEOUT: Duration = Duration::from_secs(60);

/// The services' documented limits where they have them (API Gateway: 10 a second with a burst of 40; Lambda: 15 a
/// second; DescribeAlarms: 9 a second), and well below what throttled in practice where they have none.
const APIGATEWAY: Rate = Rate {
    per_second: 10.0,
    burst: 20,
};
const CLOUDFORMATION: Rate = Rate {
    per_second: 5.0,
    burst: 10,
};
const CLOUDWATCH: Rate = Rate {
    per_second: 9.0,
    burst: 9,
};
const DYNAMODB: Rate = Rate {
    per_second: 5.0,
    burst: 10,
};
const ELASTICACHE: Rate = Rate {
    per_second: 5.0,
    burst: 10,
};
const LAMBDA: Rate = Rate {
    per_second: 15.0,
    burst: 15,
};
const RDS: Rate = Rate {
    per_second: 5.0,
    burst: 10,
};
const S3: Rate = Rate {
    per_second: 100.0,
    burst: 100,
};
const SECRETSMANAGER: Rate = Rate {
    per_second: 20.0,
    burst: 20,
};

/// Makes a connection, and asks once who we are, so that wrong credentials show before anything is touched.
pub async fn connect(settings: Settings) -> Result<Aws, ConnectError> {
    let config = match &settings.endpoint_url {
        Some(url) => embedded_config(url, settings.region.as_deref().unwrap_or("us-east-1")),
        None => chain_config(&settings).await,
    };
    let region = config
        .region()
        .map(|region| region.as_ref().to_owned())
        .ok_or(ConnectError::NoRegion)?;
    let (account, caller) = identity(&config).await?;
    if let Some(expected) = settings.account.filter(|expected| *expected != account) {
        return Err(ConnectError::WrongAccount {
            expected,
            actual: account,
        });
    }
    // arn:PARTITION:sts::ACCOUNT:assumed-role/…
    let partition = caller
        .split(':')
        .nth(1)
        .filter(|partition| !partition.is_empty())
        .unwrap_or("aws")
        .to_owned();
    let paced = |rate| match &settings.endpoint_url {
        Some(_) => config.clone(),
        None => config.to_builder().http_client(Paced::new(sdk_client(), rate)).build(),
    };
    // The same connections and the same bucket, without retries.
    let once = |config: &SdkConfig| config.to_builder().retry_config(RetryConfig::disabled()).build();
    let (apigateway, cloudformation, lambda) = (paced(APIGATEWAY), paced(CLOUDFORMATION), paced(LAMBDA));
    let shared = Shared {
        apigateway: aws_sdk_apigateway::Client::new(&apigateway),
        apigateway_once: aws_sdk_apigateway::Client::new(&once(&apigateway)),
        cloudformation: aws_sdk_cloudformation::Client::new(&cloudformation),
        cloudformation_once: aws_sdk_cloudformation::Client::new(&once(&cloudformation)),
        cloudwatch: aws_sdk_cloudwatch::Client::new(&paced(CLOUDWATCH)),
        dynamodb: aws_sdk_dynamodb::Client::new(&paced(DYNAMODB)),
        elasticache: aws_sdk_elasticache::Client::new(&paced(ELASTICACHE)),
        lambda: aws_sdk_lambda::Client::new(&lambda),
        lambda_once: aws_sdk_lambda::Client::new(&once(&lambda)),
        rds: aws_sdk_rds::Client::new(&paced(RDS)),
        s3: s3_client(&paced(S3)),
        secretsmanager: aws_sdk_secretsmanager::Client::new(&paced(SECRETSMANAGER)),
        http: Http::new(),
        endpoint_url: settings.endpoint_url.map(|url| url.trim_end_matches('/').to_owned()),
        config,
        region,
        account,
        partition,
        caller,
    };
    Ok(Aws {
        shared: Arc::new(shared),
    })
}

impl Aws {
    pub fn region(&self) -> &str {
        &self.shared.region
    }

    /// Twelve digits.
    pub fn account(&self) -> &str {
        &self.shared.account
    }

    /// `aws`, `aws-cn` or `aws-us-gov`.
    pub fn partition(&self) -> &str {
        &self.shared.partition
    }

    /// The ARN of who we are, for the journal.
    pub fn caller(&self) -> &str {
        &self.shared.caller
    }

    /// The embedded cloud's address, without a trailing slash; `None` for AWS itself.
    pub fn endpoint_url(&self) -> Option<&str> {
        self.shared.endpoint_url.as_deref()
    }

    /// How long to pause between two looks at something that takes its time. The embedded cloud is fast and has no
    /// rate limits; AWS is neither.
    pub(crate) fn poll_interval(&self) -> Duration {
        match self.shared.endpoint_url {
            Some(_) => Duration::from_millis(100),
            None => Duration::from_secs(3),
        }
    }

    pub(crate) fn http(&self) -> &Http {
        &self.shared.http
    }

    /// For changes: one attempt, so that a lost answer is told and not covered up by a second try.
    pub(crate) fn apigateway_once(&self) -> &aws_sdk_apigateway::Client {
        &self.shared.apigateway_once
    }

    pub(crate) fn apigateway(&self) -> &aws_sdk_apigateway::Client {
        &self.shared.apigateway
    }

    /// For changes: one attempt, so that a lost answer is told and not covered up by a second try.
    pub(crate) fn cloudformation_once(&self) -> &aws_sdk_cloudformation::Client {
        &self.shared.cloudformation_once
    }

    pub(crate) fn cloudformation(&self) -> &aws_sdk_cloudformation::Client {
        &self.shared.cloudformation
    }

    pub(crate) fn cloudwatch(&self) -> &aws_sdk_cloudwatch::Client {
        &self.shared.cloudwatch
    }

    pub(crate) fn dynamodb(&self) -> &aws_sdk_dynamodb::Client {
        &self.shared.dynamodb
    }

    pub(crate) fn elasticache(&self) -> &aws_sdk_elasticache::Client {
        &self.shared.elasticache
    }

    /// For changes: one attempt, so that a lost answer is told and not covered up by a second try.
    pub(crate) fn lambda_once(&self) -> &aws_sdk_lambda::Client {
        &self.shared.lambda_once
    }

    pub(crate) fn lambda(&self) -> &aws_sdk_lambda::Client {
        &self.shared.lambda
    }

    pub(crate) fn rds(&self) -> &aws_sdk_rds::Client {
        &self.shared.rds
    }

    pub(crate) fn s3(&self) -> &aws_sdk_s3::Client {
        &self.shared.s3
    }

    pub(crate) fn secretsmanager(&self) -> &aws_sdk_secretsmanager::Client {
        &self.shared.secretsmanager
    }

    /// The credentials behind every client, for signers that are not the SDK's.
    pub(crate) fn credentials(&self) -> Option<SharedCredentialsProvider> {
        self.shared.config.credentials_provider()
    }

    /// S3 with a role's credentials, if the role may be assumed; in a region of its own if one is given.
    pub(crate) async fn s3_as(&self, role_arn: &str, external_id: Option<&str>) -> Result<aws_sdk_s3::Client, Failure> {
        let answer = aws_sdk_sts::Client::new(&self.shared.config)
            .assume_role()
            .role_arn(role_arn)
            .role_session_name("llama-deploy")
            .set_external_id(external_id.map(str::to_owned))
            .send()
            .await
            .map_err(failed("AssumeRole", role_arn))?;
        let keys = answer
            .credentials
            .ok_or_else(|| Failure::incomplete("AssumeRole", role_arn, "Credentials"))?;
        let credentials = Credentials::new(
            keys.access_key_id,
            keys.secret_access_key,
            Some(keys.session_token),
            None,
            "AssumeRole",
        );
        let config = self
            .shared
            .config
            .to_builder()
            .credentials_provider(SharedCredentialsProvider::new(credentials))
            .http_client(Paced::new(sdk_client(), S3))
            .build();
        Ok(s3_client(&config))
    }
}

/// Path-style addresses, because `bucket.127.0.0.1` is no host name.
fn s3_client(config: &SdkConfig) -> aws_sdk_s3::Client {
    let path_style = config.endpoint_url().is_some();
    aws_sdk_s3::Client::from_conf(
        aws_sdk_s3::config::Builder::from(config)
            .force_path_style(path_style)
            .build(),
    )
}

fn retries() -> RetryConfig {
    RetryConfig::standard().with_max_attempts(ATTEMPTS)
}

fn timeouts() -> TimeoutConfig {
    TimeoutConfig::builder()
        .connect_timeout(CONNECT_TIMEOUT)
        .read_timeout(READ_TIMEOUT)
        .build()
}

fn embedded_config(endpoint_url: &str, region: &str) -> SdkConfig {
    let placeholder = Credentials::new("embedded", "embedded", None, None, "embedded cloud");
    let client: SharedHttpClient = sdk_client();
    SdkConfig::builder()
        .behavior_version(BehaviorVersion::latest())
        .endpoint_url(endpoint_url)
        .region(Region::new(region.to_owned()))
        .credentials_provider(SharedCredentialsProvider::new(placeholder))
        .retry_config(retries().with_initial_backoff(Duration::from_millis(50)))
        .timeout_config(timeouts())
        .http_client(client)
        .build()
}

async fn chain_config(settings: &Settings) -> SdkConfig {
    let mut loader = aws_config::defaults(BehaviorVersion::latest())
        .retry_config(retries())
        .timeout_config(timeouts())
        .http_client(sdk_client());
    if let Some(region) = &settings.region {
        loader = loader.region(Region::new(region.clone()));
    }
    if let Some(profile) = &settings.profile {
        loader = loader.profile_name(profile);
    }
    loader.load().await
}

async fn identity(config: &SdkConfig) -> Result<(String, String), ConnectError> {
    let answer = aws_sdk_sts::Client::new(config)
        .get_caller_identity()
        .send()
        .await
        .map_err(failed("GetCallerIdentity", "the credentials"))
        .map_err(|failure| ConnectError::Identity { failure })?;
    match (answer.account, answer.arn) {
        (Some(account), Some(arn)) => Ok((account, arn)),
        _ => {
            let failure = Failure::incomplete("GetCallerIdentity", "the credentials", "Account or Arn");
            Err(ConnectError::Identity { failure })
        }
    }
}

//! STS: who is asking. Every caller is the account's root, whatever credentials it brings; nothing is checked.
//! `GetCallerIdentity`, `AssumeRole` and `GetSessionToken` answer so that clients with a role in their profile work.

use std::io;
use std::sync::Arc;

use async_trait::async_trait;
use serde_json::json;

use crate::chance;
use crate::context::{ACCOUNT, Context};
use crate::members::Members;
use crate::service::{ApiError, Request, Response, Service};

pub struct Sts {
    context: Context,
}

impl Sts {
    pub fn open(context: &Context) -> io::Result<Arc<Self>> {
        Ok(Arc::new(Self {
            context: context.clone(),
        }))
    }

    fn credentials(&self, lifetime_seconds: i64) -> Result<serde_json::Value, ApiError> {
        let random = |length| {
            chance::letters(b"ABCDEFGHIJKLMNOPQRSTUVWXYZ234567", length)
                .map_err(|error| ApiError::new(500, "InternalFailure", error.to_string()))
        };
        Ok(json!({
            "AccessKeyId": format!("ASIA{}", random(16)?),
            "SecretAccessKey": random(40)?,
            "SessionToken": random(64)?,
            "Expiration": self.context.clock.now().as_second() + lifetime_seconds,
        }))
    }

    fn assume_role(&self, request: &Request) -> Result<Response, ApiError> {
        let arn = request.input.required_text("RoleArn")?;
        let session = request.input.required_text("RoleSessionName")?;
        let role = arn
            .split_once(":role/")
            .map(|(_, path)| path.rsplit('/').next().unwrap_or(path))
            .ok_or_else(|| ApiError::new(400, "ValidationError", format!("{arn} is invalid")))?;
        let account = arn.split(':').nth(4).unwrap_or(ACCOUNT);
        Ok(json!({
            "Credentials": self.credentials(request.input.integer("DurationSeconds").unwrap_or(3600))?,
            "AssumedRoleUser": {
                "AssumedRoleId": format!("AROA000000000000000000:{session}"),
                "Arn": format!("arn:aws:sts::{account}:assumed-role/{role}/{session}"),
            },
        })
        .into())
    }
}

#[async_trait]
impl Service for Sts {
    fn model(&self) -> &'static str {
        "sts"
    }

    async fn call(&self, request: Request) -> Result<Response, ApiError> {
        match request.operation.as_str() {
            "GetCallerIdentity" => Ok(json!({
                "UserId": ACCOUNT,
                "Account": ACCOUNT,
                "Arn": format!("arn:aws:iam::{ACCOUNT}:root"),
            })
            .into()),
            "GetAccessKeyInfo" => Ok(json!({"Account": ACCOUNT}).into()),
            "AssumeRole" => self.assume_role(&request),
            "GetSessionToken" => {
                let lifetime = request.input.integer("DurationSeconds").unwrap_or(43_200);
                Ok(json!({"Credentials": self.credentials(lifetime)?}).into())
            }
            other => Err(ApiError::new(
                400,
                "InvalidAction",
                format!("Could not find operation {other} for STS"),
            )),
        }
    }
}

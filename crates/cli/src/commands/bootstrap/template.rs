//! The bootstrap's template: the CDK's own, with an execution role that is an administrator's only when it is asked to be.
//! Pure.

use serde_json::{Value, json};

use super::permissions::Permissions;
use crate::failure::{Code, Failure, Outcome};

const CDK: &str = include_str!("cdk-template.json");
/// The resource that is ours.
pub const POLICY: &str = "ExecutionPolicy";
/// By which the CDK's CLI knows that the template is another's, and does not overwrite it without `--force`.
pub const VARIANT: &str = "llama-deploy: scoped execution role";
/// Characters without white space in a managed policy (IAM quotas).
const POLICY_LIMIT: usize = 6_144;

/// What CloudFormation may do in the environment.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Execution {
    Administrator,
    /// Managed policies by ARN.
    Policies(Vec<String>),
    Scoped(Permissions),
}

pub fn cdk() -> Outcome<Value> {
    serde_json::from_str(CDK)
        .map_err(|error| Failure::new(Code::Internal, "the bootstrap template cannot be read").because(error))
}

/// The version that the template brings.
pub fn version(template: &Value) -> u64 {
    let version = template["Outputs"]["BootstrapVersion"]["Value"].as_str();
    version.and_then(|version| version.parse().ok()).unwrap_or_default()
}

/// The template for `execution`. The policies of [`Execution::Policies`] and the administrator's are a parameter, as in
/// the CDK's.
pub fn template(execution: &Execution) -> Outcome<Value> {
    let mut template = cdk()?;
    template["Parameters"]["BootstrapVariant"]["Default"] = json!(VARIANT);
    let role = &mut template["Resources"]["CloudFormationExecutionRole"]["Properties"];
    // Without the CDK's last resort, which is the administrator.
    role["ManagedPolicyArns"] = json!({ "Fn::If": [
        "HasCloudFormationExecutionPolicies", { "Ref": "CloudFormationExecutionPolicies" }, { "Ref": "AWS::NoValue" }
    ] });
    if let Execution::Scoped(permissions) = execution {
        let document = permissions.policy();
        let size = document.to_string().len();
        if size > POLICY_LIMIT {
            return Err(Failure::new(
                Code::TemplateInvalid,
                format!("the policy of the execution role would have {size} characters, and IAM takes {POLICY_LIMIT}"),
            )
            .hint("give it policies of your own with --execution-policy ARN"));
        }
        template["Resources"][POLICY] = json!({
            "Type": "AWS::IAM::ManagedPolicy",
            "Properties": {
                "ManagedPolicyName": {
                    "Fn::Sub": "cdk-${Qualifier}-cfn-exec-policy-${AWS::AccountId}-${AWS::Region}"
                },
                "Description": "What CloudFormation may do for the apps of this environment",
                "PolicyDocument": document,
                "Roles": [{ "Ref": "CloudFormationExecutionRole" }]
            }
        });
    }
    Ok(template)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_administrator_is_only_who_was_asked_to_be() {
        let mut permissions = Permissions::default();
        permissions.add(
            "Shop",
            &json!({ "Resources": { "Queue": { "Type": "AWS::SQS::Queue" } } }),
        );
        for execution in [Execution::Scoped(permissions), Execution::Administrator] {
            let template = template(&execution).unwrap();
            assert!(!template.to_string().contains("AdministratorAccess"));
            assert_eq!(version(&template), version(&cdk().unwrap()));
        }
        assert!(cdk().unwrap().to_string().contains("AdministratorAccess"));
        assert!(version(&cdk().unwrap()) >= 33);
    }

    #[test]
    fn a_policy_that_iam_would_refuse_is_refused_here() {
        let mut permissions = Permissions::default();
        for number in 0..100 {
            permissions.add(&format!("Stack{number:03}"), &json!({}));
        }
        let failure = template(&Execution::Scoped(permissions)).unwrap_err();
        assert_eq!(failure.code, Code::TemplateInvalid);
    }
}

//! What CloudFormation may do for an app: the services that its templates use, and the roles that its stacks make. Pure.
//!
//! A service is allowed as a whole: which calls a resource type needs is in no schema that we have. Roles and policies
//! are allowed by name only, those that CloudFormation names after the app's stacks and those that the templates name.

use std::collections::BTreeSet;

use serde_json::{Value, json};

/// CloudFormation cuts a long stack's name when it makes a role's name of it: at most 64 characters, of which the logical
/// id and the random end take theirs.
const STACK_PREFIX: usize = 24;

#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Permissions {
    /// `sqs:*`, `ec2:Describe*`.
    pub actions: BTreeSet<String>,
    /// Names of roles and policies, perhaps with `*` at the end.
    pub identities: BTreeSet<String>,
}

impl Permissions {
    /// Adds what the template of a stack of this name needs.
    pub fn add(&mut self, stack: &str, template: &Value) {
        let prefix: String = stack.chars().take(STACK_PREFIX).collect();
        let end = if prefix.len() < stack.len() { "*" } else { "-*" };
        self.identities.insert(format!("{prefix}{end}"));
        for resource in template["Resources"]
            .as_object()
            .into_iter()
            .flat_map(|all| all.values())
        {
            let resource_type = resource["Type"].as_str().unwrap_or_default();
            self.actions.extend(actions(resource_type).map(str::to_owned));
            for name in ["RoleName", "ManagedPolicyName"] {
                if let Some(name) = resource["Properties"][name].as_str() {
                    self.identities.insert(name.to_owned());
                }
            }
        }
        // Dynamic references are resolved with the same role.
        let text = template.to_string();
        if text.contains("{{resolve:secretsmanager:") || text.contains("\"ManageMasterUserPassword\":true") {
            self.actions.insert("secretsmanager:*".to_owned());
        }
        if text.contains("{{resolve:ssm") || text.contains("\"AWS::SSM::Parameter::Value<") {
            self.actions.insert("ssm:GetParameter*".to_owned());
        }
    }

    /// What the policy of an earlier bootstrap allows, so that no app loses what it got.
    pub fn add_deployed(&mut self, policy: &Value) {
        let statements = policy["Statement"].as_array().into_iter().flatten();
        for statement in statements {
            let texts = |value: &Value| -> Vec<String> {
                let all = value.as_array().into_iter().flatten();
                all.filter_map(|one| Some(one.as_str().or_else(|| one["Fn::Sub"].as_str())?.to_owned()))
                    .collect()
            };
            match statement["Sid"].as_str() {
                Some(SERVICES) => self.actions.extend(texts(&statement["Action"])),
                Some(IDENTITIES) => {
                    let names = texts(&statement["Resource"]);
                    let names = names.iter().filter_map(|arn| arn.split_once(":role/"));
                    self.identities.extend(names.map(|(_, name)| name.to_owned()));
                }
                _ => {}
            }
        }
    }

    /// The policy of the execution role. `${…}` are of `Fn::Sub`.
    pub fn policy(&self) -> Value {
        let arns = |kind: &str| -> Vec<Value> {
            self.identities
                .iter()
                .map(|name| json!({ "Fn::Sub": format!("arn:${{AWS::Partition}}:iam::${{AWS::AccountId}}:{kind}/{name}") }))
                .collect()
        };
        let own = |kind: &str| json!({ "Fn::Sub": format!("arn:${{AWS::Partition}}:iam::${{AWS::AccountId}}:{kind}/cdk-${{Qualifier}}-*") });
        let identities: Vec<Value> = arns("role").into_iter().chain(arns("policy")).collect();
        json!({
            "Version": "2012-10-17",
            "Statement": [
                { "Sid": SERVICES, "Effect": "Allow", "Action": self.actions, "Resource": "*" },
                { "Sid": IDENTITIES, "Effect": "Allow", "Action": [
                    "iam:AttachRolePolicy", "iam:CreatePolicy*", "iam:CreateRole", "iam:DeletePolicy*", "iam:DeleteRole*",
                    "iam:DetachRolePolicy", "iam:Get*", "iam:List*", "iam:PassRole", "iam:PutRole*",
                    "iam:SetDefaultPolicyVersion", "iam:Tag*", "iam:Untag*", "iam:UpdateAssumeRolePolicy",
                    "iam:UpdateRole*"
                ], "Resource": identities },
                { "Sid": "RolesOfServices", "Effect": "Allow", "Action": "iam:CreateServiceLinkedRole",
                  "Resource": { "Fn::Sub": "arn:${AWS::Partition}:iam::${AWS::AccountId}:role/aws-service-role/*" } },
                { "Sid": "Assets", "Effect": "Allow", "Action": ["s3:GetObject*", "s3:GetBucket*", "s3:List*"],
                  "Resource": [{ "Fn::Sub": "${StagingBucket.Arn}" }, { "Fn::Sub": "${StagingBucket.Arn}/*" }] },
                { "Sid": "Images", "Effect": "Allow", "Action": [
                    "ecr:BatchGetImage", "ecr:DescribeImages", "ecr:GetDownloadUrlForLayer", "ecr:*RepositoryPolicy"
                ], "Resource": { "Fn::Sub": "${ContainerAssetsRepository.Arn}" } },
                { "Sid": "Version", "Effect": "Allow", "Action": "ssm:GetParameter*",
                  "Resource": { "Fn::Sub": "arn:${AWS::Partition}:ssm:${AWS::Region}:${AWS::AccountId}:parameter${CdkBootstrapVersion}" } },
                { "Sid": "NotTheBootstrapItself", "Effect": "Deny", "NotAction": ["iam:Get*", "iam:List*"],
                  "Resource": [own("role"), own("policy")] }
            ]
        })
    }
}

const SERVICES: &str = "Services";
const IDENTITIES: &str = "RolesOfTheStacks";

/// What a resource type asks for: its own service, and what that asks on the caller's behalf.
fn actions(resource_type: &str) -> impl Iterator<Item = &'static str> {
    let mut parts = resource_type.split("::");
    let own: &'static [&'static str] = match (parts.next(), parts.next()) {
        (Some("Custom"), _) => &["lambda:InvokeFunction", "sns:Publish"],
        (Some("AWS"), Some("CDK" | "IAM")) => &[],
        (Some("AWS"), Some("CloudFormation")) if resource_type.ends_with("CustomResource") => {
            &["lambda:InvokeFunction", "sns:Publish"]
        }
        (Some("AWS"), Some(service)) => of_service(service),
        _ => &[],
    };
    own.iter().copied()
}

/// The prefixes of IAM actions by the service in a type's name: the service authorization reference. Only those services
/// are here that the constructs make or that are common beside them; `unknown` names the rest.
fn of_service(service: &str) -> &'static [&'static str] {
    match service {
        "ApiGateway" | "ApiGatewayV2" => &[
            "apigateway:*",
            "logs:*LogDelivery*",
            "logs:*ResourcePolic*",
            "logs:DescribeLogGroups",
        ],
        "ApplicationAutoScaling" => &["application-autoscaling:*", "cloudwatch:*Alarm*"],
        "AppSync" => &["appsync:*"],
        "Athena" => &["athena:*"],
        "AutoScaling" => &["autoscaling:*", "ec2:Describe*", "ec2:RunInstances"],
        "Backup" => &["backup:*", "backup-storage:*"],
        "Batch" => &["batch:*", "ec2:Describe*"],
        "CertificateManager" => &["acm:*", "route53:ChangeResourceRecordSets", "route53:GetChange"],
        "CloudFormation" => &["cloudformation:*"],
        "CloudFront" => &["cloudfront:*", "acm:DescribeCertificate"],
        "CloudTrail" => &["cloudtrail:*"],
        "CloudWatch" => &["cloudwatch:*"],
        "CodeBuild" => &["codebuild:*"],
        "CodePipeline" => &["codepipeline:*"],
        "Cognito" => &["cognito-identity:*", "cognito-idp:*"],
        "DocDB" | "Neptune" | "RDS" => &["rds:*", "ec2:Describe*", "kms:CreateGrant", "kms:DescribeKey"],
        "DynamoDB" => &["dynamodb:*", "kms:CreateGrant", "kms:DescribeKey"],
        "EC2" => &["ec2:*"],
        "ECR" => &["ecr:*"],
        "ECS" => &["ecs:*", "ec2:Describe*"],
        "EFS" => &["elasticfilesystem:*", "ec2:*NetworkInterface*", "ec2:Describe*"],
        "EKS" => &["eks:*", "ec2:Describe*"],
        "ElastiCache" => &["elasticache:*", "ec2:Describe*"],
        "ElasticLoadBalancing" | "ElasticLoadBalancingV2" => &["elasticloadbalancing:*", "ec2:Describe*"],
        "Elasticsearch" | "OpenSearchService" => &["es:*", "ec2:Describe*"],
        "Events" => &["events:*"],
        "Glue" => &["glue:*"],
        "Kinesis" => &["kinesis:*"],
        "KinesisFirehose" => &["firehose:*"],
        "KMS" => &["kms:*"],
        "Lambda" => &["lambda:*", "ec2:Describe*"],
        "Logs" => &["logs:*"],
        "MSK" => &["kafka:*", "ec2:Describe*"],
        "Pipes" => &["pipes:*"],
        "Route53" => &["route53:*", "ec2:DescribeVpcs"],
        "S3" => &["s3:*"],
        "SecretsManager" => &["secretsmanager:*", "lambda:InvokeFunction", "lambda:AddPermission"],
        "Scheduler" => &["scheduler:*"],
        "ServiceDiscovery" => &["servicediscovery:*", "route53:*"],
        "SES" => &["ses:*"],
        "SNS" => &["sns:*"],
        "SQS" => &["sqs:*"],
        "SSM" => &["ssm:*"],
        "StepFunctions" => &[
            "states:*",
            "logs:*LogDelivery*",
            "logs:*ResourcePolic*",
            "logs:DescribeLogGroups",
        ],
        "WAFv2" => &["wafv2:*", "elasticloadbalancing:SetWebACL", "apigateway:SetWebACL"],
        "XRay" => &["xray:*"],
        _ => &[],
    }
}

/// Services of the template of which we do not know what they ask for.
pub fn unknown(template: &Value) -> BTreeSet<String> {
    let resources = template["Resources"]
        .as_object()
        .into_iter()
        .flat_map(|all| all.values());
    resources
        .filter_map(|resource| {
            let mut parts = resource["Type"].as_str()?.split("::");
            let (vendor, service) = (parts.next()?, parts.next()?);
            let known = vendor == "Custom" || matches!(service, "CDK" | "IAM") || !of_service(service).is_empty();
            (!(vendor == "AWS" && known) && vendor != "Custom").then(|| format!("{vendor}::{service}"))
        })
        .collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn template() -> Value {
        json!({ "Resources": {
            "Queue": { "Type": "AWS::SQS::Queue" },
            "Function": { "Type": "AWS::Lambda::Function" },
            "Role": { "Type": "AWS::IAM::Role", "Properties": { "RoleName": "shop-reader" } },
            "Empty": { "Type": "Custom::S3AutoDeleteObjects" },
            "Board": { "Type": "AWS::QuickSight::Dashboard" },
            "Meta": { "Type": "AWS::CDK::Metadata" }
        } })
    }

    #[test]
    fn the_templates_say_what_is_needed() {
        let mut permissions = Permissions::default();
        permissions.add("Shop", &template());
        permissions.add("AStackWithANameThatIsVeryLongIndeed", &json!({}));
        let actions: Vec<&str> = permissions.actions.iter().map(String::as_str).collect();
        assert_eq!(
            actions,
            [
                "ec2:Describe*",
                "lambda:*",
                "lambda:InvokeFunction",
                "sns:Publish",
                "sqs:*"
            ]
        );
        let identities: Vec<&str> = permissions.identities.iter().map(String::as_str).collect();
        assert_eq!(identities, ["AStackWithANameThatIsVer*", "Shop-*", "shop-reader"]);
        assert_eq!(
            unknown(&template()).into_iter().collect::<Vec<_>>(),
            ["AWS::QuickSight"]
        );
    }

    #[test]
    fn nothing_is_lost_by_the_next_bootstrap_and_nobody_becomes_an_administrator() {
        let mut first = Permissions::default();
        first.add("Shop", &template());
        let policy = first.policy();
        let mut second = Permissions::default();
        second.add_deployed(&policy);
        assert_eq!(second, first);
        let allowed = policy["Statement"]
            .as_array()
            .unwrap()
            .iter()
            .filter(|one| one["Effect"] == "Allow");
        for statement in allowed {
            let everything = statement["Resource"] == "*";
            let actions = statement["Action"].to_string();
            assert!(!actions.contains("\"*\"") && !actions.contains("iam:*"), "{statement}");
            assert!(!(everything && actions.contains("iam:")), "{statement}");
        }
    }
}

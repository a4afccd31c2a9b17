//! What everybody on the internet can reach.

use crate::policy::{Document, Resource, Rule};

pub(super) fn rules() -> Vec<Rule> {
    vec![
        Rule::resources("LDP201", "databases have no public address", database)
            .reason("a password is then all that stands between the internet and the data")
            .fix("set `PubliclyAccessible` to false and reach it from inside the network"),
        Rule::resources("LDP202", "buckets block public access", bucket)
            .reason("one careless object or policy publishes what is in the bucket")
            .fix("leave `PublicAccessBlockConfiguration` and `AccessControl` out, which blocks it; serve what is public through CloudFront"),
        Rule::resources("LDP203", "no policy allows everybody", resource_policy)
            .reason("anybody with an AWS account may use it, and leave the bill here")
            .fix("name the principals, or add a condition such as `aws:SourceArn` or `aws:PrincipalOrgID`"),
        Rule::resources("LDP204", "function URLs authenticate", function_url)
            .reason("anybody who learns the address calls the function")
            .fix("set `AuthType` to `AWS_IAM`, or put an API with an authorizer before it"),
        Rule::resources("LDP205", "API methods authenticate", api_method)
            .reason("anybody who learns the address calls what is behind the method")
            .fix("give it an authorizer or ask for an API key; suppress this for methods that are meant for everybody")
            .warning(),
    ]
}

fn database(resource: &Resource<'_>) -> Option<String> {
    let has_setting = ["AWS::RDS::DBInstance", "AWS::RDS::DBCluster", "AWS::Redshift::Cluster"]
        .iter()
        .any(|name| resource.is(name));
    (has_setting && resource.setting("PubliclyAccessible").is_on()).then(|| "it has a public address".to_owned())
}

const BLOCKS: [&str; 4] = [
    "BlockPublicAcls",
    "BlockPublicPolicy",
    "IgnorePublicAcls",
    "RestrictPublicBuckets",
];
const PUBLIC_ACLS: [&str; 3] = ["PublicRead", "PublicReadWrite", "AuthenticatedRead"];

fn bucket(resource: &Resource<'_>) -> Option<String> {
    if !resource.is("AWS::S3::Bucket") {
        return None;
    }
    if let Some(acl) = resource
        .setting("AccessControl")
        .text()
        .filter(|acl| PUBLIC_ACLS.contains(acl))
    {
        return Some(format!("its `AccessControl` is `{acl}`"));
    }
    let blocks = resource.setting("PublicAccessBlockConfiguration");
    let open: Vec<_> = BLOCKS.into_iter().filter(|block| blocks.at(block).is_off()).collect();
    (!open.is_empty()).then(|| format!("it turns off {}", open.join(", ")))
}

fn resource_policy(resource: &Resource<'_>) -> Option<String> {
    if resource.is("AWS::Lambda::Permission") {
        // What a function's URL lets in is the matter of another rule.
        let narrowed = [
            "SourceArn",
            "SourceAccount",
            "PrincipalOrgID",
            "FunctionUrlAuthType",
            "InvokedViaFunctionUrl",
        ];
        let is_open = resource.setting("Principal").text() == Some("*")
            && narrowed.iter().all(|name| resource.setting(name).is_absent());
        return is_open.then(|| "everybody may invoke the function".to_owned());
    }
    let property = match resource.type_name() {
        "AWS::S3::BucketPolicy" | "AWS::SQS::QueuePolicy" | "AWS::SNS::TopicPolicy" => "PolicyDocument",
        "AWS::SecretsManager::ResourcePolicy" | "AWS::DynamoDB::ResourcePolicy" => "ResourcePolicy",
        "AWS::KMS::Key" => "KeyPolicy",
        "AWS::ECR::Repository" => "RepositoryPolicyText",
        "AWS::OpenSearchService::Domain" => "AccessPolicies",
        _ => return None,
    };
    let open = Document::new(resource.setting(property))
        .allowing()
        .find(|statement| statement.is_for_anyone() && !statement.is_conditional())?;
    Some(format!("everybody is allowed {}", open.actions().join(", ")))
}

fn function_url(resource: &Resource<'_>) -> Option<String> {
    (resource.is("AWS::Lambda::Url") && resource.setting("AuthType").text() == Some("NONE"))
        .then(|| "everybody may call it".to_owned())
}

fn api_method(resource: &Resource<'_>) -> Option<String> {
    let is_open = |name: &str| {
        let kind = resource.setting(name);
        kind.is_absent() || kind.text() == Some("NONE")
    };
    let open = match resource.type_name() {
        // Browsers ask OPTIONS before they send what authenticates.
        "AWS::ApiGateway::Method" => {
            resource.setting("HttpMethod").text() != Some("OPTIONS")
                && is_open("AuthorizationType")
                && resource.setting("ApiKeyRequired").is_off_or_absent()
        }
        // Of a WebSocket's routes only the one that connects can authenticate.
        "AWS::ApiGatewayV2::Route" => {
            let key = resource.setting("RouteKey").text().unwrap_or_default();
            (key.contains(' ') && !key.starts_with("OPTIONS ") || key == "$connect") && is_open("AuthorizationType")
        }
        _ => false,
    };
    open.then(|| "everybody may call it".to_owned())
}

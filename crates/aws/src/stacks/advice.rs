//! What to do about the failures that everybody meets sooner or later.
//!
//! CloudFormation has no codes for them, only the services' words, so the words are what is looked for. Each sentence
//! here was seen in AWS's documentation ("Troubleshooting CloudFormation") or in its services' errors; what is not
//! recognized gets no advice rather than a wrong one.

use super::StackEvent;

/// One sentence or two for the event, from the status and the reason that CloudFormation gives.
pub fn advice(event: &StackEvent) -> Option<String> {
    let reason = event.reason.as_deref().unwrap_or_default();
    let lower = reason.to_ascii_lowercase();
    let has = |words: &[&str]| words.iter().any(|word| lower.contains(word));
    let logical_id = event.logical_id.as_str();
    if let Some((export, importers)) = export_in_use(reason) {
        return Some(format!(
            "{importers} imports {export}: deploy what imports it without the import first, then this stack again. Where \
             only the value changes, export it under a new name beside the old one, and move the importers over"
        ));
    }
    if has(&["no export named"]) {
        return Some("deploy the stack that exports it first, or correct the export's name".to_owned());
    }
    if let Some(action) = denied_action(reason) {
        return Some(format!(
            "allow {action} to the role that CloudFormation works as (its policies, the permissions boundary, the \
             organization's policies), then deploy again"
        ));
    }
    if has(&[
        "cannot be assumed",
        "not authorized to perform: sts:assumerole",
        "role defined for the function",
    ]) {
        return Some(
            "check the role's trust policy: it must name the service or account that assumes it. A role that was made \
             only now may need some seconds; then deploying again is enough"
                .to_owned(),
        );
    }
    if has(&[
        "not authorized",
        "access denied",
        "accessdenied",
        "unauthorizedoperation",
    ]) {
        return Some("give the role that CloudFormation works as the permission for this resource".to_owned());
    }
    if has(&[
        "rate exceeded",
        "throttl",
        "toomanyrequests",
        "too many requests",
        "requestlimitexceeded",
    ]) {
        return Some(
            "AWS refused more calls for now: deploy again, with a lower --concurrency if it happens often".to_owned(),
        );
    }
    if has(&[
        "already exists",
        "alreadyexists",
        "already in use",
        "bucket name is not available",
    ]) {
        return Some(format!(
            "something outside of this stack has that name: leave the name of {logical_id} out so that CloudFormation \
             makes one, delete the other one, or import it into the stack"
        ));
    }
    if event.status == "DELETE_FAILED"
        && has(&[
            "network interface",
            "dependent object",
            "dependencyviolation",
            "has dependencies",
        ])
    {
        return Some(
            "network interfaces are still in there. Those of Lambda functions go by themselves within 40 minutes after \
             the function: deploy or destroy again then; others have to be deleted first"
                .to_owned(),
        );
    }
    if has(&["dependent object", "dependencyviolation"]) {
        return Some(format!("something still uses {logical_id}: remove that first"));
    }
    if has(&["bucket you tried to delete is not empty", "bucketnotempty"]) {
        return Some("empty the bucket (all versions), or give it a removal policy that retains it".to_owned());
    }
    if has(&[
        "limit exceeded",
        "limitexceeded",
        "quota",
        "maximum number of",
        "limit for",
        "insufficient",
    ]) {
        return Some(
            "a limit of the account is reached: remove what is not needed, or ask for more in Service Quotas (`aws \
             service-quotas list-service-quotas --service-code …`)"
                .to_owned(),
        );
    }
    if has(&["exceeded attempts to wait", "did not stabilize", "timed out", "timeout"]) {
        return Some(format!(
            "{logical_id} was made but did not become ready in time: look at its own logs and health checks"
        ));
    }
    if has(&["replaced", "replacement"]) && has(&["custom-named", "custom named"]) {
        return Some(format!(
            "{logical_id} has a name of its own, so the new one cannot stand beside the old one: rename it"
        ));
    }
    None
}

/// `Export NAME cannot be deleted as it is in use by STACKS`.
fn export_in_use(reason: &str) -> Option<(&str, &str)> {
    let (before, importers) = reason.split_once(" as it is in use by ")?;
    let name = before.split("Export ").nth(1)?.split(" cannot be ").next()?;
    Some((name, importers.trim_end_matches('.')))
}

/// `… is not authorized to perform: iam:CreateRole on resource: …`
fn denied_action(reason: &str) -> Option<&str> {
    let (_, rest) = reason.split_once("not authorized to perform: ")?;
    let action = rest
        .split(|character: char| !(character.is_ascii_alphanumeric() || matches!(character, ':' | '-' | '_' | '*')))
        .next()?;
    (action.contains(':') && action != "sts:AssumeRole").then_some(action)
}

#[cfg(test)]
mod tests {
    use super::*;
    use jiff::Timestamp;

    fn event(status: &str, reason: &str) -> StackEvent {
        StackEvent {
            stack: "S".to_owned(),
            at: Timestamp::UNIX_EPOCH,
            logical_id: "Bucket83908E77".to_owned(),
            physical_id: None,
            resource_type: "AWS::Test::Thing".to_owned(),
            status: status.to_owned(),
            reason: Some(reason.to_owned()),
            id: "1".to_owned(),
            of_the_stack_itself: false,
        }
    }

    /// The services' own words, and a word of the advice.
    #[test]
    fn what_everybody_meets_is_recognized() {
        let cases = [
            (
                "CREATE_FAILED",
                "logs already exists in stack arn:aws:…",
                "leave the name of Bucket83908E77 out",
            ),
            (
                "CREATE_FAILED",
                "Resource handler returned message: \"Resource of type 'AWS::SNS::Topic' with identifier 'a' already \
                 exists.\" (HandlerErrorCode: AlreadyExists)",
                "import it",
            ),
            (
                "CREATE_FAILED",
                "API: iam:CreateRole User: arn:aws:sts::1:assumed-role/deploy is not authorized to perform: \
                 iam:CreateRole on resource: arn:aws:iam::1:role/x",
                "allow iam:CreateRole to the role",
            ),
            (
                "CREATE_FAILED",
                "The maximum number of addresses has been reached. (Service: Ec2, Status Code: 400)",
                "Service Quotas",
            ),
            (
                "CREATE_FAILED",
                "Limit exceeded for resource of type 'AWS::EC2::VPC'",
                "Service Quotas",
            ),
            (
                "UPDATE_FAILED",
                "Export Base:Vpc cannot be deleted as it is in use by Service and Jobs",
                "Service and Jobs imports Base:Vpc",
            ),
            (
                "CREATE_FAILED",
                "No export named Base:Vpc found",
                "that exports it first",
            ),
            (
                "CREATE_FAILED",
                "The role defined for the function cannot be assumed by Lambda. (Service: Lambda)",
                "trust policy",
            ),
            (
                "CREATE_FAILED",
                "Rate exceeded (Service: ApiGateway, Status Code: 429)",
                "--concurrency",
            ),
            (
                "DELETE_FAILED",
                "resource sg-1 has a dependent object (Service: AmazonEC2; Error Code: DependencyViolation)",
                "40 minutes",
            ),
            (
                "DELETE_FAILED",
                "The bucket you tried to delete is not empty",
                "empty the bucket",
            ),
            (
                "UPDATE_FAILED",
                "CloudFormation cannot update a stack when a custom-named resource requires replacing. Rename and \
                 update the stack again. The resource would be replaced",
                "rename it",
            ),
            ("CREATE_FAILED", "Exceeded attempts to wait", "did not become ready"),
        ];
        for (status, reason, expected) in cases {
            let said = advice(&event(status, reason)).unwrap_or_default();
            assert!(said.contains(expected), "{reason}: {said}");
        }
        assert_eq!(
            advice(&event("CREATE_FAILED", "Properties validation failed: #/Delay")),
            None
        );
    }
}

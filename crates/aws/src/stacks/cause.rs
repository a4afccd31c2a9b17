//! Which of many failures was the first: the others are cancellations and consequences.
//!
//! A nested stack's failure says no more than that it failed, so its own events are read, as deep as stacks are nested.

use futures::FutureExt as _;
use futures::future::BoxFuture;

use super::StackEvent;
use crate::connection::Aws;

/// Deeper nesting than anybody has; it bounds the calls.
const DEPTH_LIMIT: usize = 8;

/// One resource's own failure.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Cause {
    pub event: StackEvent,
    /// Logical ids of the nested stacks on the way to it, the outermost first; none where the stack itself holds it.
    pub within: Vec<String>,
}

/// Why a change of a stack did not succeed.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Failures {
    /// `None` where no event says why.
    pub first: Option<Cause>,
    /// The other failures, in their order; without cancellations.
    pub further: Vec<Cause>,
}

impl Aws {
    /// Sorts the failures of a change out. What cannot be read of a nested stack is left out: the failure that brought
    /// us here is worth more than the one of reading about it.
    pub(super) async fn first_cause(&self, failures: Vec<StackEvent>) -> Failures {
        sorted(self.causes(failures, Vec::new()).await)
    }

    fn causes(&self, failures: Vec<StackEvent>, within: Vec<String>) -> BoxFuture<'_, Vec<Cause>> {
        async move {
            let mut causes = Vec::new();
            for event in failures {
                let nested = event.physical_id.clone().filter(|id| {
                    event.resource_type == "AWS::CloudFormation::Stack"
                        && id.starts_with("arn:")
                        && within.len() < DEPTH_LIMIT
                });
                let inner = match nested {
                    Some(id) => {
                        let mut path = within.clone();
                        path.push(event.logical_id.clone());
                        match self.failures_of(&id).await {
                            Ok(events) => self.causes(events, path).await,
                            Err(failure) => {
                                tracing::info!(%failure, "the nested stack's events cannot be read");
                                Vec::new()
                            }
                        }
                    }
                    None => Vec::new(),
                };
                if inner.is_empty() {
                    let within = within.clone();
                    causes.push(Cause { event, within });
                } else {
                    causes.extend(inner);
                }
            }
            causes
        }
        .boxed()
    }
}

/// By time; of two at the same time the one that was told first.
fn sorted(mut causes: Vec<Cause>) -> Failures {
    causes.sort_by_key(|cause| cause.event.at);
    let mut causes = causes.into_iter();
    Failures {
        first: causes.next(),
        further: causes.collect(),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::stacks::events::is_failure;
    use crate::testing::{Stub, connected};
    use jiff::Timestamp;

    const NESTED: &str = "arn:aws:cloudformation:eu-west-1:123456789012:stack/Shop-Data-1/2";

    fn event(logical_id: &str, resource_type: &str, physical_id: Option<&str>, second: i64) -> StackEvent {
        StackEvent {
            stack: "Shop".to_owned(),
            at: Timestamp::new(second, 0).unwrap(),
            logical_id: logical_id.to_owned(),
            physical_id: physical_id.map(str::to_owned),
            resource_type: resource_type.to_owned(),
            status: "CREATE_FAILED".to_owned(),
            reason: Some("it failed".to_owned()),
            id: format!("{logical_id}-{second}"),
            of_the_stack_itself: false,
        }
    }

    fn member(id: u32, logical_id: &str, physical_id: &str, status: &str, reason: &str) -> String {
        format!(
            "<member><EventId>{id}</EventId><StackId>{NESTED}</StackId><StackName>Shop-Data-1</StackName>\
             <LogicalResourceId>{logical_id}</LogicalResourceId><PhysicalResourceId>{physical_id}</PhysicalResourceId>\
             <ResourceType>AWS::RDS::DBInstance</ResourceType><Timestamp>1970-01-01T00:00:{id:02}Z</Timestamp>\
             <ResourceStatus>{status}</ResourceStatus><ResourceStatusReason>{reason}</ResourceStatusReason></member>"
        )
    }

    #[tokio::test]
    async fn the_cause_inside_a_nested_stack_is_found_and_put_in_order() {
        let stub = Stub::start_connected(|request| {
            assert!(request.contains("Action=DescribeStackEvents"), "{request}");
            let events = [
                member(9, "Shop-Data-1", NESTED, "ROLLBACK_COMPLETE", ""),
                member(5, "Replica", "", "CREATE_FAILED", "Resource creation cancelled"),
                member(4, "Database", "", "CREATE_FAILED", "the engine version is gone"),
                member(1, "Shop-Data-1", NESTED, "CREATE_IN_PROGRESS", "User Initiated"),
                member(0, "Old", "", "CREATE_FAILED", "of an earlier change"),
            ];
            Stub::answer(
                200,
                &format!(
                    "<DescribeStackEventsResponse><DescribeStackEventsResult><StackEvents>{}</StackEvents>\
                     </DescribeStackEventsResult></DescribeStackEventsResponse>",
                    events.concat()
                ),
            )
        })
        .await;
        let aws = connected(&stub).await;
        let failures = aws
            .first_cause(vec![
                event("Queue", "AWS::SQS::Queue", None, 7),
                event("Data", "AWS::CloudFormation::Stack", Some(NESTED), 8),
            ])
            .await;
        let first = failures.first.unwrap();
        assert_eq!(
            (first.event.logical_id.as_str(), first.within.as_slice()),
            ("Database", ["Data".to_owned()].as_slice())
        );
        assert!(is_failure(&first.event));
        let further: Vec<&str> = failures
            .further
            .iter()
            .map(|cause| cause.event.logical_id.as_str())
            .collect();
        assert_eq!(further, ["Queue"]);
    }
}

//! The adapters against the embedded cloud, over the wire: what a deploy and a rollout do, in their order.

#![allow(clippy::unwrap_used, reason = "what a test prepares fails by panicking")]

#[path = "embedded/live_alias.rs"]
mod live_alias;
mod scenario;

use std::sync::Arc;
use std::time::Duration;

use async_trait::async_trait;
use aws::stacks::{Approval, Approved, Deployment, Planned, Proposal, Replacement, StackError, into_outcomes};
use aws::{Aws, HttpSmoke, Settings, SmokeCheck, StackInfrastructure, connect};
use jiff::{SignedDuration, Timestamp};
use localcloud::cloud::{LocalCloud, Options, Running};
use object_store::path::Path;
use object_store::{ObjectStoreExt as _, PutMode, PutOptions, UpdateVersion};
use orchestrator::domain::{ApiTarget, FunctionName, Slot, StageTarget, Weight};
use orchestrator::ports::{
    AlarmName, AlarmState, Infrastructure as _, MetricQuery, MetricSource, Metrics as _, PortErrorKind, Probe, Removal,
    Slots, Smoke as _, SmokeTarget, Statistic, Traffic,
};
use scenario::{Assembly, FUNCTION, STACK, Story, deploy};
use serde_json::json;

struct Cloud {
    running: Running,
    _folder: tempfile::TempDir,
    aws: Aws,
}

impl Cloud {
    async fn start() -> Self {
        let folder = tempfile::tempdir().unwrap();
        let options = Options {
            folder: folder.path().to_owned(),
            port: 0,
            region: "eu-west-1".to_owned(),
            database_url: None,
        };
        let running = LocalCloud::start(options).await.unwrap();
        let settings = Settings {
            region: Some("eu-west-1".to_owned()),
            endpoint_url: Some(running.endpoint.clone()),
            ..Settings::default()
        };
        let aws = connect(settings).await.unwrap();
        Self {
            running,
            _folder: folder,
            aws,
        }
    }

    /// With the application deployed, and what a rollout would move.
    async fn with_application(text: &str) -> (Self, Assembly, ApiTarget) {
        let cloud = Self::start().await;
        let assembly = Assembly::new(text);
        cloud.aws.publish_assets(&assembly.manifest(), &|_| {}).await.unwrap();
        deploy(&cloud.aws, &assembly.input()).await.0.unwrap();
        let target = cloud.aws.rollout_target(&[STACK.to_owned()]).await.unwrap();
        let [api] = <[ApiTarget; 1]>::try_from(target.apis).unwrap();
        assert_eq!(target.functions, [FunctionName::new(FUNCTION)]);
        (cloud, assembly, api)
    }

    async fn stop(self) {
        self.running.stop().await;
    }
}

fn function() -> FunctionName {
    FunctionName::new(FUNCTION)
}

fn percent(percent: f64) -> Weight {
    Weight::from_percent(percent).unwrap()
}

/// What one request to `path` of a stage is answered with, judged by a smoke check as the user would.
async fn answers(url: &str, path: &str, body: &str) -> bool {
    let check = SmokeCheck {
        name: format!("GET {path}"),
        method: "GET".to_owned(),
        path: path.to_owned(),
        headers: Default::default(),
        body: None,
        expected_status: 200,
        body_contains: Some(body.to_owned()),
        timeout: Duration::from_mins(10),
    };
    let target = SmokeTarget {
        rest_api_id: "any".into(),
        base_url: url.to_owned(),
        slot: Slot::Blue,
    };
    HttpSmoke::new(vec![check]).run(&target).await.unwrap().remove(0).passed
}

/// The connection ends in the middle of the object, as when somebody pulls the plug.
#[tokio::test(flavor = "multi_thread")]
async fn an_upload_that_breaks_leaves_nothing_that_counts_as_there() {
    use std::io::Write as _;

    let cloud = Cloud::start().await;
    let assembly = Assembly::new("one");
    let manifest = assembly.manifest();
    let location = manifest.first_location(&cloud.aws).unwrap();
    let address = cloud.running.endpoint.trim_start_matches("http://").to_owned();
    let mut broken = std::net::TcpStream::connect(&address).unwrap();
    write!(
        broken,
        "PUT /{}/{} HTTP/1.1\r\nHost: {address}\r\nAuthorization: AWS4-HMAC-SHA256 \
         Credential=x/20260101/eu-west-1/s3/aws4_request, SignedHeaders=host, Signature=0\r\nContent-Length: 1000\r\n\r\nhalf",
        location.bucket, location.key
    )
    .unwrap();
    drop(broken);
    let published = cloud.aws.publish_assets(&manifest, &|_| {}).await.unwrap();
    assert_eq!((published.uploaded, published.already_there), (1, 0));
}

#[tokio::test(flavor = "multi_thread")]
async fn a_stack_is_created_left_alone_changed_and_removed() {
    let cloud = Cloud::start().await;
    let aws = &cloud.aws;
    let mut assembly = Assembly::new("one");
    assembly.tags.insert("team".to_owned(), "platform".to_owned());

    let published = aws.publish_assets(&assembly.manifest(), &|_| {}).await.unwrap();
    assert_eq!((published.uploaded, published.already_there), (1, 0));
    let again = aws.publish_assets(&assembly.manifest(), &|_| {}).await.unwrap();
    assert_eq!((again.uploaded, again.already_there), (0, 1));

    let (outcome, story) = deploy(aws, &assembly.input()).await;
    let outcome = outcome.unwrap();
    assert!(outcome.changed);
    assert_eq!(outcome.description.status, "CREATE_COMPLETE");
    assert_eq!(outcome.description.outputs["Function"], FUNCTION);
    assert_eq!(outcome.description.exports["Shop:Function"], FUNCTION);
    assert_eq!(outcome.description.tags["team"], "platform");
    let events = story.events();
    assert_eq!(events.last().unwrap(), "Shop CREATE_COMPLETE");
    let mut once = events.clone();
    once.sort();
    once.dedup_by(|one, other| one == other && one.ends_with("COMPLETE"));
    assert_eq!(once.len(), events.len(), "no end is told twice: {events:?}");
    for logical_id in ["Prices", "Api", "Live", "Green"] {
        assert!(
            events.contains(&format!("{logical_id} CREATE_COMPLETE")),
            "{logical_id} in {events:?}"
        );
    }

    assert!(matches!(
        aws.plan_stack(&assembly.input()).await.unwrap(),
        Planned::Unchanged(_)
    ));

    assembly.write_code("two");
    aws.publish_assets(&assembly.manifest(), &|_| {}).await.unwrap();
    let Planned::Changes(change_set) = aws.plan_stack(&assembly.input()).await.unwrap() else {
        panic!("new code is a change")
    };
    let change = change_set
        .changes
        .iter()
        .find(|change| change.logical_id == "Prices")
        .unwrap();
    assert_eq!(
        (change.action.as_str(), change.replacement),
        ("Modify", Replacement::Never)
    );
    assert_eq!(change.resource_type, "AWS::Lambda::Function");
    assert!(
        change.details.iter().any(|detail| detail.name == "Code"),
        "{:?}",
        change.details
    );
    aws.discard_change_set(&change_set).await.unwrap();
    assert!(
        !deployed_text(aws).await.contains("two"),
        "a discarded change set changes nothing"
    );

    let (outcome, story) = deploy(aws, &assembly.input()).await;
    assert_eq!(outcome.unwrap().description.status, "UPDATE_COMPLETE");
    assert_eq!(
        story.events().first().unwrap(),
        "Shop UPDATE_IN_PROGRESS",
        "nothing of the creation is told again"
    );

    aws.destroy_stack(STACK, &|_| {}).await.unwrap();
    assert_eq!(aws.describe_stack(STACK).await.unwrap(), None);
    aws.destroy_stack(STACK, &|_| {}).await.unwrap();
    cloud.stop().await;
}

async fn deployed_text(aws: &Aws) -> String {
    aws.stack_template(STACK).await.unwrap().unwrap()
}

#[tokio::test(flavor = "multi_thread")]
async fn the_first_failure_is_the_cause_and_a_broken_creation_can_be_done_again() {
    let cloud = Cloud::start().await;
    let assembly = Assembly::new("one");
    // The code is never published.
    cloud
        .aws
        .publish_assets(&Assembly::new("other").manifest(), &|_| {})
        .await
        .unwrap();
    let (outcome, _) = deploy(&cloud.aws, &assembly.input()).await;
    match outcome.unwrap_err() {
        StackError::Failed { status, failures, .. } => {
            assert_eq!(status, "ROLLBACK_COMPLETE");
            let cause = failures.first.unwrap().event;
            assert_eq!(cause.logical_id, "Prices");
            assert!(cause.reason.is_some());
        }
        other => panic!("{other}"),
    }
    // What is left of it is cleared away by the next deploy.
    cloud.aws.publish_assets(&assembly.manifest(), &|_| {}).await.unwrap();
    let again = deploy(&cloud.aws, &assembly.input()).await.0.unwrap();
    assert_eq!(again.description.status, "CREATE_COMPLETE");
    cloud.stop().await;
}

struct Refuses;

#[async_trait]
impl Approval for Refuses {
    async fn approve(&self, proposal: &Proposal<'_>) -> bool {
        assert!(proposal.change_set.changes.iter().all(|change| change.action == "Add"));
        false
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn what_is_not_approved_leaves_nothing_behind() {
    let cloud = Cloud::start().await;
    let assembly = Assembly::new("one");
    let refused = cloud
        .aws
        .deploy_stack(&assembly.input(), &Deployment::new(&Refuses, &|_| {}))
        .await
        .unwrap_err();
    assert!(matches!(refused, StackError::NotApproved { .. }), "{refused}");
    assert_eq!(cloud.aws.describe_stack(STACK).await.unwrap(), None);
    cloud.stop().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn infrastructure_reports_what_stands() {
    let cloud = Cloud::start().await;
    let assembly = Assembly::new("one");
    let infrastructure = StackInfrastructure::new(
        cloud.aws.clone(),
        vec![assembly.input()],
        vec![assembly.manifest()],
        Arc::new(Approved),
    );
    infrastructure.check_ready().await.unwrap();
    assert_eq!(infrastructure.observe().await.unwrap(), None);
    let first = infrastructure.deploy(&|_| {}).await.unwrap();
    assert!(first.changed);
    assert_eq!(first.target.functions, [function()]);
    let second = infrastructure.deploy(&|_| {}).await.unwrap();
    assert!(!second.changed);
    assert_eq!(second.template_digest, first.template_digest);
    let seen = infrastructure.observe().await.unwrap().unwrap();
    assert_eq!(seen.target, first.target);
    cloud.stop().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_release_goes_to_the_idle_slot_and_then_live() {
    let (cloud, mut assembly, api) = Cloud::with_application("one").await;
    let aws = &cloud.aws;
    assert!(answers(&api.live_url, "/x", "one").await);

    assembly.write_code("two");
    aws.publish_assets(&assembly.manifest(), &|_| {}).await.unwrap();
    deploy(aws, &assembly.input()).await.0.unwrap();
    assert!(
        answers(&api.live_url, "/x", "one").await,
        "a plain deploy leaves the live slot alone"
    );

    // Versions: what did not change is not published again.
    let released = Slots::publish(aws, &function(), "release 1").await.unwrap();
    assert_eq!(Slots::publish(aws, &function(), "again").await.unwrap(), released);
    assert_eq!(
        aws.observe_version(&function(), &released.version).await.unwrap(),
        released
    );

    // Aliases move only from the revision that was seen.
    let seen = aws.observe_alias(&function(), Slot::Green).await.unwrap();
    assert_ne!(seen.version, released.version);
    let moved = aws
        .point_alias(&function(), Slot::Green, &released.version, &seen.revision)
        .await
        .unwrap();
    assert_eq!(moved.version, released.version);
    assert_ne!(moved.revision, seen.revision);
    let stale = aws
        .point_alias(&function(), Slot::Green, &seen.version, &seen.revision)
        .await
        .unwrap_err();
    assert_eq!(stale.kind, PortErrorKind::Conflict, "{stale}");
    assert_eq!(aws.observe_alias(&function(), Slot::Green).await.unwrap(), moved);

    // The preview stage reaches it.
    let deployment_id = aws.deploy_api(&api, "token-1").await.unwrap();
    assert_eq!(
        aws.deploy_api(&api, "token-1").await.unwrap(),
        deployment_id,
        "the token finds it again"
    );
    let green = StageTarget {
        deployment_id: deployment_id.clone(),
        slot: Slot::Green,
    };
    aws.point_preview(&api, &green).await.unwrap();
    assert_eq!(
        aws.observe_preview(&api, Slot::Green).await.unwrap().settled(),
        Some(green.clone())
    );
    assert!(answers(api.preview_urls.get(Slot::Green), "/x", "two").await);
    assert!(answers(api.preview_urls.get(Slot::Blue), "/x", "one").await);
    assert!(answers(&api.live_url, "/x", "one").await);

    // What a rollout made can be deleted once nothing is at it; what the stack made never.
    let in_use = aws.delete_version(&function(), &released.version).await.unwrap_err();
    assert_eq!(in_use.kind, PortErrorKind::Conflict, "{in_use}");
    let in_use = aws.delete_deployment(&api, &deployment_id).await.unwrap_err();
    assert_eq!(in_use.kind, PortErrorKind::Conflict, "{in_use}");
    let stacks_own = Traffic::observe(aws, &api).await.unwrap().deployment_id;
    assert_eq!(
        aws.delete_version(&function(), &seen.version).await.unwrap(),
        Removal::NotOurs
    );
    assert_eq!(
        aws.delete_deployment(&api, &stacks_own).await.unwrap(),
        Removal::NotOurs
    );
    let loose = aws.deploy_api(&api, "token-2").await.unwrap();
    for _ in 0..2 {
        assert_eq!(aws.delete_deployment(&api, &loose).await.unwrap(), Removal::Gone);
    }

    let invoked = aws.invoke(&function(), Slot::Green).await.unwrap();
    assert_eq!(
        (invoked.executed_version, invoked.failure),
        (Some(released.version), None)
    );

    // Promotion needs the canary; a rollback does not.
    let before = Traffic::observe(aws, &api).await.unwrap();
    let blue = before.settled().unwrap();
    assert_eq!(blue.slot, Slot::Blue);
    let early = aws.promote(&api, &green).await.unwrap_err();
    assert_eq!(early.kind, PortErrorKind::Conflict, "{early}");
    aws.set_canary(&api, percent(100.0), &deployment_id, Slot::Green)
        .await
        .unwrap();
    let canary = Traffic::observe(aws, &api).await.unwrap();
    assert_eq!(canary.slot, Some(Slot::Blue));
    let settings = canary.canary.clone().unwrap();
    assert_eq!((settings.weight, settings.slot), (Weight::FULL, Some(Slot::Green)));
    assert_eq!(settings.deployment_id, deployment_id);
    assert_eq!(aws.probe(&api, &canary).await.unwrap(), Probe::InForce);
    assert!(matches!(aws.probe(&api, &before).await.unwrap(), Probe::NotYet { seen } if seen.contains("100 %")));
    assert!(
        answers(&api.live_url, "/x", "two").await,
        "the whole traffic goes to the canary"
    );
    aws.set_canary(&api, Weight::ZERO, &deployment_id, Slot::Green)
        .await
        .unwrap();
    assert!(
        answers(&api.live_url, "/x", "one").await,
        "a weight of zero sends nobody"
    );

    aws.promote(&api, &green).await.unwrap();
    let promoted = Traffic::observe(aws, &api).await.unwrap();
    assert_eq!(promoted.settled(), Some(green.clone()));
    assert!(answers(&api.live_url, "/x", "two").await);

    // Back in one switch, with and without canary settings in the way.
    aws.set_canary(&api, percent(10.0), &blue.deployment_id, Slot::Blue)
        .await
        .unwrap();
    aws.switch(&api, &blue).await.unwrap();
    assert_eq!(Traffic::observe(aws, &api).await.unwrap().settled(), Some(blue.clone()));
    assert!(answers(&api.live_url, "/x", "one").await);
    aws.switch(&api, &green).await.unwrap();
    assert_eq!(Traffic::observe(aws, &api).await.unwrap().settled(), Some(green));

    aws.set_canary(&api, percent(12.5), &blue.deployment_id, Slot::Blue)
        .await
        .unwrap();
    aws.clear_canary(&api).await.unwrap();
    aws.clear_canary(&api).await.unwrap();
    assert_eq!(Traffic::observe(aws, &api).await.unwrap().canary, None);
    cloud.stop().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn metrics_tell_the_slots_apart() {
    let (cloud, _assembly, api) = Cloud::with_application("one").await;
    let aws = &cloud.aws;
    let begun = Timestamp::now();
    for _ in 0..3 {
        assert!(answers(&api.live_url, "/x", "one").await);
    }
    assert!(!answers(api.preview_urls.get(Slot::Green), "/fail", "one").await);
    let query = |id: &str, source| MetricQuery {
        id: id.to_owned(),
        source,
        statistic: Statistic::Sum,
        period: SignedDuration::from_secs(60),
    };
    let (blue, green) = (Slot::Blue, Slot::Green);
    let queries = [
        query(
            "calls of blue",
            MetricSource::FunctionInvocations {
                function: function(),
                slot: blue,
            },
        ),
        query(
            "errors of blue",
            MetricSource::FunctionErrors {
                function: function(),
                slot: blue,
            },
        ),
        query(
            "errors of green",
            MetricSource::FunctionErrors {
                function: function(),
                slot: green,
            },
        ),
        query(
            "requests",
            MetricSource::ApiRequests {
                api_name: api.name.clone(),
                stage: api.live_stage.clone(),
            },
        ),
        query(
            "of nobody",
            MetricSource::FunctionInvocations {
                function: FunctionName::new("nobody"),
                slot: blue,
            },
        ),
    ];
    // The first look of a bake: nothing has happened yet, and that is no error.
    let nothing = aws.query(&queries, begun, begun).await.unwrap();
    assert!(nothing.iter().all(|series| series.datapoints.is_empty()));
    assert_eq!(nothing.len(), queries.len());
    // Data may come late; a bound, not a sleep, decides.
    let minute = SignedDuration::from_secs(60);
    let mut sums = Vec::new();
    for _ in 0..100 {
        let series = aws.query(&queries, begun - minute, begun + minute * 5).await.unwrap();
        sums = series
            .iter()
            .map(|one| one.datapoints.iter().map(|point| point.value).sum::<f64>())
            .collect();
        if sums[..4]
            .iter()
            .zip([3.0, 0.0, 1.0, 3.0])
            .all(|(sum, wanted)| *sum == wanted)
        {
            assert_eq!(series[0].id, "calls of blue");
            assert!(series[4].datapoints.is_empty());
            break;
        }
        tokio::time::sleep(Duration::from_millis(100)).await;
    }
    assert_eq!(sums, [3.0, 0.0, 1.0, 3.0, 0.0]);
    cloud.stop().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn alarms_answer_in_the_order_of_their_names() {
    let cloud = Cloud::start().await;
    let aws = &cloud.aws;
    let alarm = |name: &str| {
        json!({
            "Type": "AWS::CloudWatch::Alarm",
            "Properties": {
                "AlarmName": name, "Namespace": "AWS/Lambda", "MetricName": "Errors", "Statistic": "Sum",
                "ComparisonOperator": "GreaterThanThreshold", "Threshold": 5, "Period": 60, "EvaluationPeriods": 1,
            },
        })
    };
    let mut input = Assembly::new("one").input();
    input.template = json!({ "Resources": { "A": alarm("first"), "B": alarm("second") } }).to_string();
    deploy(aws, &input).await.0.unwrap();
    let names = ["second", "first"].map(|name| AlarmName(name.to_owned()));
    let seen = aws.alarms(&names).await.unwrap();
    assert_eq!(
        seen.iter().map(|one| &one.name).collect::<Vec<_>>(),
        names.iter().collect::<Vec<_>>()
    );
    assert!(seen.iter().all(|one| one.state != AlarmState::Alarm), "{seen:?}");
    let unknown = ["first", "nobody"].map(|name| AlarmName(name.to_owned()));
    let missing = aws.alarms(&unknown).await.unwrap_err();
    assert_eq!(missing.kind, PortErrorKind::NotFound);
    assert!(
        missing.to_string().contains("nobody") && !missing.to_string().contains("first"),
        "{missing}"
    );
    cloud.stop().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn the_ledger_creates_once_and_swaps_only_what_it_saw() {
    let cloud = Cloud::start().await;
    let mut input = Assembly::new("one").input();
    input.template =
        json!({ "Resources": { "B": { "Type": "AWS::S3::Bucket", "Properties": { "BucketName": "ledger-bucket" } } } })
            .to_string();
    deploy(&cloud.aws, &input).await.0.unwrap();
    let store = cloud.aws.ledger("s3://ledger-bucket/prod/").unwrap();
    let path = Path::from("lock.json");
    let create = || PutOptions {
        mode: PutMode::Create,
        ..PutOptions::default()
    };
    let first = store.put_opts(&path, "one".into(), create()).await.unwrap();
    let second = store.put_opts(&path, "two".into(), create()).await.unwrap_err();
    assert!(matches!(second, object_store::Error::AlreadyExists { .. }), "{second}");
    let swap = |tag: Option<String>| PutOptions {
        mode: PutMode::Update(UpdateVersion {
            e_tag: tag,
            version: None,
        }),
        ..PutOptions::default()
    };
    store
        .put_opts(&path, "three".into(), swap(first.e_tag.clone()))
        .await
        .unwrap();
    let stale = store
        .put_opts(&path, "four".into(), swap(first.e_tag))
        .await
        .unwrap_err();
    assert!(matches!(stale, object_store::Error::Precondition { .. }), "{stale}");
    assert_eq!(&store.get(&path).await.unwrap().bytes().await.unwrap()[..], b"three");
    let listed = store.list_with_delimiter(None).await.unwrap();
    assert_eq!(listed.objects.len(), 1);
    assert_eq!(listed.objects[0].location, path);
    cloud.stop().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_secret_is_read_and_not_shown() {
    let cloud = Cloud::start().await;
    let mut input = Assembly::new("one").input();
    input.template = json!({ "Resources": { "S": {
        "Type": "AWS::SecretsManager::Secret",
        "Properties": { "Name": "database", "GenerateSecretString": {
            "SecretStringTemplate": "{\"username\":\"postgres\"}", "GenerateStringKey": "password",
        } },
    } } })
    .to_string();
    deploy(&cloud.aws, &input).await.0.unwrap();
    let secret = cloud.aws.secret("database").await.unwrap();
    assert_eq!(secret.field("username").unwrap().expose(), "postgres");
    let password = secret.field("password").unwrap();
    assert!(password.expose().len() >= 8);
    assert!(!format!("{secret:?}{password:?}").contains(password.expose()));
    cloud.stop().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_large_template_is_read_from_the_asset_bucket() {
    let cloud = Cloud::start().await;
    let aws = &cloud.aws;
    let mut assembly = Assembly::new("one");
    assembly.template = json!({
        "Description": "x".repeat(1000),
        "Metadata": { "Padding": "y".repeat(60_000) },
        "Resources": { "Topic": { "Type": "AWS::SNS::Topic" } },
    });
    assembly.write_template_as_asset();
    let mut input = assembly.input();
    assert!(input.template.len() > aws::stacks::TEMPLATE_BODY_LIMIT);
    let refused = aws.plan_stack(&input).await.unwrap_err();
    assert!(matches!(refused, StackError::TemplateTooLarge { .. }), "{refused}");

    let manifest = assembly.manifest();
    assert_eq!(aws.publish_assets(&manifest, &|_| {}).await.unwrap().uploaded, 2);
    input.template_location = manifest.template_location("Shop.template.json", aws);
    deploy(aws, &input).await.0.unwrap();
    assert!(matches!(aws.plan_stack(&input).await.unwrap(), Planned::Unchanged(_)));
    cloud.stop().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn stacks_stand_before_those_that_need_them() {
    let cloud = Cloud::start().await;
    let stack = |name: &str, depends_on: &[&str]| {
        let imports = depends_on
            .iter()
            .map(|other| json!({ "Fn::ImportValue": format!("{other}:Name") }));
        let parts: Vec<_> = std::iter::once(json!(name)).chain(imports).collect();
        let mut input = Assembly::new("one").input();
        input.name = name.to_owned();
        input.depends_on = depends_on.iter().map(|name| (*name).to_owned()).collect();
        input.template = json!({
            "Resources": { "Topic": {
                "Type": "AWS::SNS::Topic",
                "Properties": { "DisplayName": { "Fn::Join": ["-", parts] } },
            } },
            "Outputs": { "Name": {
                "Value": { "Fn::GetAtt": ["Topic", "TopicName"] },
                "Export": { "Name": format!("{name}:Name") },
            } },
        })
        .to_string();
        input
    };
    let inputs = [
        stack("Top", &["Left", "Right"]),
        stack("Left", &["Base"]),
        stack("Right", &["Base"]),
        stack("Base", &[]),
    ];
    let story = Story::default();
    let tell = |progress| story.tell(progress);
    let ends = cloud
        .aws
        .deploy_stacks(&inputs, &Deployment::new(&Approved, &tell))
        .await
        .unwrap();
    let outcomes = into_outcomes(ends).unwrap();
    assert_eq!(outcomes.len(), 4);
    assert!(outcomes.values().all(|outcome| outcome.changed));
    let again = cloud
        .aws
        .deploy_stacks(&inputs, &Deployment::new(&Approved, &|_| {}))
        .await
        .unwrap();
    assert!(into_outcomes(again).unwrap().values().all(|outcome| !outcome.changed));

    // What another stack imports cannot be taken away, and the error says so.
    let refused = cloud.aws.destroy_stack("Base", &|_| {}).await.unwrap_err();
    assert!(refused.to_string().contains("Base:Name"), "{refused}");
    cloud.stop().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_failed_update_is_rolled_back_and_can_be_mended() {
    let (cloud, mut assembly, api) = Cloud::with_application("one").await;
    let aws = &cloud.aws;
    // New code that nobody published.
    assembly.write_code("two");
    let (outcome, story) = deploy(aws, &assembly.input()).await;
    match outcome.unwrap_err() {
        StackError::Failed { status, failures, .. } => {
            assert_eq!(status, "UPDATE_ROLLBACK_COMPLETE");
            assert_eq!(failures.first.unwrap().event.logical_id, "Prices");
        }
        other => panic!("{other}"),
    }
    assert_eq!(story.events().last().unwrap(), "Shop UPDATE_ROLLBACK_COMPLETE");
    assert!(answers(&api.live_url, "/x", "one").await);
    aws.publish_assets(&assembly.manifest(), &|_| {}).await.unwrap();
    assert!(deploy(aws, &assembly.input()).await.0.unwrap().changed);
    cloud.stop().await;
}

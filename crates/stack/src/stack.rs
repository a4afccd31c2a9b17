//! Stacks: what CloudFormation deploys as one.

use std::panic::Location;
use std::path::{Path, PathBuf};

use cfn::{Expr, Map, Target, Value, pseudo};
use indexmap::IndexMap;
use serde_json::{Value as Json, json};

use crate::asset::{AssetOptions, fingerprint};
use crate::error::{Error, Source};
use crate::logical_id;
use crate::tree::{Construct, Kind, NodeId, Scope};

const MAX_NAME_LENGTH: usize = 128;
/// The account of whatever stack an expression ends up in: twelve digits where the stack says them, else
/// `AWS::AccountId`. For what is written before its stack is known, such as policies.
pub(crate) const OWN_ACCOUNT: Target = Target::Pseudo("Stack::AccountId");
const DEFAULT_QUALIFIER: &str = "hnb659fds";
const QUALIFIER_CONTEXT: &str = "@aws-cdk/core:bootstrapQualifier";

pub(crate) struct StackNode {
    pub(crate) name: String,
    pub(crate) artifact_id: String,
    pub(crate) account: Option<String>,
    pub(crate) region: Option<String>,
    pub(crate) description: Option<String>,
    pub(crate) termination_protection: bool,
    pub(crate) tags: IndexMap<String, String>,
    pub(crate) metadata: Map,
    pub(crate) transforms: Vec<String>,
    pub(crate) qualifier: String,
    pub(crate) bootstrap_rule: bool,
    /// By hash.
    pub(crate) assets: IndexMap<String, FileAsset>,
    /// Lookups that the context does not answer yet, for the tool to do: key, provider, properties.
    pub(crate) missing_context: Vec<(String, &'static str, Json)>,
}

impl StackNode {
    /// What [`OWN_ACCOUNT`] means in this stack.
    pub(crate) fn own_account(&self) -> Expr {
        let known = self.account.clone().map(Expr::text);
        known.unwrap_or_else(|| pseudo::account_id().into_expr())
    }

    /// `aws://ACCOUNT/REGION`, as the assembly names environments.
    pub(crate) fn environment(&self) -> String {
        let or = |value: &Option<String>, unknown: &str| value.clone().unwrap_or_else(|| unknown.to_owned());
        format!(
            "aws://{}/{}",
            or(&self.account, "unknown-account"),
            or(&self.region, "unknown-region")
        )
    }

    /// Replaces the placeholders of bootstrap names by what is known of account and region.
    pub(crate) fn specialize(&self, template: &str) -> String {
        let mut text = template.replace("${Qualifier}", &self.qualifier);
        if let Some(account) = &self.account {
            text = text.replace("${AWS::AccountId}", account);
        }
        if let Some(region) = &self.region {
            text = text.replace("${AWS::Region}", region);
        }
        text
    }

    pub(crate) fn asset_bucket(&self) -> String {
        self.specialize("cdk-${Qualifier}-assets-${AWS::AccountId}-${AWS::Region}")
    }
}

/// A file or directory that is published before the stack is deployed.
#[derive(Clone, Debug)]
pub(crate) struct FileAsset {
    pub(crate) source: PathBuf,
    pub(crate) packaging: Packaging,
    /// With its dot; empty for directories.
    pub(crate) extension: String,
    pub(crate) display_name: String,
    pub options: AssetOptions,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Packaging {
    Zip,
    File,
}

/// With its dot; archives have two of them.
fn extension(path: &Path) -> String {
    let name = path.file_name().unwrap_or_default().to_string_lossy();
    if name.to_lowercase().ends_with(".tar.gz") {
        return ".tar.gz".to_owned();
    }
    path.extension()
        .map(|extension| format!(".{}", extension.to_string_lossy()))
        .unwrap_or_default()
}

/// Where CloudFormation finds a published asset.
#[derive(Clone, Debug)]
pub struct AssetLocation {
    /// A name, or an `Fn::Sub` where account and region are not known.
    pub bucket: Expr,
    pub key: String,
    /// The fingerprint.
    pub hash: String,
}

/// The part of an ARN behind the account.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum ArnFormat {
    /// `resource/name`
    Slash,
    /// `resource:name`
    Colon,
    /// `/resource/name`
    SlashSlash,
}

/// Parts of an ARN; what is not said is the stack's.
#[derive(Clone, Debug)]
pub struct Arn {
    service: &'static str,
    resource: Expr,
    name: Option<Expr>,
    region: Option<Expr>,
    account: Option<Expr>,
    format: ArnFormat,
}

impl Arn {
    pub fn new(service: &'static str, resource: impl Into<Expr>) -> Self {
        Self {
            service,
            resource: resource.into(),
            name: None,
            region: None,
            account: None,
            format: ArnFormat::Slash,
        }
    }

    #[must_use]
    pub fn name(mut self, name: impl Into<Expr>) -> Self {
        self.name = Some(name.into());
        self
    }

    /// The empty text for global services.
    #[must_use]
    pub fn region(mut self, region: impl Into<Expr>) -> Self {
        self.region = Some(region.into());
        self
    }

    #[must_use]
    pub fn account(mut self, account: impl Into<Expr>) -> Self {
        self.account = Some(account.into());
        self
    }

    #[must_use]
    pub const fn format(mut self, format: ArnFormat) -> Self {
        self.format = format;
        self
    }

    /// The name in an ARN of the form `…:resource/name`, cut out at deployment where the ARN is only known then.
    pub(crate) fn name_of(arn: &Expr) -> Expr {
        let resource = arn_part(arn, 5);
        match resource.as_text() {
            Some(text) => Expr::text(text.split_once('/').map_or("", |(_, name)| name).to_owned()),
            None => cfn::intrinsics::select(1, cfn::intrinsics::split("/", resource.cast::<String>())).into_expr(),
        }
    }
}

#[derive(Clone)]
pub struct Stack {
    construct: Construct,
}

impl Scope for Stack {
    fn construct(&self) -> &Construct {
        &self.construct
    }
}

#[must_use = "nothing is made until `build`"]
pub struct StackBuilder {
    scope: Construct,
    id: String,
    location: Source,
    name: Option<String>,
    account: Option<String>,
    region: Option<String>,
    description: Option<String>,
    termination_protection: bool,
    tags: IndexMap<String, String>,
    bootstrap_rule: bool,
}

impl StackBuilder {
    /// Account and region. Without them the template fits any environment.
    pub fn env(self, account: impl Into<String>, region: impl Into<String>) -> Self {
        self.account(account).region(region)
    }

    pub fn account(mut self, account: impl Into<String>) -> Self {
        self.account = Some(account.into());
        self
    }

    pub fn region(mut self, region: impl Into<String>) -> Self {
        self.region = Some(region.into());
        self
    }

    /// The name in CloudFormation, if it shall not follow from the id.
    pub fn stack_name(mut self, name: impl Into<String>) -> Self {
        self.name = Some(name.into());
        self
    }

    pub fn description(mut self, description: impl Into<String>) -> Self {
        self.description = Some(description.into());
        self
    }

    pub fn termination_protection(mut self, on: bool) -> Self {
        self.termination_protection = on;
        self
    }

    /// A tag of the stack itself.
    pub fn tag(mut self, key: impl Into<String>, value: impl Into<String>) -> Self {
        self.tags.insert(key.into(), value.into());
        self
    }

    /// Whether the template checks the version of the bootstrap stack when it is deployed; it does if nothing is said.
    pub fn bootstrap_version_rule(mut self, on: bool) -> Self {
        self.bootstrap_rule = on;
        self
    }

    pub fn build(self) -> Stack {
        let (stage_name, stage_account, stage_region, mut path_in_stage, mut path_in_app, qualifier) = {
            let tree = self.scope.tree();
            let stage_node = tree.stage_of(self.scope.node());
            let stage = tree.stage(stage_node);
            let owned = |ids: Vec<&str>| ids.into_iter().map(str::to_owned).collect::<Vec<_>>();
            (
                stage.map(|stage| stage.name.clone()).unwrap_or_default(),
                stage.and_then(|stage| stage.account.clone()),
                stage.and_then(|stage| stage.region.clone()),
                owned(tree.ids_below(stage_node, self.scope.node())),
                owned(tree.ids_below(NodeId::ROOT, self.scope.node())),
                tree.context
                    .get(QUALIFIER_CONTEXT)
                    .and_then(Json::as_str)
                    .unwrap_or(DEFAULT_QUALIFIER)
                    .to_owned(),
            )
        };
        path_in_stage.push(self.id.clone());
        path_in_app.push(self.id.clone());
        let prefix = if stage_name.is_empty() {
            String::new()
        } else {
            format!("{stage_name}-")
        };
        let name = self.name.unwrap_or_else(|| prefix + &name_of_path(&path_in_stage));
        let artifact_id = name_of_path(&path_in_app)
            .chars()
            .map(|c| {
                if c.is_ascii_alphanumeric() || "_-.".contains(c) {
                    c
                } else {
                    '_'
                }
            })
            .collect();
        let valid_name = name.len() <= MAX_NAME_LENGTH
            && name.starts_with(|c: char| c.is_ascii_alphabetic())
            && name.chars().all(|c| c.is_ascii_alphanumeric() || c == '-');
        let node = StackNode {
            name: name.clone(),
            artifact_id,
            account: self.account.or(stage_account),
            region: self.region.or(stage_region),
            description: self.description,
            termination_protection: self.termination_protection,
            tags: self.tags,
            metadata: Map::new(),
            transforms: Vec::new(),
            qualifier,
            bootstrap_rule: self.bootstrap_rule,
            assets: IndexMap::new(),
            missing_context: Vec::new(),
        };
        let inside_stack = self.scope.tree().stack_of(self.scope.node()).is_some();
        let construct = self
            .scope
            .add(self.id, "Stack", Kind::Stack(Box::new(node)), self.location);
        if !valid_name {
            construct.report(format!(
                "`{name}` is no name for a stack: a letter, then letters, digits and hyphens, at most {MAX_NAME_LENGTH} in all"
            ));
        }
        if inside_stack {
            construct.report("nested stacks are not offered; put the stack beside the other one");
        }
        Stack { construct }
    }
}

/// The last id alone, or a unique name where stacks are nested in other constructs.
fn name_of_path(path: &[String]) -> String {
    if let [only] = path
        && only.len() <= MAX_NAME_LENGTH
    {
        return only.clone();
    }
    let path: Vec<&str> = path.iter().map(String::as_str).collect();
    logical_id::unique_resource_name(&path, "", MAX_NAME_LENGTH)
}

impl Stack {
    #[track_caller]
    #[expect(
        clippy::new_ret_no_self,
        reason = "every construct begins with `new` and ends with `build`"
    )]
    pub fn new(scope: &impl Scope, id: impl Into<String>) -> StackBuilder {
        StackBuilder {
            scope: scope.construct().clone(),
            id: id.into(),
            location: Location::caller(),
            name: None,
            account: None,
            region: None,
            description: None,
            termination_protection: false,
            tags: IndexMap::new(),
            bootstrap_rule: true,
        }
    }

    /// The stack that a construct stands in. Outside of any stack the mistake is reported, and the construct itself
    /// answers with what holds for an unknown environment.
    pub fn of(scope: &impl Scope) -> Self {
        let construct = scope.construct();
        let stack = construct.tree().stack_of(construct.node());
        match stack {
            Some(stack) => Self {
                construct: construct.at(stack),
            },
            None => {
                let error = Error::OutsideOfStack {
                    construct: construct.path(),
                    location: construct.location(),
                };
                construct.tree_mut().errors.push(error);
                Self {
                    construct: construct.clone(),
                }
            }
        }
    }

    fn read<T>(&self, get: impl FnOnce(&StackNode) -> T) -> Option<T> {
        self.construct.tree().stack(self.construct.node()).map(get)
    }

    fn change(&self, change: impl FnOnce(&mut StackNode)) {
        if let Kind::Stack(stack) = &mut self.construct.tree_mut().node_mut(self.construct.node()).kind {
            change(stack);
        }
    }

    /// The name in CloudFormation.
    pub fn stack_name(&self) -> String {
        self.read(|stack| stack.name.clone()).unwrap_or_default()
    }

    /// Twelve digits where the stack says them, else `AWS::AccountId`.
    pub fn account(&self) -> Value<String> {
        let known = self.read(|stack| stack.account.clone()).flatten();
        known.map_or_else(pseudo::account_id, |account| Value::from_expr(Expr::text(account)))
    }

    /// The region where the stack says it, else `AWS::Region`.
    pub fn region(&self) -> Value<String> {
        let known = self.read(|stack| stack.region.clone()).flatten();
        known.map_or_else(pseudo::region, |region| Value::from_expr(Expr::text(region)))
    }

    /// Account and region as far as they are known.
    pub(crate) fn known_environment(&self) -> (Option<String>, Option<String>) {
        self.read(|stack| (stack.account.clone(), stack.region.clone()))
            .unwrap_or_default()
    }

    /// An entry of the template's `Metadata` section.
    pub fn add_metadata(&self, key: impl Into<cfn::Name>, value: impl Into<Expr>) {
        let (key, value) = (key.into(), value.into());
        self.change(|stack| {
            stack.metadata.insert(key, value);
        });
    }

    pub(crate) fn has_metadata(&self, key: &str) -> bool {
        self.read(|stack| stack.metadata.get(key).is_some()).unwrap_or_default()
    }

    /// A macro that CloudFormation runs over the template.
    pub fn add_transform(&self, name: impl Into<String>) {
        let name = name.into();
        self.change(|stack| {
            if !stack.transforms.contains(&name) {
                stack.transforms.push(name);
            }
        });
    }

    pub fn set_termination_protection(&self, on: bool) {
        self.change(|stack| stack.termination_protection = on);
    }

    /// An ARN in this stack's partition, region and account.
    pub fn format_arn(&self, arn: Arn) -> Expr {
        let separator = if arn.format == ArnFormat::Colon { ":" } else { "/" };
        let mut parts: Vec<Expr> = vec![
            "arn:".into(),
            pseudo::partition().into_expr(),
            format!(":{}:", arn.service).into(),
            arn.region.unwrap_or_else(|| self.region().into_expr()),
            ":".into(),
            arn.account.unwrap_or_else(|| self.account().into_expr()),
            if arn.format == ArnFormat::SlashSlash { ":/" } else { ":" }.into(),
            arn.resource,
        ];
        if let Some(name) = arn.name {
            parts.push(separator.into());
            parts.push(name);
        }
        Expr::concat(parts)
    }

    /// The zones of the stack's region: two by index where the environment is open; else from the context, where the
    /// tool puts what it looked up.
    pub(crate) fn availability_zones(&self) -> Vec<Expr> {
        let (Some(account), Some(region)) = self.known_environment() else {
            let zone = |index: i64| {
                let zones = cfn::Intrinsic::GetAzs(Expr::text(""));
                cfn::Intrinsic::Select {
                    index: index.into(),
                    values: zones.into(),
                }
                .into()
            };
            return vec![zone(0), zone(1)];
        };
        let key = format!("availability-zones:account={account}:region={region}");
        if let Some(Json::Array(zones)) = self.construct.context(&key) {
            return zones.into_iter().map(Expr::from).collect();
        }
        self.change(|stack| {
            if !stack.missing_context.iter().any(|(missing, ..)| *missing == key) {
                stack.missing_context.push((
                    key,
                    "availability-zones",
                    json!({ "account": account, "region": region }),
                ));
            }
        });
        ["dummy1a", "dummy1b", "dummy1c"].map(Expr::from).to_vec()
    }

    /// Publishes a file (as it is) or a directory (as a zip archive) with the stack, under its fingerprint. What is not
    /// there is reported for `construct`, which also names the asset.
    pub fn add_file_asset(&self, construct: &Construct, path: &Path) -> AssetLocation {
        self.add_file_asset_with(construct, path, AssetOptions::new())
    }

    /// As [`Stack::add_file_asset`], with options: what is left out, how links are read, what else is hashed.
    pub fn add_file_asset_with(&self, construct: &Construct, path: &Path, mut options: AssetOptions) -> AssetLocation {
        // The CDK's own mark of a folder that holds a custom resource's handler.
        options.exclude.insert(0, ".is_custom_resource".to_owned());
        if let Some(salt) = construct.context("@aws-cdk/core:assetHashSalt") {
            options.extra_hash.push_str(salt.as_str().unwrap_or_default());
        }
        let missing = |source| Error::AssetMissing {
            construct: construct.path(),
            path: path.to_owned(),
            location: construct.location(),
            source,
        };
        let hash = match fingerprint::fingerprint(path, &options) {
            Ok(found) => match &options.asset_hash {
                Some(custom) => fingerprint::custom(custom),
                None => found.hash,
            },
            Err(source) => {
                let error = missing(source);
                construct.tree_mut().errors.push(error);
                String::new()
            }
        };
        let packaging = if path.is_dir() { Packaging::Zip } else { Packaging::File };
        let extension = match packaging {
            Packaging::File => extension(path),
            Packaging::Zip => String::new(),
        };
        let key = format!(
            "{hash}{}",
            if packaging == Packaging::Zip {
                ".zip"
            } else {
                &extension
            }
        );
        let display_name = construct
            .tree()
            .ids_below(self.construct.node(), construct.node())
            .join("/");
        let asset = FileAsset {
            source: path.to_owned(),
            packaging,
            extension,
            display_name,
            options,
        };
        self.change(|stack| {
            stack.assets.entry(hash.clone()).or_insert(asset);
        });
        let bucket = self.read(StackNode::asset_bucket).unwrap_or_default();
        let bucket = if bucket.contains("${") {
            cfn::Intrinsic::Sub {
                template: bucket.into(),
                variables: Map::new(),
            }
            .into()
        } else {
            Expr::text(bucket)
        };
        AssetLocation { bucket, key, hash }
    }
}

/// A part between the colons of an ARN, counted from 0; cut out at deployment where the ARN is only known then. The last
/// part, 5, of an ARN whose name holds no colon.
pub(crate) fn arn_part(arn: &Expr, index: u8) -> Expr {
    match arn.as_text() {
        Some(text) => Expr::text(text.split(':').nth(usize::from(index)).unwrap_or_default().to_owned()),
        None => {
            let parts = cfn::intrinsics::split(":", arn.clone().cast::<String>());
            cfn::intrinsics::select(i64::from(index), parts).into_expr()
        }
    }
}

//! A table seen from outside: names, grants and metrics, of tables in this app and of others.

use std::cell::{Cell, RefCell};
use std::rc::Rc;

use cfn::{Expr, IntoValue, Value, id};

use crate::cloudwatch::{MathExpression, Metric};
use crate::element::CfnResource;
use crate::iam::{Grantee, PolicyDocument, PolicyStatement};
use crate::kms::Key;
use crate::stack::{Arn, Stack};
use crate::tree::{Construct, Scope};

const READ: [&str; 5] = [
    "dynamodb:BatchGetItem",
    "dynamodb:Query",
    "dynamodb:GetItem",
    "dynamodb:Scan",
    "dynamodb:ConditionCheckItem",
];
const WRITE: [&str; 4] = [
    "dynamodb:BatchWriteItem",
    "dynamodb:PutItem",
    "dynamodb:UpdateItem",
    "dynamodb:DeleteItem",
];
/// What a policy of the table itself cannot give.
const READ_BY_IDENTITIES_ONLY: [&str; 2] = ["dynamodb:GetRecords", "dynamodb:GetShardIterator"];
const READ_STREAM: [&str; 3] = [
    "dynamodb:DescribeStream",
    "dynamodb:GetRecords",
    "dynamodb:GetShardIterator",
];
const DESCRIBE: &str = "dynamodb:DescribeTable";
const USE_KEY_TO_READ: [&str; 2] = ["kms:Decrypt", "kms:DescribeKey"];
const USE_KEY_TO_WRITE: [&str; 3] = ["kms:Encrypt", "kms:ReEncrypt*", "kms:GenerateDataKey*"];
/// The services that DynamoDB's own policies may name.
const SERVICES: [&str; 3] = [
    "redshift.amazonaws.com",
    "replication.dynamodb.amazonaws.com",
    "glue.amazonaws.com",
];

/// What can be asked of a table.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Operation {
    GetItem,
    BatchGetItem,
    Scan,
    Query,
    GetRecords,
    PutItem,
    DeleteItem,
    UpdateItem,
    BatchWriteItem,
    TransactWriteItems,
    TransactGetItems,
    ExecuteTransaction,
    BatchExecuteStatement,
    ExecuteStatement,
}

impl Operation {
    pub const ALL: [Self; 14] = [
        Self::GetItem,
        Self::BatchGetItem,
        Self::Scan,
        Self::Query,
        Self::GetRecords,
        Self::PutItem,
        Self::DeleteItem,
        Self::UpdateItem,
        Self::BatchWriteItem,
        Self::TransactWriteItems,
        Self::TransactGetItems,
        Self::ExecuteTransaction,
        Self::BatchExecuteStatement,
        Self::ExecuteStatement,
    ];

    /// As the API and the metrics' dimension spell it.
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::GetItem => "GetItem",
            Self::BatchGetItem => "BatchGetItem",
            Self::Scan => "Scan",
            Self::Query => "Query",
            Self::GetRecords => "GetRecords",
            Self::PutItem => "PutItem",
            Self::DeleteItem => "DeleteItem",
            Self::UpdateItem => "UpdateItem",
            Self::BatchWriteItem => "BatchWriteItem",
            Self::TransactWriteItems => "TransactWriteItems",
            Self::TransactGetItems => "TransactGetItems",
            Self::ExecuteTransaction => "ExecuteTransaction",
            Self::BatchExecuteStatement => "BatchExecuteStatement",
            Self::ExecuteStatement => "ExecuteStatement",
        }
    }
}

/// A table by name and ARN, wherever it was made.
#[derive(Clone)]
pub struct TableReference {
    construct: Construct,
    arn: Expr,
    name: Expr,
    stream_arn: Option<Expr>,
    /// Whether somebody asked for a stream that there is not: to say so once.
    missed_stream: Rc<Cell<bool>>,
    has_index: bool,
    /// Grants on global tables are written a little otherwise.
    global: bool,
    key: Option<Key>,
    /// Of tables of this app, whose own policy can be said.
    policy: Option<Rc<Policy>>,
}

struct Policy {
    /// Puts the document into the resource.
    set: Box<dyn Fn(Expr)>,
    document: RefCell<PolicyDocument>,
}

impl Scope for TableReference {
    fn construct(&self) -> &Construct {
        &self.construct
    }
}

/// A table that exists already.
#[must_use = "nothing is made until `build`"]
pub struct TableReferenceBuilder(TableReference);

impl TableReferenceBuilder {
    pub fn stream_arn(mut self, arn: impl IntoValue<id::dynamodb::TableStreamArn>) -> Self {
        self.0.stream_arn = Some(arn.into_value().into_expr());
        self
    }

    /// It has indexes, so grants are about them, too.
    pub fn with_indexes(mut self) -> Self {
        self.0.has_index = true;
        self
    }

    /// The key that it is encrypted with.
    pub fn encryption_key(mut self, key: &Key) -> Self {
        self.0.key = Some(key.clone());
        self
    }

    pub fn build(self) -> TableReference {
        self.0
    }
}

impl TableReference {
    pub(super) fn of_resource(
        construct: &Construct,
        resource: &CfnResource<cfn::dynamodb::Table>,
        has_stream: bool,
        has_index: bool,
        key: Option<Key>,
    ) -> Self {
        let untyped = resource.untyped();
        Self {
            construct: construct.clone(),
            arn: resource.arn().into_expr(),
            name: resource.reference().into_expr(),
            stream_arn: has_stream.then(|| resource.stream_arn().into_expr()),
            missed_stream: Rc::default(),
            has_index,
            global: false,
            key,
            policy: Some(Rc::new(Policy {
                set: Box::new(move |document| {
                    let policy = Expr::map([("PolicyDocument", document)]);
                    untyped.set("ResourcePolicy", Some(policy));
                }),
                document: RefCell::default(),
            })),
        }
    }

    /// Of a global table, whose policy stands in each replica.
    pub(super) fn of_global(
        construct: &Construct,
        resource: &CfnResource<cfn::dynamodb::GlobalTable>,
        has_index: bool,
        key: Option<Key>,
        set_policy: impl Fn(Expr) + 'static,
    ) -> Self {
        Self {
            construct: construct.clone(),
            arn: resource.arn().into_expr(),
            name: resource.reference().into_expr(),
            stream_arn: Some(resource.stream_arn().into_expr()),
            missed_stream: Rc::default(),
            has_index,
            global: true,
            key,
            policy: Some(Rc::new(Policy {
                set: Box::new(set_policy),
                document: RefCell::default(),
            })),
        }
    }

    #[track_caller]
    fn existing(scope: &impl Scope, id: impl Into<String>, arn: Expr, name: Expr) -> TableReferenceBuilder {
        TableReferenceBuilder(Self {
            construct: Construct::of_type(scope, id, "dynamodb.TableReference"),
            arn,
            name,
            stream_arn: None,
            missed_stream: Rc::default(),
            has_index: false,
            global: false,
            key: None,
            policy: None,
        })
    }

    /// A table that exists, by ARN.
    #[track_caller]
    pub fn from_arn(
        scope: &impl Scope,
        id: impl Into<String>,
        arn: impl IntoValue<id::dynamodb::TableArn>,
    ) -> TableReferenceBuilder {
        let arn = arn.into_value().into_expr();
        let name = Arn::name_of(&arn);
        Self::existing(scope, id, arn, name)
    }

    /// A table that exists in the account and region of the stack, by name.
    #[track_caller]
    pub fn from_name(
        scope: &impl Scope,
        id: impl Into<String>,
        name: impl IntoValue<id::dynamodb::TableName>,
    ) -> TableReferenceBuilder {
        let name = name.into_value().into_expr();
        let arn = Stack::of(scope).format_arn(Arn::new("dynamodb", "table").name(name.clone()));
        Self::existing(scope, id, arn, name)
    }

    pub fn table_arn(&self) -> Value<id::dynamodb::TableArn> {
        self.arn.clone().cast()
    }

    pub fn table_name(&self) -> Value<id::dynamodb::TableName> {
        self.name.clone().cast()
    }

    /// Reported where the table has no stream.
    pub fn stream_arn(&self) -> Value<id::dynamodb::TableStreamArn> {
        let arn = self.stream_arn.clone().unwrap_or_else(|| {
            if !self.missed_stream.replace(true) {
                self.construct
                    .report("the table has no stream; ask for one with `stream`");
            }
            Expr::text("")
        });
        arn.cast()
    }

    pub fn grant_read_data(&self, grantee: impl Into<Grantee>) {
        let grantee = grantee.into();
        self.grant_on_key(&grantee, USE_KEY_TO_READ);
        self.give(&grantee, READ.into_iter().chain([DESCRIBE]));
        self.give_identities(&grantee, READ_BY_IDENTITIES_ONLY);
    }

    pub fn grant_write_data(&self, grantee: impl Into<Grantee>) {
        self.give_with_key(&grantee.into(), WRITE.into_iter().chain([DESCRIBE]));
    }

    pub fn grant_read_write_data(&self, grantee: impl Into<Grantee>) {
        let grantee = grantee.into();
        self.give_with_key(&grantee, READ.into_iter().chain(WRITE).chain([DESCRIBE]));
        self.give_identities(&grantee, READ_BY_IDENTITIES_ONLY);
    }

    /// All that can be done with a table, deleting it included.
    pub fn grant_full_access(&self, grantee: impl Into<Grantee>) {
        self.give_with_key(&grantee.into(), ["dynamodb:*"]);
    }

    /// The key comes first for global tables, and last for others, as in the CDK.
    fn give_with_key(&self, grantee: &Grantee, actions: impl IntoIterator<Item = &'static str>) {
        let use_key = || USE_KEY_TO_READ.into_iter().chain(USE_KEY_TO_WRITE);
        if self.global {
            self.grant_on_key(grantee, use_key());
        }
        self.give(grantee, actions);
        if !self.global {
            self.grant_on_key(grantee, use_key());
        }
    }

    /// These actions on the table and its indexes.
    pub fn grant(&self, grantee: impl Into<Grantee>, actions: impl IntoIterator<Item = impl Into<String>>) {
        self.give(&grantee.into(), actions);
    }

    /// These actions on the stream.
    pub fn grant_stream(&self, grantee: impl Into<Grantee>, actions: impl IntoIterator<Item = impl Into<String>>) {
        let statement = PolicyStatement::allow(actions).on(self.stream_arn());
        self.add_to_identity(&grantee.into(), statement);
    }

    /// To list streams: of all tables, since the action knows no single one.
    pub fn grant_list_streams(&self, grantee: impl Into<Grantee>) {
        let statement = PolicyStatement::allow(["dynamodb:ListStreams"]);
        let statement = if self.global {
            statement.on(self.stream_arn())
        } else {
            statement.on_all()
        };
        self.add_to_identity(&grantee.into(), statement);
    }

    pub fn grant_stream_read(&self, grantee: impl Into<Grantee>) {
        let grantee = grantee.into();
        self.grant_list_streams(grantee.clone());
        self.grant_on_key(&grantee, USE_KEY_TO_READ);
        self.grant_stream(grantee, READ_STREAM);
    }

    /// Adds to the policy of the table itself; tables that exist already have theirs elsewhere.
    pub fn add_to_resource_policy(&self, statement: PolicyStatement) {
        let Some(policy) = &self.policy else {
            self.construct
                .report("the policy of a table that exists already is not this app's to say");
            return;
        };
        policy.document.borrow_mut().add(statement);
        let document = policy.document.borrow().render();
        (policy.set)(document);
    }

    fn on_table(&self, actions: impl IntoIterator<Item = impl Into<String>>) -> PolicyStatement {
        let statement = PolicyStatement::allow(actions);
        let indexes = self
            .has_index
            .then(|| Expr::concat([self.arn.clone(), "/index/*".into()]));
        if self.global && indexes.is_none() {
            return statement.on(self.table_arn());
        }
        statement.on_list([self.arn.clone()].into_iter().chain(indexes))
    }

    /// To an identity, or in the table's own policy.
    fn give(&self, grantee: &Grantee, actions: impl IntoIterator<Item = impl Into<String>>) {
        let actions: Vec<String> = actions.into_iter().map(Into::into).collect();
        let (identity, principal) = grantee.parties();
        if let Some(identity) = identity {
            identity.add_to_policy(self.on_table(actions.clone()));
        }
        let Some(principal) = principal else { return };
        if principal
            .service_name()
            .is_some_and(|service| !SERVICES.contains(&service))
        {
            self.construct
                .report("the policy of a table names no service of this kind; say it with `add_to_resource_policy`");
        }
        if self.policy.is_some() {
            let statement = PolicyStatement::allow(actions).on_all().by(principal.clone());
            self.add_to_resource_policy(statement);
        }
    }

    fn give_identities(&self, grantee: &Grantee, actions: [&str; 2]) {
        self.add_to_identity(grantee, self.on_table(actions));
    }

    fn grant_on_key(&self, grantee: &Grantee, actions: impl IntoIterator<Item = &'static str>) {
        if let Some(key) = &self.key {
            key.grant(grantee.clone(), actions);
        }
    }

    fn add_to_identity(&self, grantee: &Grantee, statement: PolicyStatement) {
        if let (Some(identity), _) = grantee.parties() {
            identity.add_to_policy(statement);
        }
    }

    /// A metric of `AWS/DynamoDB` about this table.
    pub fn metric(&self, name: impl Into<String>) -> Metric {
        Metric::new("AWS/DynamoDB", name)
            .dimension("TableName", self.table_name())
            .attached_to(&self.construct)
    }

    pub fn metric_consumed_read_capacity_units(&self) -> Metric {
        self.metric("ConsumedReadCapacityUnits").sum()
    }

    pub fn metric_consumed_write_capacity_units(&self) -> Metric {
        self.metric("ConsumedWriteCapacityUnits").sum()
    }

    pub fn metric_conditional_check_failed_requests(&self) -> Metric {
        self.metric("ConditionalCheckFailedRequests").sum()
    }

    /// Mistakes of callers in the whole account: DynamoDB does not tell them apart by table.
    pub fn metric_user_errors(&self) -> Metric {
        Metric::new("AWS/DynamoDB", "UserErrors")
            .attached_to(&self.construct)
            .sum()
    }

    /// The average, in milliseconds.
    pub fn metric_successful_request_latency(&self, operation: Operation) -> Metric {
        self.metric_for("SuccessfulRequestLatency", operation).average()
    }

    pub fn metric_throttled_requests_for(&self, operation: Operation) -> Metric {
        self.metric_for("ThrottledRequests", operation).sum()
    }

    pub fn metric_system_errors_for(&self, operation: Operation) -> Metric {
        self.metric_for("SystemErrors", operation).sum()
    }

    /// Over these operations together. An alarm takes ten at most.
    pub fn metric_throttled_requests_for_operations(
        &self,
        operations: impl IntoIterator<Item = Operation>,
    ) -> MathExpression {
        let label = "Sum of throttled requests across all operations";
        self.sum_over("ThrottledRequests", label, operations)
    }

    /// Over these operations together. An alarm takes ten at most.
    pub fn metric_system_errors_for_operations(
        &self,
        operations: impl IntoIterator<Item = Operation>,
    ) -> MathExpression {
        self.sum_over("SystemErrors", "Sum of errors across all operations", operations)
    }

    fn metric_for(&self, name: &str, operation: Operation) -> Metric {
        self.metric(name).dimension("Operation", operation.as_str())
    }

    fn sum_over(&self, name: &str, label: &str, operations: impl IntoIterator<Item = Operation>) -> MathExpression {
        let mut used: Vec<Operation> = Vec::new();
        for operation in operations {
            if !used.contains(&operation) {
                used.push(operation);
            }
        }
        let names: Vec<_> = used.iter().map(|operation| operation.as_str().to_lowercase()).collect();
        let expression = MathExpression::new(names.join(" + ")).label(label);
        used.into_iter()
            .zip(names)
            .fold(expression, |expression, (operation, id)| {
                expression.using(id, self.metric_for(name, operation).sum())
            })
    }
}

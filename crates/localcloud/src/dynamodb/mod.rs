//! DynamoDB: the tables that stacks make are described, and backups of them are kept as records.
//!
//! There are no items: a table is what its template says, and a backup is that description, of 0 bytes. Not served:
//! item operations, tables made through the API, restores, point in time recovery, exports.

mod provider;
#[cfg(test)]
mod tests;

use std::collections::BTreeMap;
use std::io;
use std::sync::Arc;

use async_trait::async_trait;
use jiff::Timestamp;
use serde::{Deserialize, Serialize};
use serde_json::{Map, Value, json};

use crate::context::{ACCOUNT, Context};
use crate::members::Members;
use crate::page;
use crate::resource::Provider;
use crate::saved::Saved;
use crate::service::{ApiError, Request, Response, Service};

#[derive(Clone, Serialize, Deserialize)]
struct Table {
    name: String,
    id: String,
    created: Timestamp,
    /// As the template gives them.
    properties: Map<String, Value>,
}

#[derive(Clone, Serialize, Deserialize)]
struct Backup {
    arn: String,
    name: String,
    created: Timestamp,
    /// The table as it was.
    table: Table,
}

#[derive(Default, Serialize, Deserialize)]
struct State {
    tables: BTreeMap<String, Table>,
    /// By ARN, which begins with the table's and goes on with the time.
    backups: BTreeMap<String, Backup>,
}

pub struct DynamoDb {
    context: Context,
    state: Saved<State>,
}

impl DynamoDb {
    pub fn open(context: &Context) -> io::Result<Arc<Self>> {
        let state = Saved::open(&context.store, "dynamodb")?;
        Ok(Arc::new(Self {
            context: context.clone(),
            state,
        }))
    }

    pub fn providers(self: &Arc<Self>) -> Vec<Arc<dyn Provider>> {
        vec![Arc::new(provider::TableProvider::new(self.clone()))]
    }

    fn arn(&self, table: &str) -> String {
        format!("arn:aws:dynamodb:{}:{ACCOUNT}:table/{table}", self.context.region)
    }

    /// By name or ARN.
    fn table(&self, input: &Value, code: &str) -> Result<Table, ApiError> {
        let asked = input.required_text("TableName")?;
        let name = asked.rsplit(":table/").next().unwrap_or(asked);
        let found = self.state.read().tables.get(name).cloned();
        found.ok_or_else(|| {
            let message = format!("Requested resource not found: Table: {name} not found");
            ApiError::new(400, code, message)
        })
    }

    fn described(&self, table: &Table) -> Value {
        let property = |name: &str| table.properties.member(name).cloned().unwrap_or(Value::Null);
        let throughput = property("ProvisionedThroughput");
        json!({
            "TableName": table.name,
            "TableArn": self.arn(&table.name),
            "TableId": table.id,
            "TableStatus": "ACTIVE",
            "CreationDateTime": table.created.as_second(),
            "AttributeDefinitions": property("AttributeDefinitions"),
            "KeySchema": property("KeySchema"),
            "BillingModeSummary": table
                .properties
                .text("BillingMode")
                .map(|mode| json!({"BillingMode": mode})),
            "ProvisionedThroughput": {
                "ReadCapacityUnits": throughput.integer("ReadCapacityUnits").unwrap_or(0),
                "WriteCapacityUnits": throughput.integer("WriteCapacityUnits").unwrap_or(0),
                "NumberOfDecreasesToday": 0,
            },
            "DeletionProtectionEnabled": table.properties.flag("DeletionProtectionEnabled").unwrap_or(false),
            "ItemCount": 0,
            "TableSizeBytes": 0,
        })
    }

    fn create_backup(&self, input: &Value) -> Result<Value, ApiError> {
        let table = self.table(input, "TableNotFoundException")?;
        let name = input.required_text("BackupName")?.to_owned();
        let now = self.context.clock.now();
        // As AWS writes it: milliseconds, and eight digits of chance.
        let chance = crate::identity::hexadecimal(8);
        let arn = format!("{}/backup/{:017}-{chance}", self.arn(&table.name), now.as_millisecond());
        let backup = Backup {
            arn: arn.clone(),
            name,
            created: now,
            table,
        };
        self.state.change(|state| {
            state.backups.insert(arn, backup.clone());
            Ok(json!({"BackupDetails": details(&backup, "AVAILABLE")}))
        })
    }

    fn backup(&self, input: &Value) -> Result<Backup, ApiError> {
        let arn = input.required_text("BackupArn")?;
        let found = self.state.read().backups.get(arn).cloned();
        found.ok_or_else(|| ApiError::new(400, "BackupNotFoundException", format!("Backup not found: {arn}")))
    }

    fn described_backup(&self, backup: &Backup, status: &str) -> Value {
        let table = self.described(&backup.table);
        json!({"BackupDescription": {
            "BackupDetails": details(backup, status),
            "SourceTableDetails": {
                "TableName": table["TableName"],
                "TableId": table["TableId"],
                "TableArn": table["TableArn"],
                "TableSizeBytes": 0,
                "ItemCount": 0,
                "KeySchema": table["KeySchema"],
                "TableCreationDateTime": table["CreationDateTime"],
                "ProvisionedThroughput": {
                    "ReadCapacityUnits": table["ProvisionedThroughput"]["ReadCapacityUnits"],
                    "WriteCapacityUnits": table["ProvisionedThroughput"]["WriteCapacityUnits"],
                },
                "BillingMode": backup.table.properties.text("BillingMode").unwrap_or("PROVISIONED"),
            },
        }})
    }

    fn list_backups(&self, input: &Value) -> Value {
        let of_table = input
            .text("TableName")
            .map(|asked| asked.rsplit(":table/").next().unwrap_or(asked));
        let behind = input.text("ExclusiveStartBackupArn");
        let within = |backup: &&Backup| {
            let created = backup.created.as_second() as f64;
            of_table.is_none_or(|name| backup.table.name == name)
                && behind.is_none_or(|arn| backup.arn.as_str() > arn)
                && input.number("TimeRangeLowerBound").is_none_or(|lower| created >= lower)
                && input.number("TimeRangeUpperBound").is_none_or(|upper| created < upper)
                && matches!(input.text("BackupType"), None | Some("USER" | "ALL"))
        };
        let state = self.state.read();
        let found: Vec<&Backup> = state.backups.values().filter(within).collect();
        let (shown, next) = page::page(&found, 0, page::size(input, "Limit", 100));
        let summaries: Vec<Value> = shown
            .iter()
            .map(|backup| {
                let mut summary = details(backup, "AVAILABLE");
                summary["TableName"] = json!(backup.table.name);
                summary["TableId"] = json!(backup.table.id);
                summary["TableArn"] = json!(self.arn(&backup.table.name));
                summary
            })
            .collect();
        let last = next.and_then(|_| shown.last()).map(|backup| backup.arn.clone());
        json!({"BackupSummaries": summaries, "LastEvaluatedBackupArn": last})
    }

    fn list_tables(&self, input: &Value) -> Value {
        let behind = input.text("ExclusiveStartTableName").unwrap_or_default();
        let state = self.state.read();
        let names: Vec<&String> = state.tables.keys().filter(|name| name.as_str() > behind).collect();
        let (shown, next) = page::page(&names, 0, page::size(input, "Limit", 100));
        json!({"TableNames": shown, "LastEvaluatedTableName": next.and_then(|_| shown.last())})
    }
}

fn details(backup: &Backup, status: &str) -> Value {
    json!({
        "BackupArn": backup.arn,
        "BackupName": backup.name,
        "BackupSizeBytes": 0,
        "BackupStatus": status,
        "BackupType": "USER",
        "BackupCreationDateTime": backup.created.as_second(),
    })
}

#[async_trait]
impl Service for DynamoDb {
    fn model(&self) -> &'static str {
        "dynamodb"
    }

    async fn call(&self, request: Request) -> Result<Response, ApiError> {
        let input = &request.input;
        let output = match request.operation.as_str() {
            "DescribeTable" => json!({"Table": self.described(&self.table(input, "ResourceNotFoundException")?)}),
            "ListTables" => self.list_tables(input),
            "CreateBackup" => self.create_backup(input)?,
            "DescribeBackup" => self.described_backup(&self.backup(input)?, "AVAILABLE"),
            "ListBackups" => self.list_backups(input),
            "DeleteBackup" => {
                let backup = self.backup(input)?;
                self.state.change(|state| {
                    state.backups.remove(&backup.arn);
                    Ok(())
                })?;
                self.described_backup(&backup, "DELETED")
            }
            other => return Err(ApiError::not_served("UnknownOperationException", other)),
        };
        Ok(output.into())
    }
}

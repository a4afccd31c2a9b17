//! A migration as squawk's parser reads it, with what rules ask of it.

use std::collections::BTreeSet;

use squawk_syntax::ast::{self, AstNode};
use squawk_syntax::{Parse, SourceFile, SyntaxKind, SyntaxNode};

use crate::files::MigrationFile;
use crate::phase::Phase;
use crate::sql::line_at;

pub(super) struct Parsed {
    pub file: String,
    pub phase: Phase,
    pub no_transaction: bool,
    pub sql: String,
    pub tree: Parse<SourceFile>,
    /// Tables that this file or one before it in the batch makes: nobody uses them yet.
    pub new_tables: BTreeSet<String>,
}

impl Parsed {
    pub fn read(file: &MigrationFile, new_tables: &mut BTreeSet<String>) -> Self {
        let sql = file.sql().to_owned();
        let tree = SourceFile::parse(&sql);
        for statement in tree.tree().stmts() {
            let made = match &statement {
                ast::Stmt::CreateTable(create) => create.table_name().map(|name| plain_name(name.syntax())),
                ast::Stmt::CreateTableAs(create) => create.table_name().map(|name| plain_name(name.syntax())),
                _ => None,
            };
            new_tables.extend(made);
        }
        Self {
            file: file.file.clone(),
            phase: file.phase.unwrap_or(Phase::Expand),
            no_transaction: file.no_transaction,
            sql,
            tree,
            new_tables: new_tables.clone(),
        }
    }

    pub fn statements(&self) -> Vec<ast::Stmt> {
        self.tree.tree().stmts().collect()
    }

    /// The line that the byte at `offset` lies in, from 1.
    pub fn line(&self, offset: usize) -> usize {
        line_at(&self.sql, offset)
    }

    /// The line where the node's first word stands.
    pub fn line_of(&self, node: &SyntaxNode) -> usize {
        line_of(&self.sql, node)
    }

    /// The table that the statement around the byte at `offset` is about.
    pub fn table_at(&self, offset: usize) -> Option<String> {
        let statement = self.statements().into_iter().find(|statement| {
            let range = statement.syntax().text_range();
            usize::from(range.start()) <= offset && offset < usize::from(range.end())
        })?;
        table_of(&statement)
    }
}

/// The line of `sql`, from 1, where the first word of a node of its tree stands.
pub(crate) fn line_of(sql: &str, node: &SyntaxNode) -> usize {
    let begin = node
        .descendants_with_tokens()
        .filter_map(|element| element.into_token())
        .find(|token| !token.kind().is_trivia())
        .map_or_else(|| node.text_range().start(), |token| token.text_range().start());
    line_at(sql, begin.into())
}

/// The table that a statement changes, locks or builds an index on.
pub(super) fn table_of(statement: &ast::Stmt) -> Option<String> {
    let name = match statement {
        ast::Stmt::AlterTable(alter) => alter.table_relation_name().map(|name| name.syntax().clone()),
        ast::Stmt::CreateIndex(create) => create.table_relation_name().map(|name| name.syntax().clone()),
        ast::Stmt::Update(update) => update.relation_name().map(|name| name.syntax().clone()),
        ast::Stmt::Delete(delete) => delete.relation_name().map(|name| name.syntax().clone()),
        ast::Stmt::CreateTrigger(trigger) => trigger.on_relation().map(|on| on.syntax().clone()),
        _ => None,
    }?;
    Some(plain_name(&name))
}

/// A name without `ONLY`, `*`, quotes and folding: as the catalogue has it.
pub(crate) fn plain_name(node: &SyntaxNode) -> String {
    let mut name = String::new();
    for token in node
        .descendants_with_tokens()
        .filter_map(|element| element.into_token())
    {
        match token.kind() {
            SyntaxKind::WHITESPACE
            | SyntaxKind::COMMENT
            | SyntaxKind::ONLY_KW
            | SyntaxKind::ON_KW
            | SyntaxKind::STAR => {}
            SyntaxKind::L_PAREN | SyntaxKind::R_PAREN => {}
            _ => {
                let text = token.text();
                match text.strip_prefix('"').and_then(|text| text.strip_suffix('"')) {
                    Some(quoted) => name.push_str(&quoted.replace("\"\"", "\"")),
                    None => name.push_str(&text.to_lowercase()),
                }
            }
        }
    }
    name
}

//! Rows of several tables by one statement.

use sea_orm::sea_query::{Expr, SelectStatement};
use sea_orm::{ColumnTrait, EntityTrait, IdenStatic, Iterable};

/// Selects every column of `E`, each with its name after `prefix`. `FromQueryResult` reads them with the same prefix.
pub(crate) fn columns<E: EntityTrait>(select: &mut SelectStatement, prefix: &str) {
    for column in E::Column::iter() {
        select.expr_as(Expr::col(column.as_column_ref()), format!("{prefix}{}", column.as_str()));
    }
}

//! Work of people for spreadsheets.

use super::sheet::{Cell, Column, Tabular};
use crate::model::ManualWork;

impl Tabular for ManualWork {
    fn columns() -> Vec<Column> {
        [
            ("item", 20),
            ("state", 12),
            ("priority", 10),
            ("due", 19),
            ("assignee", 18),
            ("host", 24),
            ("vulnerability", 20),
            ("package", 26),
            ("suggestion", 60),
        ]
        .map(|(title, width)| Column::new(title, width))
        .into()
    }

    fn cells(&self) -> Vec<Cell> {
        let item = &self.item;
        vec![
            Cell::text(item.id.as_str()),
            Cell::text(self.state().as_str()),
            Cell::text(item.priority.as_str()),
            Cell::time(self.due()),
            Cell::text(self.assignee().unwrap_or_default()),
            Cell::text(item.host.as_str()),
            Cell::text(item.vulnerability.as_str()),
            Cell::text(item.package.as_ref().map_or("", |package| package.as_str())),
            Cell::text(&item.suggestion),
        ]
    }
}

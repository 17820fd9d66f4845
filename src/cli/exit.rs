//! The public table of exit codes; documented in docs/reference/exit-codes.md, stable.

/// What a run of the program came to.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Exit {
    /// Done as asked. After a campaign: every host is fixed or needed nothing.
    Ok = 0,
    /// It failed for a reason outside the input: I/O, journal, connection.
    Failed = 1,
    /// The command line is wrong.
    Usage = 2,
    /// A policy, inventory, report or playbook is wrong; nothing was done.
    InvalidInput = 3,
    /// The plan file was changed, is stale, breaks an invariant, or lacks approvals; nothing was done.
    PlanRefused = 4,
    /// The campaign ended and some hosts went back or were left untouched.
    WentBack = 5,
    /// The campaign ended and some hosts need a person.
    Stuck = 6,
    /// The campaign is paused; `switchback resume` goes on.
    Paused = 7,
    /// The campaign was aborted; what was in the middle was taken back.
    Aborted = 8,
    /// Another controller or campaign holds what is needed; nothing was done.
    Busy = 9,
    /// This machine cannot do it: something it needs is missing.
    Unsupported = 10,
    /// The comparison found changes.
    Changed = 11,
    /// A test of policies failed, or they cover too little.
    TestsFailed = 12,
    /// The evidence is not what it must be.
    NotVerified = 13,
}

impl Exit {
    /// Every code with its name and meaning, for the documentation.
    pub const TABLE: [(Self, &'static str, &'static str); 14] = [
        (Self::Ok, "ok", "done as asked; after a campaign: every host is fixed or needed nothing"),
        (Self::Failed, "failed", "failed for a reason outside the input: I/O, journal, connection"),
        (Self::Usage, "usage", "the command line is wrong"),
        (Self::InvalidInput, "invalid-input", "a policy, inventory, report or playbook is wrong; nothing was done"),
        (
            Self::PlanRefused,
            "plan-refused",
            "the plan file was changed, is stale, breaks an invariant, or lacks approvals; nothing was done",
        ),
        (Self::WentBack, "went-back", "the campaign ended; some hosts went back or were left untouched"),
        (Self::Stuck, "stuck", "the campaign ended; some hosts need a person"),
        (Self::Paused, "paused", "the campaign is paused; `switchback resume` goes on"),
        (Self::Aborted, "aborted", "the campaign was aborted; hosts in the middle were taken back"),
        (Self::Busy, "busy", "another controller or campaign holds what is needed; nothing was done"),
        (Self::Unsupported, "unsupported", "this machine lacks something that is needed; nothing was done"),
        (Self::Changed, "changed", "the comparison found changes"),
        (Self::TestsFailed, "tests-failed", "a test of policies failed, a mutant survived, or too little is covered"),
        (
            Self::NotVerified,
            "not-verified",
            "the evidence of a campaign is not what it must be; what is wrong is on stdout",
        ),
    ];
}

impl From<Exit> for std::process::ExitCode {
    fn from(exit: Exit) -> Self {
        Self::from(exit as u8)
    }
}

#[cfg(test)]
mod tests {
    use super::Exit;

    #[test]
    fn the_table_is_in_order_and_complete() {
        for (i, (exit, _, _)) in Exit::TABLE.iter().enumerate() {
            assert_eq!(*exit as usize, i);
        }
    }

    #[test]
    fn the_documentation_has_the_table() {
        let doc = include_str!("../../docs/reference/exit-codes.md");
        for (exit, name, meaning) in Exit::TABLE {
            let row = format!("| {} | {name} | {meaning} |", exit as u8);
            assert!(doc.contains(&row), "missing: {row}");
        }
    }
}

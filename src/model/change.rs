//! The change reference of a plan: what its state is checked with before hosts are touched.

/// What section `change` of a policy asks for.
#[derive(Clone, Debug, PartialEq, Eq, serde::Serialize, serde::Deserialize, schemars::JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct ChangePolicy {
    /// A plan without a ticket is not run.
    pub required: bool,
    /// Who is asked whether the change may go on, at the start of a campaign and whenever it is resumed.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub check: Option<ChangeCheck>,
}

/// Who is asked whether a change may go on.
#[derive(Clone, Debug, PartialEq, Eq, serde::Serialize, serde::Deserialize, schemars::JsonSchema)]
#[serde(rename_all = "snake_case", deny_unknown_fields)]
pub enum ChangeCheck {
    /// A program; exit code 0 means yes. `{ticket}` and `{plan}` stand for the ticket and the plan's digest.
    Command(Vec<String>),
    /// The URL in this environment variable: a POST of ticket and plan, answered with `{"allowed": true}`.
    Webhook {
        /// The environment variable.
        url_env: String,
    },
}

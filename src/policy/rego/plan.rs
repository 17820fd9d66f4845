//! What rules say of a plan as a whole.

use serde_json::Value;

use super::answer;
pub use super::answer::PlanMessage;
use super::input::Paths;
use super::protocol::Request;
use super::rules::Asked;
use super::scan::PLAN;
use crate::diagnostic::Diagnostic;
use crate::policy::Policy;
use crate::policy::check::rule;

/// What rules say of a plan as a whole.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct PlanVerdict {
    /// Why it must not be; none means that it may.
    pub deny: Vec<PlanMessage>,
    /// What a person should know.
    pub warn: Vec<PlanMessage>,
}

impl Policy {
    /// Lets the rules judge a plan by its summary.
    pub fn judge_plan(&self, summary: &Value) -> Result<PlanVerdict, Vec<Diagnostic>> {
        let mut verdict = PlanVerdict::default();
        let mut problems = Vec::new();
        let mut runner = None;
        for (name, path, list) in [
            ("deny", "data.switchback.plan.deny", &mut verdict.deny),
            ("warn", "data.switchback.plan.warn", &mut verdict.warn),
        ] {
            let Some(at) = self.rules.set.head(PLAN, name) else { continue };
            let mut ready = match runner.take() {
                Some(runner) => runner,
                None => self.rules.launch().map_err(|problem| vec![*problem])?,
            };
            let asked = Asked { name: path, paths: Paths::default(), rule: rule("rules", Some(&at)), at: Some(at) };
            let request = Request::Evaluate { rule: path.to_owned(), inputs: vec![summary.clone()] };
            let mut answer = None;
            if let Err(failure) = ready.ask(&request, 1, &mut |given| answer = Some(given)) {
                problems.push(failure.diagnostic(&format!("rule `{path}`"), asked.at));
                continue;
            }
            runner = Some(ready);
            let read = |value: &Value| answer::messages(value).map(Some);
            match answer.map(|answer| self.rules.judge(&asked, answer, read)) {
                Some(Ok(messages)) => *list = messages.unwrap_or_default(),
                Some(Err(trouble)) => problems.push(trouble.diagnostic),
                None => {}
            }
        }
        if problems.is_empty() { Ok(verdict) } else { Err(problems) }
    }
}

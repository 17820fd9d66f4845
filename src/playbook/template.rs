//! Templates: strict, fuelled, without loaders, macros or raw output.
//!
//! Two environments differ in what an expression may become: one scalar as it is (arguments, variables, URLs), or
//! quoted words of the shell.

use std::sync::LazyLock;

use minijinja::value::{Serde, Value, ValueKind};
use minijinja::{Environment, Error, ErrorKind, Output, OutputSpanKind, State, UndefinedBehavior};
use serde::Serialize;

use super::{RenderError, quote, quote_words};

/// Instructions one rendering may take: a list of a thousand packages takes a few thousand.
const FUEL: u64 = 50_000;

static TEXT: LazyLock<Environment<'static>> = LazyLock::new(|| environment(write_text));
static SHELL: LazyLock<Environment<'static>> = LazyLock::new(|| environment(write_quoted));

/// Renders a template that is one text, such as a URL: every value in it is one printable scalar.
pub fn render_text<T: Serialize>(template: &str, context: &T) -> Result<String, RenderError> {
    text(template, &value_of(context))
}

/// Renders an argv: each template gives exactly one argument, except that one which is a single list splices its
/// elements.
pub fn render_argv<T: Serialize>(templates: &[String], context: &T) -> Result<Vec<String>, RenderError> {
    let context = value_of(context);
    let mut argv = Vec::with_capacity(templates.len());
    for template in templates {
        argv.extend(arguments(template, &context)?);
    }
    Ok(argv)
}

/// What templates see of a host, under the key `host`.
pub fn host_context(host: &crate::model::Host) -> serde_json::Value {
    serde_json::json!({
        "name": host.name,
        "address": host.address(),
        "groups": host.groups,
        "labels": host.labels,
        "os": host.os,
    })
}

pub(super) fn value_of<T: Serialize>(context: &T) -> Value {
    Value::from(Serde(context))
}

/// One text.
pub(super) fn text(template: &str, context: &Value) -> Result<String, RenderError> {
    if !is_template(template) {
        super::quote::check_value(template)?;
        return Ok(template.to_owned());
    }
    let rendered =
        TEXT.template_from_str(template).and_then(|t| t.render(context)).map_err(|e| problem(template, &e))?;
    super::quote::check_value(&rendered)?;
    Ok(rendered)
}

/// One argument, or the elements of the list that is the whole template.
pub(super) fn arguments(template: &str, context: &Value) -> Result<Vec<String>, RenderError> {
    if let Some(expression) = sole_expression(template) {
        let value =
            TEXT.compile_expression(expression).and_then(|e| e.eval(context)).map_err(|e| problem(template, &e))?;
        if is_list(&value) {
            let items = items(&value).map_err(|e| problem(template, &e))?;
            items.iter().try_for_each(|item| super::quote::check_value(item))?;
            return Ok(items);
        }
    }
    Ok(vec![text(template, context)?])
}

/// A script whose expressions become quoted words. [`super::shell::check`] has proven that none of them stands where
/// quoting does not help.
pub(super) fn script(template: &str, context: &Value) -> Result<String, RenderError> {
    let (rendered, spans) = SHELL
        .template_from_str(template)
        .and_then(|t| t.render_with_spans(context))
        .map_err(|e| problem(template, &e))?;
    for span in spans.iter().filter(|s| s.kind() == OutputSpanKind::Expression) {
        let range = span.output_range();
        let (before, after) = (rendered[..range.start].chars().next_back(), rendered[range.end..].chars().next());
        let apart = |c: Option<char>| c.is_none_or(|c| c.is_whitespace() || ";&|()<>".contains(c));
        if has_several_words(&rendered[range]) && !(apart(before) && apart(after)) {
            return Err(RenderError::Template {
                place: shown(template),
                message: "a list of several words is joined to other text: put spaces around it".to_owned(),
            });
        }
    }
    Ok(rendered)
}

/// The names that a template takes from its context, such as `fix.package_names`.
pub(super) fn variables(template: &str, shell: bool) -> Result<Vec<String>, RenderError> {
    let environment = if shell { &SHELL } else { &TEXT };
    let parsed = environment.template_from_str(template).map_err(|e| problem(template, &e))?;
    let mut names: Vec<String> = parsed.undeclared_variables(true).into_iter().collect();
    names.sort();
    Ok(names)
}

/// Whether there is anything to render.
pub(super) fn is_template(text: &str) -> bool {
    text.contains("{{") || text.contains("{%") || text.contains("{#")
}

fn environment(
    formatter: fn(&mut Output<'_>, &mut State<'_, '_>, &Value) -> Result<(), Error>,
) -> Environment<'static> {
    let mut environment = Environment::new();
    environment.set_undefined_behavior(UndefinedBehavior::Strict);
    environment.set_fuel(Some(FUEL));
    environment.set_auto_escape_callback(|_| minijinja::AutoEscape::None);
    for filter in ["safe", "escape", "e"] {
        environment.remove_filter(filter);
    }
    environment.set_formatter(formatter);
    environment
}

fn write_text(output: &mut Output<'_>, _: &mut State<'_, '_>, value: &Value) -> Result<(), Error> {
    if is_list(value) {
        return Err(refuse("a list gives several arguments: let it be the whole element, or use `join`"));
    }
    Ok(output.write_str(&scalar(value)?)?)
}

fn write_quoted(output: &mut Output<'_>, _: &mut State<'_, '_>, value: &Value) -> Result<(), Error> {
    let words =
        if is_list(value) { quote_words(items(value)?.iter().map(String::as_str)) } else { quote(&scalar(value)?) };
    Ok(output.write_str(&words.map_err(|e| refuse(e.to_string()))?)?)
}

fn is_list(value: &Value) -> bool {
    matches!(value.kind(), ValueKind::Seq | ValueKind::Iterable)
}

fn items(value: &Value) -> Result<Vec<String>, Error> {
    let items = value.try_iter()?.map(|item| scalar(&item)).collect::<Result<Vec<_>, _>>()?;
    if items.is_empty() { Err(refuse(RenderError::EmptyList.to_string())) } else { Ok(items) }
}

fn scalar(value: &Value) -> Result<String, Error> {
    match value.kind() {
        ValueKind::String | ValueKind::Number | ValueKind::Bool => {
            let text = value.to_string();
            super::quote::check_value(&text).map_err(|e| refuse(e.to_string()))?;
            Ok(text)
        }
        ValueKind::None => Err(refuse("a value is absent")),
        kind => Err(refuse(format!("a value is a {kind}, not a text, a number or a truth value"))),
    }
}

fn refuse(message: impl Into<std::borrow::Cow<'static, str>>) -> Error {
    Error::new(ErrorKind::InvalidOperation, message)
}

fn problem(template: &str, error: &Error) -> RenderError {
    let mut message = error.detail().map_or_else(|| error.kind().to_string(), |d| format!("{}: {d}", error.kind()));
    if let Some(line) = error.line().filter(|_| template.contains('\n')) {
        message = format!("line {line}: {message}");
    }
    RenderError::Template { place: shown(template), message: crate::model::printable(&message, 300) }
}

fn shown(template: &str) -> String {
    let line = template.lines().find(|l| is_template(l)).unwrap_or(template);
    format!("template {:?}", crate::model::printable(line.trim(), 80))
}

/// The expression, if the template is nothing else.
fn sole_expression(template: &str) -> Option<&str> {
    let inner = template.trim().strip_prefix("{{")?.strip_suffix("}}")?;
    (!inner.contains("}}") && !inner.contains("{{")).then_some(inner)
}

/// Whether text written by the quoting formatter is more than one word.
fn has_several_words(quoted: &str) -> bool {
    let mut inside = false;
    let mut escaped = false;
    for c in quoted.chars() {
        match c {
            _ if escaped => escaped = false,
            '\\' if !inside => escaped = true,
            '\'' => inside = !inside,
            ' ' if !inside => return true,
            _ => {}
        }
    }
    false
}

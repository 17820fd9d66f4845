//! The templates in variables that need no Ansible: `{{ name }}` of another variable. All others are refused, never
//! taken for text.

use serde_json::Value;

use super::data::Merged;

/// So many names are looked up for one value: names may stand for templates with further names.
const MAX_LOOKUPS: usize = 200;
/// No setting is longer.
const MAX_LENGTH: usize = 64 << 10;

/// Fills in templates.
pub(super) struct Templates<'a> {
    host: &'a str,
    vars: &'a Merged<'a>,
    lookups: usize,
}

impl<'a> Templates<'a> {
    pub(super) fn new(host: &'a str, vars: &'a Merged<'a>) -> Self {
        Self { host, vars, lookups: 0 }
    }

    /// The value with its templates filled in; none if one needs Ansible.
    pub(super) fn fill(&mut self, value: &Value) -> Option<Value> {
        Some(match value {
            Value::String(text) => self.text(text)?,
            Value::Array(items) => Value::Array(items.iter().map(|item| self.fill(item)).collect::<Option<_>>()?),
            Value::Object(map) => {
                let filled = map.iter().map(|(name, item)| Some((name.clone(), self.fill(item)?)));
                Value::Object(filled.collect::<Option<_>>()?)
            }
            other => other.clone(),
        })
    }

    fn text(&mut self, text: &str) -> Option<Value> {
        if text.contains("{%") || text.contains("{#") {
            return None;
        }
        let mut out = String::new();
        let mut rest = text;
        while let Some((before, from)) = rest.split_once("{{") {
            let (name, behind) = from.split_once("}}")?;
            let value = self.value_of(name.trim())?;
            // Alone, it keeps its type.
            if before.is_empty() && behind.is_empty() && out.is_empty() {
                return Some(value);
            }
            out.push_str(before);
            match value {
                Value::String(text) => out.push_str(&text),
                Value::Number(number) => out.push_str(&number.to_string()),
                _ => return None,
            }
            if out.len() > MAX_LENGTH {
                return None;
            }
            rest = behind;
        }
        out.push_str(rest);
        Some(Value::String(out))
    }

    fn value_of(&mut self, name: &str) -> Option<Value> {
        self.lookups += 1;
        if self.lookups > MAX_LOOKUPS {
            return None;
        }
        match name {
            "inventory_hostname" => Some(Value::String(self.host.to_owned())),
            "inventory_hostname_short" => {
                let address = self.host.contains(':') || self.host.bytes().all(|b| b.is_ascii_digit() || b == b'.');
                let short = if address { self.host } else { self.host.split('.').next().unwrap_or_default() };
                Some(Value::String(short.to_owned()))
            }
            name => {
                let value = *self.vars.get(name)?;
                self.fill(value)
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::json;

    #[test]
    fn names_are_filled_in_and_the_rest_is_refused() {
        let values = json!({
            "ip": "10.0.0.1", "port": 2222, "net": "{{ ip }}:{{port}}", "loop": "{{ loop }}", "list": ["{{ ip }}"],
            "bomb": "{{ b1 }}{{ b1 }}{{ b1 }}", "b1": "{{ b2 }}{{ b2 }}{{ b2 }}{{ b2 }}", "b2": "{{ e }}{{ e }}{{ e }}{{ e }}{{ e }}{{ e }}{{ e }}{{ e }}{{ e }}{{ e }}{{ e }}{{ e }}{{ e }}{{ e }}{{ e }}{{ e }}{{ e }}{{ e }}", "e": "",
        });
        let vars: Merged<'_> = values.as_object().into_iter().flatten().map(|(k, v)| (k.as_str(), v)).collect();
        let fill = |text: &str| Templates::new("web-1.example.com", &vars).fill(&json!(text));
        assert_eq!(fill("x"), Some(json!("x")));
        assert_eq!(fill("{{ port }}"), Some(json!(2222)));
        assert_eq!(fill("a{{ip}}b{{ net }}"), Some(json!("a10.0.0.1b10.0.0.1:2222")));
        assert_eq!(fill("{{ list }}"), Some(json!(["10.0.0.1"])));
        assert_eq!(
            fill("{{ inventory_hostname }}/{{ inventory_hostname_short }}"),
            Some(json!("web-1.example.com/web-1"))
        );
        for refused in [
            "{{ nowhere }}",
            "{{ ip | upper }}",
            "{{ lookup('x') }}",
            "{{ ip",
            "{% if x %}",
            "{# x #}",
            "{{ loop }}",
            "a{{ list }}",
            "{{ bomb }}",
        ] {
            assert_eq!(fill(refused), None, "{refused}");
        }
    }
}

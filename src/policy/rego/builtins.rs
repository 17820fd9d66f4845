//! Which functions rules may call: what gives the same answer everywhere and at any time, and ours.

use crate::model::VersionScheme;

/// What rules may call, sorted. Its answer depends on its arguments alone.
const ALLOWED: &[&str] = &[
    "abs",
    "array.concat",
    "array.reverse",
    "array.slice",
    "base64.decode",
    "base64.encode",
    "base64.is_valid",
    "bits.and",
    "bits.lsh",
    "bits.negate",
    "bits.or",
    "bits.rsh",
    "bits.xor",
    "ceil",
    "concat",
    "contains",
    "count",
    "endswith",
    "floor",
    "format_int",
    "glob.match",
    "glob.quote_meta",
    "graph.reachable",
    "graph.reachable_paths",
    "hex.decode",
    "hex.encode",
    "indexof",
    "indexof_n",
    "intersection",
    "is_array",
    "is_boolean",
    "is_null",
    "is_number",
    "is_object",
    "is_set",
    "is_string",
    "json.filter",
    "json.is_valid",
    "json.marshal",
    "json.marshal_with_options",
    "json.patch",
    "json.remove",
    "json.unmarshal",
    "lower",
    "max",
    "min",
    "net.cidr_contains",
    "net.cidr_expand",
    "net.cidr_is_valid",
    "numbers.range",
    "numbers.range_step",
    "object.filter",
    "object.get",
    "object.keys",
    "object.remove",
    "object.subset",
    "object.union",
    "object.union_n",
    "print",
    "product",
    "regex.find_n",
    "regex.is_valid",
    "regex.match",
    "regex.replace",
    "regex.split",
    "regex.template_match",
    "replace",
    "round",
    "semver.compare",
    "semver.is_valid",
    "set",
    "sort",
    "split",
    "sprintf",
    "startswith",
    "strings.any_prefix_match",
    "strings.any_suffix_match",
    "strings.count",
    "strings.replace_n",
    "strings.reverse",
    "substring",
    "sum",
    "time.add_date",
    "time.clock",
    "time.date",
    "time.diff",
    "time.format",
    "time.parse_duration_ns",
    "time.parse_ns",
    "time.parse_rfc3339_ns",
    "time.weekday",
    "to_number",
    "trim",
    "trim_left",
    "trim_prefix",
    "trim_right",
    "trim_space",
    "trim_suffix",
    "type_name",
    "union",
    "units.parse",
    "units.parse_bytes",
    "upper",
    "walk",
];

/// What Rego has and rules may not call, by name or by the beginning of it: with the reason.
const REFUSED: &[(&str, &str)] = &[
    ("crypto.", "it is not built in"),
    ("http.", "it asks the network"),
    ("io.jwt.", "it is not built in"),
    ("net.lookup_ip_addr", "it asks the network"),
    ("opa.runtime", "it asks the machine"),
    ("rand.", "its answer is random"),
    ("rego.", "it asks the evaluator about itself"),
    ("test.sleep", "it waits"),
    ("time.now_ns", "it asks the clock: use `input.now`"),
    ("trace", "its answer goes nowhere: use `print` in tests"),
    ("uuid.", "its answer is random"),
];

/// Words that may stand in front of a bracket and call nothing.
pub(super) const KEYWORDS: &[&str] = &[
    "as", "default", "else", "every", "false", "if", "import", "in", "not", "null", "package", "some", "true", "with",
];

/// The function that orders two versions: `switchback.version_compare(scheme, a, b)`.
pub(super) const VERSION_COMPARE: &str = "switchback.version_compare";

/// The functions that say whether one version is older than another: `deb.version_lt(a, b)` and its like.
pub(super) fn version_lt() -> impl Iterator<Item = (VersionScheme, String)> {
    VersionScheme::ALL.iter().map(|&(name, scheme)| (scheme, format!("{name}.version_lt")))
}

/// Why rules may not call this function, where Rego has it.
pub(super) fn refused(name: &str) -> Option<&'static str> {
    let hit = |listed: &str| name == listed || (listed.ends_with('.') && name.starts_with(listed));
    REFUSED.iter().find(|(listed, _)| hit(listed)).map(|(_, why)| *why)
}

/// Whether rules may call this function without defining it.
pub(super) fn allowed(name: &str) -> bool {
    ALLOWED.binary_search(&name).is_ok() || name == VERSION_COMPARE || version_lt().any(|(_, known)| known == name)
}

/// All that rules may call, without ours.
#[cfg(test)]
pub(super) fn names() -> impl Iterator<Item = &'static str> {
    ALLOWED.iter().copied()
}

/// The allowed function that is meant by a name that does not exist.
pub(super) fn meant(name: &str) -> Option<&'static str> {
    crate::yaml::nearest(name, ALLOWED.iter().copied())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_lists_are_sorted_and_apart() {
        assert!(ALLOWED.is_sorted_by(|a, b| a < b));
        assert!(REFUSED.is_sorted_by(|a, b| a.0 < b.0));
        assert!(ALLOWED.iter().all(|name| refused(name).is_none()));
        assert!(allowed("deb.version_lt") && allowed(VERSION_COMPARE) && !allowed("time.now_ns"));
    }
}

package switchback.priority

import rego.v1

priority := "critical" if {
	some label, value in input.host.labels
	label == "env"
	value in {"prod", `raw`}
	not input.finding.kev
}

reason := sprintf("it is %v", [input.finding.vulnerability])

# Raises what customers can reach, and lowers what cannot hurt.
package switchback.priority

import data.services

# Null means no opinion: scores and overrides of the policy hold.
default override := null

override := {"priority": "critical", "reason": sprintf("%s ends TLS for %s", [input.finding.package, services.name])} if {
	services.faces_customers
	input.finding.package in {"openssl", "libssl3"}
	deb.version_lt(input.finding.installed_version, input.finding.fixed_version)
}

override := {"priority": "low", "reason": "time zones hurt nobody"} if input.finding.package == "tzdata"

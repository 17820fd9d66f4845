package switchback.priority_test

import data.switchback.priority

openssl := {
	"package": "openssl",
	"installed_version": "3.0.11-1~deb12u2",
	"fixed_version": "3.0.15-1~deb12u1",
}

shop := {"labels": {"service": "shop"}}

test_tls_of_the_shop_is_critical if {
	answer := priority.override with input as {"finding": openssl, "asset": shop}
	answer.priority == "critical"
	answer.reason == "openssl ends TLS for shop"
}

test_other_services_are_left_to_their_score if {
	priority.override == null with input as {"finding": openssl, "asset": {"labels": {"service": "build"}}}
}

test_what_is_new_enough_is_left_to_its_score if {
	fixed := object.union(openssl, {"installed_version": "3.0.15-1~deb12u1"})
	priority.override == null with input as {"finding": fixed, "asset": shop}
}

test_time_zones_are_low if {
	priority.override.priority == "low" with input as {"finding": {"package": "tzdata"}, "asset": shop}
}

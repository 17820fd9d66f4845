package switchback.priority

default override := null

override := "low" if {
	startwith(input.finding.pakage, "x")
	input.asset.os.famly == "debian"
	input.prio == "low"
}

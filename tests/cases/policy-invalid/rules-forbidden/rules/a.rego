package switchback.priority

default override := null

override := "low" if {
	time.now_ns() > 0
	http.send({"method": "get", "url": "x"})
	rand.intn("x", 2) == 1
}

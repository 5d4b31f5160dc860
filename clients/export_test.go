package clients

import "time"

// Terms is termsOf, for tests: whether the answer may be kept, whether it must be
// asked about, and how long it is fresh yet; -1 where it does not say.
func Terms(headers map[string]string, now time.Time) (keep, ask bool, left time.Duration) {
	t := termsOf(headers, now, 0)
	left = -1
	if t.said {
		left = max(t.fresh-t.age, 0)
	}
	return !t.never, t.ask, left
}

// Repacked is what is left of an answer that was packed; false for what pack did
// not write.
func Repacked(data []byte) (again []byte, ok bool) {
	k := unpack(data)
	if k == nil {
		return nil, false
	}
	return k.pack(), true
}

// Packed is an answer as it is kept.
func Packed(status int, headers map[string]string, body []byte) []byte {
	return (&kept{terms: termsOf(headers, time.Now(), 0), status: status, at: time.Now(), headers: headers, body: body}).pack()
}

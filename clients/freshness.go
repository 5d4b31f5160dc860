package clients

import (
	"net/http"
	"strconv"
	"strings"
	"time"
)

// terms are what an upstream says about keeping one of its answers (RFC 9111,
// RFC 5861), to a private cache: the upstream deals with one user, who is the
// client and its credentials, whoever submits the jobs. So s-maxage,
// proxy-revalidate and private say nothing.
type terms struct {
	never   bool          // it must not be kept
	ask     bool          // not to be used without asking the upstream whether it holds
	strict  bool          // not to be used once it is not fresh any more, whoever allows that
	said    bool          // it is said how long it is fresh
	fresh   time.Duration // so long, from when the upstream made it
	age     time.Duration // when it came
	ifError time.Duration // for so long after that it may stand in for an error
}

// maxDelta bounds the durations of upstreams (RFC 9111 §1.2.2).
const maxDelta = 1 << 31 * time.Second

// termsOf reads the headers of an answer, by lower-case names, that came at now
// and took so long.
func termsOf(headers map[string]string, now time.Time, took time.Duration) terms {
	says := directives(headers["cache-control"])
	var t terms
	_, t.never = says["no-store"]
	t.never = t.never || varies(headers["vary"])
	_, t.ask = says["no-cache"]
	_, t.strict = says["must-revalidate"]
	t.ifError = delta(says["stale-if-error"])
	date, err := http.ParseTime(headers["date"])
	if err != nil {
		date = now
	}
	age := delta(first(headers["age"]))
	t.age = max(now.Sub(date), age+took, 0)
	if text, ok := says["max-age"]; ok {
		t.said = true
		t.fresh = delta(text) // what is no number is not fresh (§4.2.1)
	} else if text, ok := headers["expires"]; ok {
		t.said = true
		if at, err := http.ParseTime(text); err == nil {
			t.fresh = max(at.Sub(date), 0)
		}
	}
	return t
}

// varies reports whether the answer depends on more of its request than what
// all requests of a client have in common.
func varies(vary string) bool {
	for name := range strings.SplitSeq(vary, ",") {
		if name = strings.TrimSpace(name); name != "" && !strings.EqualFold(name, "Accept-Encoding") {
			return true
		}
	}
	return false
}

// directives reads a Cache-Control: names in lower case, the first of each.
func directives(text string) map[string]string {
	found := map[string]string{}
	for text != "" {
		var one string
		one, text = cutOutsideQuotes(text)
		name, value, _ := strings.Cut(one, "=")
		name = strings.ToLower(strings.TrimSpace(name))
		if _, known := found[name]; name != "" && !known {
			found[name] = strings.Trim(strings.TrimSpace(value), `"`)
		}
	}
	return found
}

// cutOutsideQuotes cuts at the first comma that is not inside a quoted string.
func cutOutsideQuotes(text string) (before, after string) {
	quoted := false
	for i := 0; i < len(text); i++ {
		switch text[i] {
		case '\\':
			if quoted {
				i++
			}
		case '"':
			quoted = !quoted
		case ',':
			if !quoted {
				return text[:i], text[i+1:]
			}
		}
	}
	return text, ""
}

func first(list string) string {
	one, _, _ := strings.Cut(list, ",")
	return strings.TrimSpace(one)
}

// delta reads seconds; 0 if there are none.
func delta(text string) time.Duration {
	if text == "" || strings.Trim(text, "0123456789") != "" {
		return 0
	}
	n, err := strconv.ParseUint(text, 10, 32)
	if err != nil || n > uint64(maxDelta/time.Second) {
		return maxDelta
	}
	return time.Duration(n) * time.Second
}

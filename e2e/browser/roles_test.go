package browser_test

import (
	"fmt"
	"slices"
	"strings"
	"testing"
)

// keyOf is the key of a role in the tests' settings.
func keyOf(role string) string {
	return fmt.Sprintf("aok_%s_%s", role, strings.Repeat(role, 8))
}

// guarded starts a server that asks for a key, and has one of each role.
func guarded(t testing.TB) *server {
	t.Helper()
	var keys strings.Builder
	for _, role := range []string{"viewer", "submitter", "operator", "admin"} {
		fmt.Fprintf(&keys, "    - {name: the-%s, key: %s, role: %s}\n", role, keyOf(role), role)
	}
	s := start(t, "api:\n  auth: required\n  keys:\n"+keys.String())
	s.key = keyOf("admin")
	return s
}

// signIn opens a page and signs in with a role's key.
func signIn(t testing.TB, s *server, role, path string) *tab {
	t.Helper()
	tb := open(t, s.pages(), path)
	tb.fill("#key", keyOf(role))
	tb.press("Sign in")
	tb.await(`document.querySelector(".frame h1")`)
	tb.settle()
	return tb
}

// Each role sees what it may do, and nothing else.
func TestRoles(t *testing.T) {
	t.Parallel()
	s := guarded(t)
	id := s.submit(t, object{"kind": "system.noop", "args": object{"fail": "secret"}, "max_attempts": 1})
	s.awaitState(t, id, "archived")
	tests := []struct {
		role    string
		buttons []string // on the page of another key's job
		payload bool
		pages   []string
		pause   bool
	}{
		{"viewer", nil, false, []string{"Overview", "Jobs", "Queues", "Schedules", "Targets", "Workers"}, false},
		{"submitter", []string{"Retry", "Delete"}, false, []string{"Overview", "Jobs", "Queues", "Schedules", "Targets", "Workers", "Submit"}, false},
		{"operator", []string{"Retry", "Delete", "Retry with other args", "curl"}, true, []string{"Overview", "Jobs", "Queues", "Schedules", "Targets", "Workers", "Submit", "Audit"}, true},
	}
	for _, test := range tests {
		t.Run(test.role, func(t *testing.T) {
			t.Parallel()
			tb := signIn(t, s, test.role, "jobs/"+id)
			tb.sees("the-" + test.role)
			tb.sees("archived")
			for _, name := range []string{"Retry", "Delete", "Retry with other args", "curl"} {
				if got, want := eval[bool](tb, `!!(`+button(name)+`)`), slices.Contains(test.buttons, name); got != want {
					t.Errorf("the button %q is there: %v, want %v", name, got, want)
				}
			}
			if got := eval[bool](tb, `document.body.innerText.includes("secret")`); got != test.payload {
				t.Errorf("the payload is shown: %v, want %v", got, test.payload)
			}
			pages := eval[[]string](tb, `[...document.querySelectorAll(".side nav a")].map((a) => a.innerText.trim())`)
			if !slices.Equal(pages, test.pages) {
				t.Errorf("the navigation has %v, want %v", pages, test.pages)
			}
			tb.visit("queues")
			if got := eval[bool](tb, `!!(`+button("Pause")+`)`); got != test.pause {
				t.Errorf("the button Pause is there: %v, want %v", got, test.pause)
			}
		})
	}
}

// A session is a cookie that scripts cannot read; it ends at the sign-out, and
// a page that was open then asks to sign in.
func TestSession(t *testing.T) {
	t.Parallel()
	s := guarded(t)
	tb := open(t, s.pages(), "jobs?state=archived")
	tb.sees("API key")
	tb.expect(`401 \(Unauthorized\)`)
	tb.fill("#key", "aok_viewer_"+strings.Repeat("x", 40))
	tb.press("Sign in")
	tb.sees("Not signed in (401")
	tb.fill("#key", keyOf("viewer"))
	tb.press("Sign in")
	tb.await(`location.search === "?state=archived" && document.querySelector("h1")?.innerText === "Jobs"`)
	if cookies := eval[string](tb, "document.cookie"); cookies != "" {
		t.Errorf("scripts read the cookie %q", cookies)
	}
	tb.visit("queues")
	tb.sees("default")
	tb.press("Sign out")
	tb.sees("API key")
	tb.visit("jobs")
	tb.sees("API key")
}

package browser_test

import (
	"encoding/json"
	"strings"
	"testing"
)

// What jobs bring along stays text, wherever it is shown, and integers keep
// all of their digits.
func TestHostileJobsStayInert(t *testing.T) {
	t.Parallel()
	s := start(t, "")
	const attack = `"><script>window.pwned=1</script><img src=x onerror="window.pwned=2"><a href="javascript:window.pwned=3">x</a>${window.pwned=4}{{pwned}}`
	const large = "18446744073709551615"
	args, err := json.Marshal(attack)
	if err != nil {
		t.Fatal(err)
	}
	tag := `<b onmouseover=alert(1)>`
	failing := s.submit(t, `{"kind":"system.noop","args":{"fail":`+string(args)+`},"max_attempts":1,"tags":["`+tag+`","hostile"]}`)
	inserted := s.submit(t, `{"kind":"db.insert_one","args":{"table":"users","values":{"id":9007199254740993,"name":`+string(args)+`}},"tags":["hostile"]}`)
	echoed := s.submit(t, `{"kind":"http.request","args":{"method":"POST","path":"/echo","body":{"n":`+large+`,"__proto__":{"polluted":true},"text":`+string(args)+`}},"tags":["hostile"]}`)
	for _, id := range []string{inserted, echoed} {
		s.awaitState(t, id, "completed")
	}
	s.awaitState(t, failing, "archived")

	tb := open(t, s.pages(), "jobs?tag=hostile")
	tb.await(`document.querySelectorAll("tr[data-job]").length === 3`)
	tb.sees(attack)
	tb.sees(tag)
	tb.visit("jobs/" + failing)
	tb.sees(attack)
	tb.visit("jobs/" + inserted)
	tb.sees("9007199254740993")
	tb.press("Explain")
	tb.sees("INSERT INTO")
	tb.visit("jobs/" + echoed)
	tb.sees(large)
	if n := strings.Count(eval[string](tb, "document.body.innerText"), large); n < 2 {
		t.Errorf("%s is shown %d times, want it in the args and in the result", large, n)
	}
	tb.visit("jobs?q=" + "%3Cimg%20src%3Dx%20onerror%3Dwindow.pwned%3D5%3E")
	tb.settle()
	tb.visit("queues/%3Cscript%3Ewindow.pwned=6%3C%2Fscript%3E")
	tb.expect(`40[0-9] \(`)
	tb.sees("There is no such queue")
	if got := eval[any](tb, `window.pwned ?? ({}).polluted ?? document.querySelector("main script, main img, main b, main a[href^='javascript']")?.outerHTML ?? null`); got != nil {
		t.Errorf("the job's data came alive: %v", got)
	}
}
